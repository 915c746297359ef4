import { once } from 'node:events';
import { connect as tlsConnect } from 'node:tls';
import { Agent, Client, request } from 'undici';
import { expect, test } from 'vitest';
import { makeCertificate } from '../field/certificate.ts';
import { call, logIn, SESSIONS, SYSTEM } from './client.ts';
import { bmcWith } from './quirkedBmc.ts';
import { selfSigned } from './selfSigned.ts';

const ROOT = '/redfish/v1';
const authorization = `Basic ${btoa('u:p')}`;

test('no sessions: no link to them, 404 to a log-in, Basic works', async () => {
  await using one = await bmcWith(['no-session-service']);
  const root = (await call(one.bmc, 'GET', `${ROOT}/`)).text;
  expect(root).not.toContain('Session');
  expect((await call(one.bmc, 'POST', SESSIONS, { auth: 'none', body: { UserName: 'u', Password: 'p' } })).status).toBe(
    404,
  );
  expect((await call(one.bmc, 'GET', SYSTEM)).status).toBe(200);
});

test("sushy-tools' emulator: no sessions, 401 to a log-in, Basic works", async () => {
  await using one = await bmcWith(['no-session-service-401']);
  expect((await call(one.bmc, 'GET', `${ROOT}/`)).text).not.toContain('Session');
  const body = { UserName: 'u', Password: 'p' };
  expect((await call(one.bmc, 'POST', SESSIONS, { auth: 'none', body })).status).toBe(401);
  expect((await call(one.bmc, 'POST', SESSIONS, { body })).status).toBe(404);
  expect((await call(one.bmc, 'GET', SYSTEM)).status).toBe(200);
});

test('refuses every log-in with 503; Basic works', async () => {
  await using one = await bmcWith(['sessions-refused']);
  expect((await call(one.bmc, 'POST', SESSIONS, { auth: 'none', body: { UserName: 'u', Password: 'p' } })).status).toBe(
    503,
  );
  expect((await call(one.bmc, 'GET', SYSTEM)).status).toBe(200);
});

test('Basic is off: it gets a 401 that does not offer it; a session works', async () => {
  await using one = await bmcWith(['basic-off']);
  const refused = await call(one.bmc, 'GET', SYSTEM);
  expect(refused.status).toBe(401);
  expect(refused.headers.get('WWW-Authenticate')).not.toContain('Basic');
  const { token } = await logIn(one.bmc);
  expect((await call(one.bmc, 'GET', SYSTEM, { auth: { token } })).status).toBe(200);
});

test('allows two sessions, and another after one has ended', async () => {
  await using one = await bmcWith(['few-sessions']);
  const [first] = [await logIn(one.bmc), await logIn(one.bmc)];
  expect((await logIn(one.bmc)).token).toBe('');
  await call(one.bmc, 'DELETE', first.path);
  expect((await logIn(one.bmc)).token).not.toBe('');
});

test('the service root has the only link to the sessions, without a SessionService', async () => {
  await using one = await bmcWith(['sessions-link-only']);
  const { json } = await call(one.bmc, 'GET', `${ROOT}/`, { auth: 'none' });
  expect(json).not.toHaveProperty('SessionService');
  expect(json.Links.Sessions['@odata.id']).toBe(SESSIONS);
  expect((await call(one.bmc, 'GET', `${ROOT}/SessionService`)).status).toBe(404);
  expect((await logIn(one.bmc)).token).not.toBe('');
});

test('SessionService has the only link to the sessions, and requires credentials', async () => {
  await using one = await bmcWith(['no-sessions-link']);
  const { json } = await call(one.bmc, 'GET', `${ROOT}/`, { auth: 'none' });
  expect(json.Links).toEqual({});
  expect((await call(one.bmc, 'GET', json.SessionService['@odata.id'], { auth: 'none' })).status).toBe(401);
  expect((await logIn(one.bmc)).token).not.toBe('');
});

test.each([
  ['redirect-to-slash', ROOT, `${ROOT}/`],
  ['redirect-from-slash', `${ROOT}/`, ROOT],
])('%s: %s redirects to %s, which returns 200', async (name, from, to) => {
  await using one = await bmcWith([name]);
  const moved = await request(`${one.bmc.url}${from}`);
  await moved.body.dump();
  expect([moved.statusCode, moved.headers.location]).toEqual([308, to]);
  const target = await request(`${one.bmc.url}${to}`);
  await target.body.dump();
  expect(target.statusCode).toBe(200);
});

test('HPE Gen10 Plus: only registries get 406 for Accept-Encoding: identity', async () => {
  await using one = await bmcWith(['registries-not-identity'], {}, 'supermicro');
  const status = async (path: string, coding: string) => {
    const headers = { authorization, 'accept-encoding': coding };
    const { statusCode, body } = await request(`${one.bmc.url}${path}`, { headers });
    await body.dump();
    return statusCode;
  };
  expect(await status(`${ROOT}/Registries/Base`, 'identity')).toBe(406);
  expect(await status(`${ROOT}/Registries/Base`, 'gzip')).toBe(200);
  expect(await status(`${ROOT}/Systems/1`, 'identity')).toBe(200);
});

test('closes an idle connection earlier than Keep-Alive promises', async () => {
  await using one = await bmcWith([{ name: 'idle', description: '', connections: { idleMs: 20 } }]);
  const client = new Client(one.bmc.url, { keepAliveTimeout: 60_000 });
  const response = await client.request({ method: 'GET', path: '/redfish' });
  expect(response.headers['keep-alive']).toBe('timeout=5');
  const closed = once(client, 'disconnect');
  await response.body.dump();
  await closed;
  await client.close();
});

test('stalls a long-lived connection; a new connection works', async () => {
  await using one = await bmcWith([{ name: 'stalls', description: '', connections: { stallsAfter: 2 } }]);
  const client = new Client(one.bmc.url);
  const get = async (by: Client, signal?: AbortSignal) => {
    const { statusCode, body } = await by.request({ method: 'GET', path: '/redfish', signal });
    await body.dump();
    return statusCode;
  };
  expect([await get(client), await get(client)]).toEqual([200, 200]);
  const leaving = new AbortController();
  const arrived = one.bmc.nextRequest();
  const stalled = get(client, leaving.signal);
  await arrived;
  const fresh = new Client(one.bmc.url);
  expect(await get(fresh)).toBe(200);
  expect(one.bmc.requests.map(({ status }) => status)).toEqual([200, 200, null, 200]);
  leaving.abort();
  await expect(stalled).rejects.toThrow();
  await Promise.all([client.destroy(), fresh.close()]);
});

test('serves few requests at once: more get 503 or a reset', async () => {
  for (const overload of ['503', 'reset'] as const) {
    const quirk = { name: 'few', description: '', connections: { maxRequests: 2, overload } };
    await using one = await bmcWith([quirk], { latency: 100 });
    const agent = new Agent({ pipelining: 1 });
    const outcomes = await Promise.all(
      Array.from({ length: 3 }, async () => {
        try {
          const { statusCode, body } = await request(`${one.bmc.url}/redfish`, { dispatcher: agent });
          await body.dump();
          return statusCode;
        } catch (error) {
          return (error as NodeJS.ErrnoException).code;
        }
      }),
    );
    expect(outcomes.filter((outcome) => outcome === 200)).toHaveLength(2);
    expect(outcomes).toContain(overload === '503' ? 503 : 'ECONNRESET');
    expect((await call(one.bmc, 'GET', '/redfish')).status).toBe(200);
    await agent.close();
  }
});

test.each([
  ['tls-1.0', 'TLSv1'],
  ['tls-1.1', 'TLSv1.1'],
] as const)(
  '%s: a modern client fails at the handshake, one that allows the old version succeeds',
  async (name, version) => {
    const pair = selfSigned();
    await using one = await bmcWith([name], { tls: pair });
    const port = Number(new URL(one.bmc.url).port);
    const modern = tlsConnect({ host: '127.0.0.1', port, ca: pair.cert });
    await expect(once(modern, 'secureConnect')).rejects.toMatchObject({
      code: expect.stringMatching(/SSL|TLS|ECONNRESET/),
    });
    const old = tlsConnect({
      host: '127.0.0.1',
      port,
      ca: pair.cert,
      minVersion: version,
      maxVersion: version,
      ciphers: 'DEFAULT@SECLEVEL=0',
    });
    await once(old, 'secureConnect');
    expect(old.getProtocol()).toBe(version);
    old.destroy();
  },
);

test('weak-tls: a certificate with an RSA key of 1024 bits is served, which a client refuses unless it lowers the level', async () => {
  const pair = makeCertificate({ rsaBits: 1024, digest: 'sha1' });
  try {
    await using one = await bmcWith(['weak-tls'], { tls: pair });
    const port = Number(new URL(one.bmc.url).port);
    const strict = tlsConnect({ host: '127.0.0.1', port, rejectUnauthorized: true, ca: pair.cert });
    await expect(once(strict, 'secureConnect')).rejects.toMatchObject({
      message: expect.stringMatching(/too (weak|small)/i),
    });
    const lenient = tlsConnect({ host: '127.0.0.1', port, ca: pair.cert, ciphers: 'DEFAULT@SECLEVEL=0' });
    await once(lenient, 'secureConnect');
    lenient.destroy();
  } finally {
    pair.remove();
  }
});
