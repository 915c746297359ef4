// The sources of events: wishes that the events of nodes arrive, and what keeps their subscriptions alive.
import { hash, randomBytes } from 'node:crypto';

/** Marks the secret of a source, so that scanners for secrets and `maskText` find it in any text. */
const PREFIX = 'passthru_evt_';

const TOKEN = /^passthru_evt_[\w-]{43}$/;

/** Whether `text` has the form of a token. */
export function isSourceToken(text: string): boolean {
  return TOKEN.test(text);
}

/** Returns a new token of 256 random bits, in characters that need no escaping in a URL. */
export function newSourceToken(): string {
  return PREFIX + randomBytes(32).toString('base64url');
}

/** Returns the digest of a token, by which alone it is stored and found. */
export function sourceTokenDigest(token: string): string {
  return hash('sha256', token, 'base64url');
}

/** Returns the token at the end of a destination, and what is before it; null when there is none. */
export function splitDestination(destination: string): { base: string; token: string } | null {
  const end = destination.replace(/\/+$/, '');
  const at = end.lastIndexOf('/');
  const token = end.slice(at + 1);
  return at > 0 && isSourceToken(token) ? { base: end.slice(0, at), token } : null;
}
