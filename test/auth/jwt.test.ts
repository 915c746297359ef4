import { once } from 'node:events';
import { writeFileSync } from 'node:fs';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import { exportJWK, generateKeyPair, type JWK, SignJWT, UnsecuredJWT } from 'jose';
import { afterAll, beforeAll, describe, expect, test, vi } from 'vitest';
import { createJwtAuthenticator, type JwtOptions } from '../../src/auth/jwt.ts';
import { silentLogger } from '../../src/core/logger.ts';
import { type ConfiguredService, startConfiguredService } from './guardedService.ts';
import { Requests } from './requests.ts';
import { AUDIENCE, bearer, ISSUER, type Issuer, makeIssuer } from './tokens.ts';

let issuer: Issuer;
let keys: Server;
/** The key set that the issuer publishes; null makes it fail. */
let published: object | null;
let url: string;
beforeAll(async () => {
  issuer = await makeIssuer();
  keys = createServer((_request, response) => {
    response.statusCode = published === null ? 500 : 200;
    response.end(JSON.stringify(published));
  }).listen(0, '127.0.0.1');
  await once(keys, 'listening');
  url = `http://127.0.0.1:${(keys.address() as AddressInfo).port}/keys`;
  published = issuer.keySet;
});
afterAll(() => keys.close());

function options(given: Partial<JwtOptions> = {}): JwtOptions {
  return {
    jwks_url: url,
    jwks_file: null,
    issuer: ISSUER,
    audience: [AUDIENCE, 'another'],
    algorithms: ['ES256', 'RS256'],
    clock_tolerance: 0,
    name_claim: 'sub',
    role_claim: 'roles',
    log: silentLogger,
    ...given,
  };
}

async function callerOf(token: string, given: Partial<JwtOptions> = {}) {
  const authenticator = createJwtAuthenticator(options(given));
  try {
    return await authenticator.authenticate({ authorization: `Bearer ${token}`, authToken: null, certificate: null });
  } finally {
    await authenticator.close();
  }
}

/** Returns a token signed by a foreign key, which its header names. */
async function signedByOwnKey(header: (jwk: JWK) => object): Promise<string> {
  const { publicKey, privateKey } = await generateKeyPair('ES256', { extractable: true });
  return await new SignJWT({ sub: 'a', iss: ISSUER, aud: AUDIENCE, exp: seconds(60) })
    .setProtectedHeader({ alg: 'ES256', kid: 'key-1', ...header(await exportJWK(publicKey)) })
    .sign(privateKey);
}

const seconds = (after: number) => Math.floor(Date.now() / 1000) + after;

describe('a token is refused', () => {
  test.each<[string, () => Promise<string> | string]>([
    ['that has expired', () => issuer.token({ exp: seconds(-1) })],
    ['that is not yet valid', () => issuer.token({ nbf: seconds(60) })],
    ['without an expiry', () => issuer.token({ exp: null })],
    ['of another issuer', () => issuer.token({ iss: 'https://evil.example' })],
    ['for another service', () => issuer.token({ aud: 'wiki' })],
    ['without an audience', () => issuer.token({ aud: null })],
    ['without a name', () => issuer.token({ sub: null })],
    ['whose name contains a line break', () => issuer.token({ sub: 'a\nb' })],
    ['signed by another key of the same name', async () => (await makeIssuer()).token({})],
    ['signed by an unknown key', async () => (await makeIssuer('key-9')).token({})],
    ['with an algorithm that is not accepted', async () => (await makeIssuer('key-1', 'ES384')).token({})],
    ['that is not signed', () => new UnsecuredJWT({ sub: 'a' }).setIssuer(ISSUER).setAudience(AUDIENCE).encode()],
    [
      'signed with the public key as a shared secret',
      () =>
        new SignJWT({ sub: 'a', iss: ISSUER, aud: AUDIENCE, exp: seconds(60) })
          .setProtectedHeader({ alg: 'HS256', kid: 'key-1' })
          .sign(Buffer.from(JSON.stringify(issuer.keySet.keys[0]))),
    ],
    [
      'with a changed payload',
      async () => (await issuer.token({})).replace(/\.[^.]*\./, `.${btoa('{"sub":"root"}')}.`),
    ],
    ['that is malformed', () => 'a.b.c'],
    ['whose key is named like a path', async () => (await makeIssuer('../../etc/passwd')).token({})],
    ['with a key of its own (jwk)', () => signedByOwnKey((jwk) => ({ jwk }))],
    ['with a URL of its key (jku)', () => signedByOwnKey(() => ({ jku: 'https://evil.example/keys' }))],
  ])('%s', async (_name, make) => {
    await expect(callerOf(await make())).rejects.toMatchObject({ kind: 'unauthenticated' });
  });
});

describe('the caller of a token', () => {
  test.each<[claims: object, given: Partial<JwtOptions>, caller: object]>([
    [{ sub: 'ann', roles: ['reader', 'admin'] }, {}, { name: 'ann', role: 'admin' }],
    [{ sub: 'ann', roles: 'offline_access operator' }, {}, { name: 'ann', role: 'operator' }],
    [{ sub: 'ann' }, {}, { name: 'ann', role: null }],
    [{ sub: 'ann', roles: ['Admin', 'administrator', 'toString'] }, {}, { name: 'ann', role: null }],
    [{ sub: 'ann', aud: ['wiki', 'another'], roles: ['reader'] }, {}, { name: 'ann', role: 'reader' }],
    [
      { email: 'ann@x', realm_access: { roles: ['operator'] } },
      { name_claim: 'email', role_claim: 'realm_access.roles' },
      { name: 'ann@x', role: 'operator' },
    ],
    [
      { 'https://x.example/roles': ['reader'] },
      { role_claim: 'https://x.example/roles' },
      { name: 'somebody', role: 'reader' },
    ],
    [{ exp: seconds(-5), roles: ['reader'] }, { clock_tolerance: 30_000 }, { name: 'somebody', role: 'reader' }],
  ])('%j', async (claims, given, caller) => {
    expect(await callerOf(await issuer.token({ ...claims }), given)).toEqual(caller);
  });
});

describe('the key set', () => {
  test('is reloaded when its file changes', async () => {
    const service: ConfiguredService = await startConfiguredService(
      `auth: { type: jwt, jwt: { jwks_file: keys.json, issuer: "${ISSUER}", audience: ${AUDIENCE} } }`,
      { 'keys.json': JSON.stringify(issuer.keySet) },
    );
    const reread = Promise.withResolvers<void>();
    const file = join(service.folder, 'keys.json');
    const authenticator = createJwtAuthenticator(
      options({ jwks_url: null, jwks_file: file, log: { ...silentLogger, info: () => reread.resolve() } }),
    );
    const next = await makeIssuer('key-2');
    const authenticate = async (token: string) =>
      authenticator.authenticate({ authorization: `Bearer ${token}`, authToken: null, certificate: null });
    await expect(authenticate(await next.token({}))).rejects.toMatchObject({ kind: 'unauthenticated' });
    writeFileSync(file, JSON.stringify(next.keySet));
    await reread.promise;
    await expect(authenticate(await next.token({}))).resolves.toMatchObject({ name: 'somebody' });
    await expect(authenticate(await issuer.token({}))).rejects.toMatchObject({ kind: 'unauthenticated' });
    await authenticator.close();
    await service[Symbol.asyncDispose]();
  });

  test.each([
    ['cannot be fetched', () => null],
    ['is not a key set', () => ({ key: 1 })],
  ])('returns 503, not 401, when it %s', async (_name, publish) => {
    published = publish();
    try {
      await expect(callerOf(await issuer.token({}))).rejects.toMatchObject({ kind: 'identity_unavailable' });
    } finally {
      published = issuer.keySet;
    }
  });

  test('returns 503 with Retry-After over REST when the issuer is unreachable', async () => {
    await using service = await startConfiguredService(
      `auth: { type: jwt, jwt: { jwks_url: "http://127.0.0.1:9/", issuer: "${ISSUER}", audience: ${AUDIENCE} } }`,
    );
    using requests = new Requests(service.url, bearer(await issuer.token({})));
    const { status, headers } = await requests.rest('GET', '/v1/nodes');
    expect([status, headers['retry-after']]).toEqual([503, '1']);
  });
});

describe('an unavailable issuer', () => {
  test('is requested once a second and logged once, however many tokens arrive', async () => {
    let fetches = 0;
    const away = createServer((_request, response) => {
      fetches += 1;
      response.writeHead(500).end();
    }).listen(0, '127.0.0.1');
    await once(away, 'listening');
    const warnings: object[] = [];
    const authenticator = createJwtAuthenticator(
      options({
        jwks_url: `http://127.0.0.1:${(away.address() as AddressInfo).port}/`,
        log: { ...silentLogger, warn: (fields) => void warnings.push(fields) },
      }),
    );
    const authorization = `Bearer ${await issuer.token({})}`;
    const authenticate = async () => authenticator.authenticate({ authorization, authToken: null, certificate: null });
    const began = Date.now();
    for (let count = 0; count < 100; count++) {
      await expect(authenticate()).rejects.toMatchObject({ kind: 'identity_unavailable' });
    }
    expect(fetches).toBeLessThanOrEqual(1 + Math.ceil((Date.now() - began) / 1000));
    expect(warnings.length).toBeLessThanOrEqual(1 + Math.floor((Date.now() - began) / 10_000));
    expect(warnings.length).toBeGreaterThan(0);
    away.close();
    await authenticator.close();
  });

  test('is requested again after a second of the monotonic clock, although the wall clock was set back', async () => {
    let now = 0;
    const authenticator = createJwtAuthenticator(options({ now: () => now }));
    const token = await issuer.token({});
    const authenticate = async () =>
      authenticator.authenticate({ authorization: `Bearer ${token}`, authToken: null, certificate: null });
    try {
      vi.useFakeTimers({ toFake: ['Date'] });
      published = null;
      await expect(authenticate()).rejects.toMatchObject({ kind: 'identity_unavailable' });
      published = issuer.keySet;
      vi.setSystemTime(Date.now() - 60_000);
      now = 999;
      await expect(authenticate()).rejects.toMatchObject({ kind: 'identity_unavailable' });
      now = 1000;
      await expect(authenticate()).resolves.toMatchObject({ name: 'somebody' });
    } finally {
      vi.useRealTimers();
      published = issuer.keySet;
      await authenticator.close();
    }
  });

  test('does not affect tokens of known keys while others arrive with unknown keys', async () => {
    published = issuer.keySet;
    const authenticator = createJwtAuthenticator(options());
    const authenticate = async (token: string) =>
      authenticator.authenticate({ authorization: `Bearer ${token}`, authToken: null, certificate: null });
    try {
      vi.useFakeTimers({ toFake: ['Date'] });
      await authenticate(await issuer.token({}));
      // An unknown key makes the key set be fetched again only after half a minute.
      vi.setSystemTime(Date.now() + 40_000);
      published = null;
      const stranger = await (await makeIssuer('key-9')).token({});
      await expect(authenticate(stranger)).rejects.toMatchObject({ kind: 'identity_unavailable' });
      await expect(authenticate(stranger)).rejects.toMatchObject({ kind: 'unauthenticated' });
      await expect(authenticate(await issuer.token({}))).resolves.toMatchObject({ name: 'somebody' });
    } finally {
      vi.useRealTimers();
      published = issuer.keySet;
      await authenticator.close();
    }
  });
});
