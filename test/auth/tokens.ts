import { exportJWK, generateKeyPair, type JWTPayload, SignJWT } from 'jose';
import type { Login } from './requests.ts';

export const ISSUER = 'https://issuer.example';
export const AUDIENCE = 'passthru';

/** An issuer of tokens with its own key. */
export interface Issuer {
  /** Its JSON Web Key Set. */
  keySet: { keys: object[] };
  /** Returns a token with `claims`, and valid ones for the rest; null omits a claim. */
  token(claims: Record<string, unknown>): Promise<string>;
}

export async function makeIssuer(kid = 'key-1', alg = 'ES256'): Promise<Issuer> {
  const { publicKey, privateKey } = await generateKeyPair(alg, { extractable: true });
  const jwk = await exportJWK(publicKey);
  return {
    keySet: { keys: [{ ...jwk, kid, alg, use: 'sig' }] },
    token(claims) {
      const now = Math.floor(Date.now() / 1000);
      const all = { iss: ISSUER, aud: AUDIENCE, iat: now, exp: now + 3600, sub: 'somebody', ...claims };
      const payload = Object.fromEntries(Object.entries(all).filter(([, value]) => value !== null)) as JWTPayload;
      return new SignJWT(payload).setProtectedHeader({ alg, kid }).sign(privateKey);
    },
  };
}

export function bearer(token: string): Login {
  return { headers: { authorization: `Bearer ${token}` } };
}
