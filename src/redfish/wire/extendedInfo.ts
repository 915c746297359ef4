import { isJsonObject, type Json, type JsonObject } from '../../core/json.ts';

const KEY = '@Message.ExtendedInfo';

/**
 * Returns all messages of an error document (DSP0266, "Error responses"), as the BMC sent them. BMCs put them in a list, in
 * a single object, directly under the root, or under the root as `Property@Message.ExtendedInfo` (OpenBMC). When none of
 * them has a text, `error.code` and `error.message` are added as one more. Empty when the document has none.
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

/** Joins the messages of `extendedInfo`, or the MessageId of entries without one. Empty when there are none. */
export function extendedInfoText(extendedInfo: JsonObject[]): string {
  const texts = extendedInfo.map((entry) => asText(entry.Message) || asText(entry.MessageId));
  return [...new Set(texts.filter((text) => text !== ''))].join(' ');
}

/** Returns a string as it is, and other values as JSON. */
function asText(value: Json | undefined): string {
  if (typeof value === 'string') return value;
  return value === undefined || value === null ? '' : JSON.stringify(value);
}

/**
 * Whether an entry's MessageId is one of `names`, in any registry and version:
 * `Base.1.8.ResourceAlreadyExists`, `iLO.2.14.ResourceAlreadyExists`, `IDRAC.2.8.SYS518`.
 */
export function hasMessage(extendedInfo: JsonObject[], ...names: string[]): boolean {
  return extendedInfo.some((entry) => {
    const id = typeof entry.MessageId === 'string' ? entry.MessageId : '';
    return names.includes(id.slice(id.lastIndexOf('.') + 1));
  });
}
