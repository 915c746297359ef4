import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { OPEN_ACCESS } from '../../src/auth/access.ts';
import { ACTIONS, type Action } from '../../src/auth/actions.ts';
import { ANONYMOUS } from '../../src/core/caller.ts';
import { ROUTES } from '../../src/rest/routes.ts';
import { RPC_ACTIONS } from '../../src/rpc/actions.ts';
import { makeAuthority } from './certificates.ts';
import { startMethodService, testEveryMethod } from './everyMethod.ts';
import { type Callers, everyRpc, testEveryRoute } from './everyRoute.ts';
import { type ConfiguredService, startConfiguredService } from './guardedService.ts';
import type { RoleService } from './roleService.ts';
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

/** One type of authentication. */
interface Kind {
  /** The groups `auth` and `tls` in YAML; `rules` is a key of the first. */
  config(rules: string): string;
  files?: Record<string, string>;
  /** The CA of the service's certificate, with TLS. */
  ca?: string;
  callers: Callers;
}

/** Declares the tests of each type, with the services that they need. */
function guarded(type: string, make: () => Promise<Kind>): void {
  describe(type, () => {
    let kind: Kind;
    let routes: ConfiguredService;
    let methods: RoleService;
    beforeAll(async () => {
      kind = await make();
      routes = await startConfiguredService(kind.config('rules: []'), kind.files);
      methods = await startMethodService(kind.config, kind.files);
    });
    afterAll(async () => {
      await routes[Symbol.asyncDispose]();
      await methods[Symbol.asyncDispose]();
    });
    testEveryRoute(type, () => ({ ...kind, url: routes.url }));
    testEveryMethod(type, () => ({ ...kind, service: methods }));
  });
}

guarded('none', async () => ({
  config: (rules) => `auth: { type: none, ${rules} }`,
  callers: { wrong: basic('anna', 'x'), none: {}, reader: {}, operator: {}, admin: {} },
}));

guarded('http_basic', async () => ({
  config: (rules) => `auth: { type: http_basic, http_basic_auth_user_file: users, ${rules},
  roles: { rita: reader, otto: operator, anna: admin } }`,
  files: { users: htpasswd('nora', 'rita', 'otto', 'anna') },
  callers: {
    wrong: basic('anna', 'x'),
    none: basic('nora'),
    reader: basic('rita'),
    operator: basic('otto'),
    admin: basic('anna'),
  },
}));

guarded('jwt', async () => {
  const issuer = await makeIssuer();
  const withRole = async (role: string) => bearer(await issuer.token({ roles: ['other', role] }));
  return {
    config: (rules) =>
      `auth: { type: jwt, ${rules}, jwt: { jwks_file: keys.json, issuer: "https://issuer.example", audience: passthru } }`,
    files: { 'keys.json': JSON.stringify(issuer.keySet) },
    callers: {
      wrong: bearer(await (await makeIssuer()).token({ roles: ['admin'] })),
      none: await withRole('Admin'),
      reader: await withRole('reader'),
      operator: await withRole('operator'),
      admin: await withRole('admin'),
    },
  };
});

guarded('client_certificate', async () => {
  const authority = makeAuthority('Test authority');
  const server = authority.issue({ commonName: 'service', loopback: true });
  return {
    config: (rules) => `auth:
  type: client_certificate
  roles: { rita: reader, otto.example: operator, 'spiffe://example/anna': admin }
  ${rules}
tls: { cert_file: cert.pem, key_file: key.pem, client_ca_file: ca.pem }`,
    files: { 'cert.pem': server.cert, 'key.pem': server.key, 'ca.pem': authority.cert },
    ca: authority.cert,
    callers: {
      wrong: { tls: makeAuthority('Another authority').issue({ commonName: 'rita' }) },
      none: { tls: authority.issue({ commonName: 'nora' }) },
      reader: { tls: authority.issue({ commonName: 'rita' }) },
      operator: { tls: authority.issue({ commonName: 'nobody', dns: ['other.example', 'otto.example'] }) },
      admin: { tls: authority.issue({ uri: ['spiffe://example/anna'] }) },
    },
  };
});
