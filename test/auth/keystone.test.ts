import { once } from 'node:events';
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import type { Authenticator } from '../../src/auth/authenticator.ts';
import { createKeystoneAuthenticator, type KeystoneOptions } from '../../src/auth/keystone.ts';
import { silentLogger } from '../../src/core/logger.ts';

// Cases that a real Keystone cannot be made to show: failures, the loss of the service's token, the number of requests.
// test/real/keystone.test.ts uses a real one.

let server: Server;
let requests: string[];
/** The valid tokens of the service itself. */
let ownTokens: Set<string>;
/** Their lifetime in seconds. */
let lifetime: number;
let token: object;
let respondToCheck: (request: IncomingMessage, response: ServerResponse) => void;

beforeEach(async () => {
  requests = [];
  ownTokens = new Set();
  lifetime = 3600;
  token = {
    user: { name: 'ann', domain: { id: 'default', name: 'Default' } },
    roles: [{ name: 'admin' }],
    system: { all: true },
  };
  respondToCheck = (request, response) => {
    const good = request.headers['x-subject-token'] === 'good';
    response
      .writeHead(good ? 200 : 404)
      .end(JSON.stringify(good ? { token: { expires_at: later(3600), ...token } } : {}));
  };
  server = createServer((request, response) => {
    requests.push(`${request.method} ${request.url}`);
    if (request.method === 'POST') {
      const issued = `own-${requests.length}`;
      ownTokens.add(issued);
      response
        .writeHead(201, { 'x-subject-token': issued })
        .end(JSON.stringify({ token: { expires_at: later(lifetime) } }));
    } else if (!ownTokens.has(String(request.headers['x-auth-token']))) response.writeHead(401).end('{}');
    else respondToCheck(request, response);
  }).listen(0, '127.0.0.1');
  await once(server, 'listening');
});
afterEach(() => {
  server.closeAllConnections();
  server.close();
});

const later = (seconds: number) => new Date(Date.now() + seconds * 1000).toISOString();
const LOGIN = 'POST /v3/auth/tokens?nocatalog';
const CHECK = 'GET /v3/auth/tokens?nocatalog';

function authenticator(given: Partial<KeystoneOptions> = {}): Authenticator {
  return createKeystoneAuthenticator({
    auth_url: `http://127.0.0.1:${(server.address() as AddressInfo).port}/`,
    www_authenticate_uri: 'https://keystone.example',
    username: 'passthru',
    password: 'p',
    user_domain_name: 'Default',
    project_name: null,
    project_domain_name: 'Default',
    token_cache_time: 60_000,
    projects: [],
    roles: {},
    log: silentLogger,
    ...given,
  });
}

async function authenticate(keystone: Authenticator, authToken: string | null = 'good') {
  return keystone.authenticate({ authorization: null, authToken, certificate: null });
}

describe('requests to Keystone', () => {
  test('concurrent calls with one token, and all later ones, validate it once', async () => {
    const keystone = authenticator();
    await Promise.all(Array.from({ length: 20 }, () => authenticate(keystone)));
    await authenticate(keystone);
    expect(requests).toEqual([LOGIN, CHECK]);
  });

  test('an invalid token is validated again only after a while, a malformed one never', async () => {
    const keystone = authenticator();
    for (const bad of ['bad', 'bad', '', null, 'a b', 'ä', 'x'.repeat(20_000)]) {
      await expect(authenticate(keystone, bad)).rejects.toMatchObject({ kind: 'unauthenticated' });
    }
    expect(requests).toEqual([LOGIN, CHECK]);
  });

  test('the service renews its own token before it expires, and after it was revoked', async () => {
    const keystone = authenticator({ token_cache_time: 0 });
    lifetime = 30;
    await authenticate(keystone);
    lifetime = 3600;
    await authenticate(keystone);
    expect(requests.splice(0)).toEqual([LOGIN, CHECK, LOGIN, CHECK]);
    ownTokens.clear();
    await authenticate(keystone);
    expect(requests).toEqual([CHECK, LOGIN, CHECK]);
  });
});

describe('a Keystone that', () => {
  test.each<[string, (request: IncomingMessage, response: ServerResponse) => void]>([
    ['fails', (_, response) => response.writeHead(500).end()],
    ['refuses the account', (_, response) => response.writeHead(403).end()],
    ['always refuses its tokens', (_, response) => response.writeHead(401).end()],
    ['sends no JSON', (_, response) => response.writeHead(200).end('<html>')],
    ['sends no token', (_, response) => response.writeHead(200).end('{}')],
    ['sends a token without expiry', (_, response) => response.writeHead(200).end('{"token": {}}')],
    ['redirects', (_, response) => response.writeHead(302, { location: 'http://127.0.0.1:9/' }).end()],
    ['hangs up', (request) => request.socket.destroy()],
  ])('%s makes authentication unavailable; the next call requests it again', async (_name, respond) => {
    const keystone = authenticator();
    const good = respondToCheck;
    respondToCheck = respond;
    await expect(authenticate(keystone)).rejects.toMatchObject({ kind: 'identity_unavailable' });
    respondToCheck = good;
    await expect(authenticate(keystone)).resolves.toMatchObject({ name: 'ann' });
  });
});

describe('the caller of a token', () => {
  const domain = (name: string) => ({ user: { name: 'ann', domain: { id: name.toLowerCase(), name } } });
  const project = { id: 'p1', name: 'infra', domain: { name: 'Default' } };

  test.each<[what: string, token: object, given: Partial<KeystoneOptions>, caller: object]>([
    ['of the system', {}, {}, { name: 'ann', role: 'admin' }],
    [
      'of a member of an unlisted project',
      { system: undefined, project, roles: [{ name: 'member' }, { name: 'reader' }] },
      {},
      { role: null },
    ],
    [
      'of a member of a listed project',
      { system: undefined, project, roles: [{ name: 'member' }, { name: 'reader' }] },
      { projects: ['p1'] },
      { role: 'reader' },
    ],
    ['of the admin of a project, with none listed', { system: undefined, project }, {}, { role: null }],
    ['of a member of the system', { roles: [{ name: 'member' }, { name: 'reader' }] }, {}, { role: 'reader' }],
    ['of a reader of the system', { roles: [{ name: 'reader' }] }, {}, { role: 'reader' }],
    ['of a service of the system', { roles: [{ name: 'service' }] }, {}, { role: 'reader' }],
    [
      'of a service of the service project',
      { system: undefined, project, roles: [{ name: 'service' }] },
      {},
      { role: null },
    ],
    [
      'of a member of the system, widened',
      { roles: [{ name: 'member' }] },
      { roles: { member: 'operator' } },
      { role: 'operator' },
    ],
    ['of a role of our own', { roles: [{ name: 'bmc' }] }, { roles: { bmc: 'operator' } }, { role: 'operator' }],
    [
      'of the admin of a project, with roles given',
      { system: undefined, project },
      { roles: { admin: 'admin' } },
      { role: null },
    ],
    ['of an admin, narrowed', {}, { roles: { admin: 'none' } }, { role: null }],
    [
      'of an admin who is a reader too, narrowed',
      { roles: [{ name: 'admin' }, { name: 'reader' }] },
      { roles: { admin: 'none' } },
      { role: 'reader' },
    ],
    ['of a listed project', { system: undefined, project }, { projects: ['infra@Default'] }, { role: 'admin' }],
    ['of a project that is not listed', { system: undefined, project }, { projects: ['infra@Other'] }, { role: null }],
    ['of the system, with projects listed', {}, { projects: ['p2'] }, { role: 'admin' }],
    ['of a domain', { system: undefined, domain: { id: 'd' } }, {}, { role: null }],
    ['without scope', { system: undefined, roles: undefined }, {}, { role: null }],
    [
      'with unknown roles only',
      { roles: [{ name: 'manager' }, { name: 'Admin' }, { name: 'toString' }, { name: '__proto__' }, 1] },
      {},
      { role: null },
    ],
    ['of a user of another domain', domain('Partners'), {}, { name: 'ann@Partners' }],
    ['of a user of a domain with an @', domain('a@b'), {}, { name: 'ann@a%40b' }],
    [
      'of a user whose name contains an @',
      { user: { name: 'ann@Partners', domain: { id: 'default', name: 'Default' } } },
      {},
      { name: 'ann@Partners@Default' },
    ],
  ])('%s', async (_what, given, options, caller) => {
    token = { ...token, ...given };
    expect(await authenticate(authenticator(options))).toMatchObject(caller);
  });

  test('a token expired by our clock is refused although Keystone accepts it', async () => {
    token = { ...token, expires_at: later(-1) };
    await expect(authenticate(authenticator())).rejects.toMatchObject({ kind: 'unauthenticated' });
  });
});
