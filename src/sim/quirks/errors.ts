import type { JsonObject } from '../../core/json.ts';
import { isJsonObject } from '../../core/json.ts';
import type { Quirk, RedfishResponse } from '../bmc.ts';
import { without } from '../documents.ts';
import { withHeaders } from '../response.ts';

const INFO = '@Message.ExtendedInfo';

/** Forms of an error that hold a text alone: name, description, content type and body. */
const TEXTS: [string, string, string, (text: string, status: number) => string][] = [
  [
    'errors-odata',
    "an error is OData's, with the text in message.value (iDRAC-Redfish-Scripting#7)",
    'application/json',
    (text, status) => JSON.stringify({ error: { code: String(status), message: { lang: 'en', value: text } } }),
  ],
  ['errors-text', 'an error is {"error": "text"}', 'application/json', (text) => JSON.stringify({ error: text })],
  [
    'errors-cc',
    'an error is {"cc": 9, "error": "text"} (gofish#157)',
    'application/json',
    (text) => JSON.stringify({ cc: 9, error: text }),
  ],
  [
    'errors-message',
    'an error is {"message": "text"}',
    'application/json',
    (text) => JSON.stringify({ message: text }),
  ],
  ['errors-string', 'an error is a JSON string', 'application/json', (text) => JSON.stringify(text)],
  ['errors-plain', 'an error is plain text', 'text/plain', (text) => text],
  [
    'errors-problem',
    'an error is a problem (RFC 9457)',
    'application/problem+json',
    (text, status) => JSON.stringify({ type: 'about:blank', title: 'Refused', status, detail: text }),
  ],
  [
    'errors-html-text',
    'an error is an HTML page with its text',
    'text/html',
    (text) => `<html><head><title>Error</title></head><body><p>${text}</p></body></html>`,
  ],
];

/** The forms of an error response. */
export const errorQuirks: Quirk[] = [
  errorBody('errors-object', 'ExtendedInfo is an object instead of a list', (error) => ({
    error: { ...error, [INFO]: (Array.isArray(error[INFO]) ? error[INFO][0] : error[INFO]) ?? {} },
  })),
  errorBody('errors-at-root', 'ExtendedInfo is at the root, without `error`', (error) => ({
    [INFO]: error[INFO] ?? [],
  })),
  errorBody(
    'errors-on-property',
    'a refused property has its message in `Property@Message.ExtendedInfo` at the root (OpenBMC)',
    (error) => {
      const byProperty = messagesIn(error).map((message) => [propertyOf(message), message] as const);
      if (byProperty.length === 0 || byProperty.some(([property]) => property === null)) return { error };
      return Object.fromEntries(byProperty.map(([property, message]) => [`${property}${INFO}`, [message]]));
    },
  ),
  errorBody('errors-without-code', 'an error has no code (NVIDIA DGX)', (error) => ({ error: without(error, 'code') })),
  errorBody('errors-without-info', 'an error has code and message, without ExtendedInfo', ({ code, message }) => ({
    error: { code: code ?? '', message: message ?? '' },
  })),
  // The texts are in iLO's registry only.
  errorBody('errors-ilo', 'an error has a MessageId and arguments, without text (iLO)', (error) => ({
    error: {
      code: 'iLO.0.10.ExtendedInfo',
      message: 'See @Message.ExtendedInfo for more information.',
      [INFO]: messagesIn(error).map(({ MessageId, MessageArgs }) => ({
        MessageId: MessageId ?? null,
        ...(Array.isArray(MessageArgs) && MessageArgs.length > 0 ? { MessageArgs } : {}),
      })),
    },
  })),
  errorResponse('errors-html', 'an error has an HTML body', (response) => ({
    ...withHeaders(response, { 'Content-Type': 'text/html' }),
    body: `<html><head><title>${response.status}</title></head><body><h1>Error ${response.status}</h1></body></html>`,
  })),
  // Each holds the text of the first message, without its MessageId.
  ...TEXTS.map(([name, description, type, body]) =>
    errorResponse(name, description, (response) => ({
      ...withHeaders(response, { 'Content-Type': type }),
      body: body(textOf(response), response.status),
    })),
  ),
  errorResponse('errors-list', 'an error is a list of messages (ExtendedInfo without its object)', (response) => {
    const { error } = parse(response.body) ?? {};
    return isJsonObject(error) ? { ...response, body: JSON.stringify(messagesIn(error)) } : response;
  }),
  errorResponse('errors-as-html', 'an error is whole, under the content type text/html', (response) =>
    withHeaders(response, { 'Content-Type': 'text/html' }),
  ),
  errorResponse('errors-empty', 'an error has no body', (response) => ({ ...response, body: null })),
];

function errorResponse(
  name: string,
  description: string,
  change: (response: RedfishResponse) => RedfishResponse,
): Quirk {
  return { name, description, changeResponse: (response) => (response.status >= 400 ? change(response) : response) };
}

function errorBody(name: string, description: string, change: (error: JsonObject) => JsonObject): Quirk {
  return errorResponse(name, description, (response) => {
    const { error } = parse(response.body) ?? {};
    return isJsonObject(error) ? { ...response, body: JSON.stringify(change(error)) } : response;
  });
}

/** Returns the JSON object in a body; null for any other. */
function parse(body: string | null): JsonObject | null {
  if (!body?.startsWith('{')) return null;
  try {
    return JSON.parse(body) as JsonObject;
  } catch {
    return null;
  }
}

/** Returns the text of the first message of an error; the body when it has none. */
function textOf({ body, status }: RedfishResponse): string {
  const { error } = parse(body) ?? {};
  const [first] = isJsonObject(error) ? messagesIn(error) : [];
  return String(first?.Message ?? (isJsonObject(error) && error.message) ?? body ?? `Error ${status}`);
}

function messagesIn(error: JsonObject): JsonObject[] {
  return Array.isArray(error[INFO]) ? error[INFO].filter(isJsonObject) : [];
}

/** Returns the property that a message names; null for none. */
function propertyOf({ MessageId: id, MessageArgs: args, RelatedProperties: related }: JsonObject): string | null {
  if (Array.isArray(related) && typeof related[0] === 'string') return related[0].replace(/^#\//, '');
  return String(id).endsWith('.PropertyUnknown') && Array.isArray(args) ? String(args[0]) : null;
}
