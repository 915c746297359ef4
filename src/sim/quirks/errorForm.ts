import type { Json, JsonObject } from '../../core/json.ts';
import { isJsonObject } from '../../core/json.ts';
import type { Answer, Quirk } from '../bmc.ts';

const INFO = '@Message.ExtendedInfo';

export const errorsObject = errorForm('errors-object', 'ExtendedInfo is an object in place of a list', (error) => ({
  error: { ...error, [INFO]: first(error[INFO]) },
}));

export const errorsAtRoot = errorForm('errors-at-root', 'ExtendedInfo stands directly under the root', (error) => ({
  [INFO]: error[INFO] ?? [],
}));

export const errorsWithoutCode = errorForm('errors-without-code', 'an error has no code (NVIDIA DGX)', (error) => {
  const { code: _, ...rest } = error;
  return { error: rest };
});

export const errorsWithoutInfo = errorForm(
  'errors-without-info',
  'an error has code and message and no ExtendedInfo',
  ({ code, message }) => ({ error: { code: code ?? '', message: message ?? '' } }),
);

/** iLO's errors name the message and its arguments; the text is in its registry alone. */
export const errorsIlo = errorForm(
  'errors-ilo',
  'errors have a MessageId and arguments, and no text (iLO)',
  (error) => ({
    error: {
      code: 'iLO.0.10.ExtendedInfo',
      message: 'See @Message.ExtendedInfo for more information.',
      [INFO]: (Array.isArray(error[INFO]) ? error[INFO] : [])
        .filter(isJsonObject)
        .map(({ MessageId, MessageArgs }) => ({
          MessageId: MessageId ?? null,
          ...(Array.isArray(MessageArgs) && MessageArgs.length > 0 ? { MessageArgs } : {}),
        })),
    },
  }),
);

/** A message about one property stands beside it, at the root, and there is no `error`. */
export const errorsOnProperty: Quirk = {
  name: 'errors-on-property',
  description: 'a refused property has its message in `Property@Message.ExtendedInfo` at the root (OpenBMC)',
  finishes: (answer) => {
    if (!isError(answer) || !answer.body?.startsWith('{')) return answer;
    const { error } = JSON.parse(answer.body) as JsonObject;
    const messages = isJsonObject(error) && Array.isArray(error[INFO]) ? error[INFO].filter(isJsonObject) : [];
    const byProperty = messages.map((message) => [propertyOf(message), message] as const);
    if (byProperty.length === 0 || byProperty.some(([property]) => property === null)) return answer;
    return {
      ...answer,
      body: JSON.stringify(Object.fromEntries(byProperty.map(([property, one]) => [`${property}${INFO}`, [one]]))),
    };
  },
};

export const errorsHtml: Quirk = {
  name: 'errors-html',
  description: 'errors have an HTML page for a body',
  finishes: (answer) =>
    isError(answer)
      ? {
          ...answer,
          headers: { ...answer.headers, 'Content-Type': 'text/html' },
          body: `<html><head><title>${answer.status}</title></head><body><h1>Error ${answer.status}</h1></body></html>`,
        }
      : answer,
};

export const errorsEmpty: Quirk = {
  name: 'errors-empty',
  description: 'errors have no body',
  finishes: (answer) => (isError(answer) ? { ...answer, body: null } : answer),
};

function errorForm(name: string, description: string, change: (error: JsonObject) => JsonObject): Quirk {
  return {
    name,
    description,
    finishes: (answer) => {
      if (!isError(answer) || answer.body === null || !answer.body.startsWith('{')) return answer;
      const { error } = JSON.parse(answer.body) as JsonObject;
      return isJsonObject(error) ? { ...answer, body: JSON.stringify(change(error)) } : answer;
    },
  };
}

function isError(answer: Answer): boolean {
  return answer.status >= 400;
}

function first(list: Json | undefined): Json {
  return (Array.isArray(list) ? list[0] : list) ?? {};
}

/** The property that a message names; null when it is about none. */
function propertyOf({ MessageId: id, MessageArgs: args, RelatedProperties: related }: JsonObject): string | null {
  if (Array.isArray(related) && typeof related[0] === 'string') return related[0].replace(/^#\//, '');
  return String(id).endsWith('.PropertyUnknown') && Array.isArray(args) ? String(args[0]) : null;
}
