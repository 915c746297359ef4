import { createHmac } from 'node:crypto';
import { ConfigError } from '../../config/problems.ts';
import { readTextFile } from '../../config/watchedFile.ts';

/** Of a secret, in bytes (Standard Webhooks 1.0, "Signature scheme"). */
const LEAST_BYTES = 24;
const MOST_BYTES = 64;

const SECRET = /^whsec_([A-Za-z0-9+/]+={0,2})$/;

const HOW = `a secret is whsec_ and ${LEAST_BYTES} to ${MOST_BYTES} bytes in base64, as of: echo "whsec_$(openssl rand -base64 32)"`;

/**
 * Reads the secrets of a file, one a line; empty lines and those that begin with # are skipped.
 * @throws ConfigError, which repeats no secret
 */
export function readWebhookSecrets(file: string): Buffer[] {
  const problem = (reason: string) => new ConfigError([`events.webhook.secret_file: ${reason}`]);
  const secrets: Buffer[] = [];
  for (const [index, line] of readTextFile(file, problem).split('\n').entries()) {
    const text = line.trim();
    if (text === '' || text.startsWith('#')) continue;
    const secret = Buffer.from(SECRET.exec(text)?.[1] ?? '', 'base64');
    if (secret.length < LEAST_BYTES || secret.length > MOST_BYTES) {
      throw problem(`${file}: line ${index + 1}: not a secret; ${HOW}`);
    }
    secrets.push(secret);
  }
  if (secrets.length === 0) throw problem(`${file}: contains no secret; ${HOW}`);
  return secrets;
}

/**
 * Returns the headers that prove where a message comes from, by the Standard Webhooks specification. Each secret signs, so that
 * a receiver that knows one of them accepts the message.
 * @param now milliseconds since 1970
 */
export function signatureHeaders(
  secrets: readonly Buffer[],
  id: string,
  body: string,
  now: number,
): Record<string, string> {
  const timestamp = String(Math.floor(now / 1000));
  const sign = (secret: Buffer) =>
    `v1,${createHmac('sha256', secret).update(`${id}.${timestamp}.${body}`).digest('base64')}`;
  return {
    'webhook-id': id,
    'webhook-timestamp': timestamp,
    'webhook-signature': secrets.map(sign).join(' '),
  };
}
