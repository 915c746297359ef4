import { isJsonObject, type Json, type JsonObject } from '../core/json.ts';

const KEY = '@Message.ExtendedInfo';

/**
 * The messages of an error document (DSP0266, "Error responses"), as the BMC sent them. BMCs put them in a list, in a
 * single object, directly under the root, or under the root as `Property@Message.ExtendedInfo` (OpenBMC); some give only
 * `error.code` and `error.message`. Empty when there is none.
 */
export function readExtendedInfo(document: unknown): JsonObject[] {
  if (!isJsonObject(document)) return [];
  const error = isJsonObject(document.error) ? document.error : undefined;
  const ofProperties = Object.keys(document).filter((key) => key.endsWith(KEY) && key !== KEY);
  for (const place of [error?.[KEY], document[KEY], ofProperties.flatMap((key) => document[key] ?? [])]) {
    const entries = (Array.isArray(place) ? place : [place]).filter(isJsonObject);
    if (entries.length > 0) return entries;
  }
  if (typeof error?.message !== 'string' || error.message === '') return [];
  return [{ ...(typeof error.code === 'string' ? { MessageId: error.code } : {}), Message: error.message }];
}

/** Every message of `extendedInfo` as one text; an entry without a message shows its MessageId. Empty when none has either. */
export function extendedInfoText(extendedInfo: JsonObject[]): string {
  const texts = extendedInfo.map((entry) => entry.Message || entry.MessageId || '').filter((text) => text !== '');
  return [...new Set(texts.map(String))].join(' ');
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
