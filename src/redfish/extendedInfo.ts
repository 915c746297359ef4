import { isJsonObject, type Json, type JsonObject } from '../core/json.ts';

const KEY = '@Message.ExtendedInfo';

/**
 * All messages of an error document (DSP0266, "Error responses"), as the BMC sent them. BMCs put them in a list, in a
 * single object, directly under the root, or under the root as `Property@Message.ExtendedInfo` (OpenBMC). Where none of
 * them has a text, or there is none, `error.code` and `error.message` are one more. Empty when there is nothing of all.
 */
export function readExtendedInfo(document: unknown): JsonObject[] {
  if (!isJsonObject(document)) return [];
  const error = isJsonObject(document.error) ? document.error : undefined;
  const entries = [error ?? {}, document].flatMap((place) =>
    Object.keys(place)
      .filter((key) => key.endsWith(KEY))
      .flatMap((key) => place[key] ?? [])
      .filter(isJsonObject),
  );
  const { code, message } = error ?? {};
  if (message === undefined || asText(message) === '' || entries.some(({ Message }) => asText(Message) !== '')) {
    return entries;
  }
  return [...entries, { ...(typeof code === 'string' ? { MessageId: code } : {}), Message: message }];
}

/** Every message of `extendedInfo` as one text; an entry without a message shows its MessageId. Empty when none has either. */
export function extendedInfoText(extendedInfo: JsonObject[]): string {
  const texts = extendedInfo.map((entry) => asText(entry.Message) || asText(entry.MessageId));
  return [...new Set(texts.filter((text) => text !== ''))].join(' ');
}

/** A text as it is; what else stands in its place, as JSON. */
function asText(value: Json | undefined): string {
  if (typeof value === 'string') return value;
  return value === undefined || value === null ? '' : JSON.stringify(value);
}

/**
 * Whether an entry's MessageId is one of `names`, whatever the registry and its version:
 * `Base.1.8.ResourceAlreadyExists`, `iLO.2.14.ResourceAlreadyExists`, `IDRAC.2.8.SYS518`.
 */
export function hasMessage(extendedInfo: JsonObject[], ...names: string[]): boolean {
  return extendedInfo.some((entry) => {
    const id = typeof entry.MessageId === 'string' ? entry.MessageId : '';
    return names.includes(id.slice(id.lastIndexOf('.') + 1));
  });
}

/** A secret this short is taken out only where it stands alone or quoted, for it is a part of many words. */
const SHORT = 4;
const MASK = '******';

/** `text` without the `secrets`: BMCs quote the values that they refuse, passwords and HTTP headers included. */
export function redactText(text: string, secrets: readonly string[]): string {
  let clean = text;
  for (const secret of secrets) {
    if (secret === '') continue;
    if (secret.length >= SHORT) clean = clean.replaceAll(secret, MASK);
    else if (clean === secret) clean = MASK;
    else for (const quote of ["'", '"']) clean = clean.replaceAll(quote + secret + quote, quote + MASK + quote);
  }
  return clean;
}

/** `value` with the `secrets` taken out of every text in it. */
export function redact<T extends Json>(value: T, secrets: readonly string[]): T;
export function redact(value: Json, secrets: readonly string[]): Json {
  if (typeof value === 'string') return redactText(value, secrets);
  if (Array.isArray(value)) return value.map((item) => redact(item, secrets));
  if (!isJsonObject(value)) return value;
  return Object.fromEntries(Object.entries(value).map(([key, item]) => [key, redact(item, secrets)]));
}
