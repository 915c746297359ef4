import { isJsonObject, type JsonObject } from '../core/json.ts';
import { isSecretName, MASK, maskSecrets } from '../core/secrets.ts';

/**
 * `value` of the key `name` as a message shows it: JSON, at most 80 characters, with secrets as `******`, the password
 * of a URL too, also where it holds characters that a URL may not.
 */
export function showValue(name: string, value: unknown): string {
  if (isSecretName(name)) return MASK;
  const shown = isJsonObject(value) ? maskSecrets(value as JsonObject) : value;
  const json = typeof shown === 'number' ? String(shown) : JSON.stringify(shown);
  const text = (json ?? String(shown))
    .replace(/(:\/\/[^:/@"]*:).*@/g, `$1${MASK}@`)
    .replace(/([?&](?:ssl)?password=)[^&"]*/g, `$1${MASK}`);
  return text.length > 80 ? `${text.slice(0, 77)}…` : text;
}
