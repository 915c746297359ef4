import type { JsonObject } from '../../core/json.ts';
import { isJsonObject } from '../../core/json.ts';
import type { Quirk, RedfishResponse } from '../bmc.ts';
import { without } from '../documents.ts';
import { withHeaders } from '../response.ts';

const INFO = '@Message.ExtendedInfo';

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
    if (!response.body?.startsWith('{')) return response;
    const { error } = JSON.parse(response.body) as JsonObject;
    return isJsonObject(error) ? { ...response, body: JSON.stringify(change(error)) } : response;
  });
}

function messagesIn(error: JsonObject): JsonObject[] {
  return Array.isArray(error[INFO]) ? error[INFO].filter(isJsonObject) : [];
}

/** Returns the property that a message names; null for none. */
function propertyOf({ MessageId: id, MessageArgs: args, RelatedProperties: related }: JsonObject): string | null {
  if (Array.isArray(related) && typeof related[0] === 'string') return related[0].replace(/^#\//, '');
  return String(id).endsWith('.PropertyUnknown') && Array.isArray(args) ? String(args[0]) : null;
}
