import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { OPEN_ACCESS } from '../../src/auth/access.ts';
import { ACTIONS, type Action } from '../../src/auth/actions.ts';
import { ANONYMOUS } from '../../src/core/caller.ts';
import { ROUTES } from '../../src/rest/routes.ts';
import { RPC_ACTIONS } from '../../src/rpc/actions.ts';
import { makeAuthority } from './certificates.ts';
import { everyRpc, type GuardedService, testEveryRoute } from './everyRoute.ts';
import { type ConfiguredService, startConfiguredService } from './guardedService.ts';
import { bearer, makeIssuer } from './tokens.ts';
import { basic, htpasswd } from './users.ts';

describe('the table', () => {
  test('has an entry for every RPC, and no others', () => {
    expect(Object.keys(RPC_ACTIONS).sort()).toEqual(
      everyRpc()
        .map(({ name }) => name)
        .sort(),
    );
  });

  test('refuses an action without an entry to every role', () => {
    for (const action of [undefined, 'fly', 'toString'] as (Action | undefined)[]) {
      expect(OPEN_ACCESS.isOpen(action)).toBe(false);
      expect(() => OPEN_ACCESS.check(ANONYMOUS, action)).toThrow('No role may do this.');
    }
  });

  test('requires no credentials for health and the root documents only', () => {
    const open = (action: keyof typeof ACTIONS | undefined) => action !== undefined && ACTIONS[action] === 'open';
    expect(ROUTES.filter(({ action }) => open(action)).map(({ path }) => path)).toEqual(['/', '/healthz', '/v1']);
    const rpcs = Object.keys(RPC_ACTIONS).filter((name) => open(RPC_ACTIONS[name]));
    expect(rpcs.every((name) => name.startsWith('grpc.health.v1.Health/'))).toBe(true);
  });
});

/** Starts a service of each type before its tests, and ends it after them. */
function guarded(type: string, start: () => Promise<{ service: ConfiguredService; guarded: GuardedService }>): void {
  describe(type, () => {
    let running: Awaited<ReturnType<typeof start>>;
    beforeAll(async () => {
      running = await start();
    });
    afterAll(() => running.service[Symbol.asyncDispose]());
    testEveryRoute(type, () => running.guarded);
  });
}

guarded('none', async () => {
  const service = await startConfiguredService('auth: { type: none }');
  const callers = { wrong: basic('anna', 'x'), reader: {}, operator: {}, admin: {} };
  return { service, guarded: { url: service.url, callers } };
});

guarded('http_basic', async () => {
  const service = await startConfiguredService(
    'auth: { type: http_basic, http_basic_auth_user_file: users, roles: { rita: reader, otto: operator }, default_role: admin }',
    { users: htpasswd('rita', 'otto', 'anna') },
  );
  const callers = { wrong: basic('anna', 'x'), reader: basic('rita'), operator: basic('otto'), admin: basic('anna') };
  return { service, guarded: { url: service.url, callers } };
});

guarded('jwt', async () => {
  const issuer = await makeIssuer();
  const service = await startConfiguredService(
    'auth: { type: jwt, jwt: { jwks_file: keys.json, issuer: "https://issuer.example", audience: passthru } }',
    { 'keys.json': JSON.stringify(issuer.keySet) },
  );
  const withRole = async (role: string) => bearer(await issuer.token({ roles: ['other', role] }));
  const callers = {
    wrong: bearer(await (await makeIssuer()).token({ roles: ['admin'] })),
    reader: await withRole('reader'),
    operator: await withRole('operator'),
    admin: await withRole('admin'),
  };
  return { service, guarded: { url: service.url, callers } };
});

guarded('client_certificate', async () => {
  const authority = makeAuthority('Test authority');
  const server = authority.issue({ commonName: 'service', loopback: true });
  const service = await startConfiguredService(
    `auth: { type: client_certificate, roles: { rita: reader, otto.example: operator, 'spiffe://example/anna': admin } }
tls: { cert_file: cert.pem, key_file: key.pem, client_ca_file: ca.pem }`,
    { 'cert.pem': server.cert, 'key.pem': server.key, 'ca.pem': authority.cert },
  );
  const callers = {
    wrong: { tls: makeAuthority('Another authority').issue({ commonName: 'rita' }) },
    reader: { tls: authority.issue({ commonName: 'rita' }) },
    operator: { tls: authority.issue({ commonName: 'nobody', dns: ['other.example', 'otto.example'] }) },
    admin: { tls: authority.issue({ uri: ['spiffe://example/anna'] }) },
  };
  return { service, guarded: { url: service.url, ca: authority.cert, callers } };
});
