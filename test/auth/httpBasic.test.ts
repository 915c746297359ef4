import { writeFileSync } from 'node:fs';
import { get } from 'node:http';
import { join } from 'node:path';
import { hashSync } from 'bcryptjs';
import { afterAll, afterEach, beforeAll, describe, expect, test, vi } from 'vitest';
import { Access } from '../../src/auth/access.ts';
import type { Authenticator } from '../../src/auth/authenticator.ts';
import { BcryptPool } from '../../src/auth/bcryptPool.ts';
import { decoysFor } from '../../src/auth/htpasswd.ts';
import { createHttpBasicAuthenticator } from '../../src/auth/httpBasic.ts';
import { ROLES } from '../../src/core/caller.ts';
import { PassthruError } from '../../src/core/errors.ts';
import { silentLogger } from '../../src/core/logger.ts';
import { type ConfiguredService, startConfiguredService } from './guardedService.ts';
import { Requests } from './requests.ts';
import { basic, htpasswd, passwordOf } from './users.ts';

let service: ConfiguredService;
beforeAll(async () => {
  service = await startConfiguredService(
    'auth: { type: http_basic, http_basic_auth_user_file: users, roles: { rita: reader, anna: admin } }',
    { users: htpasswd('rita', 'anna', 'änne') },
  );
});
afterAll(() => service[Symbol.asyncDispose]());
afterEach(() => vi.restoreAllMocks());

/** Returns an authenticator for the service's file with an empty cache. */
function authenticator(options: object = {}): Authenticator {
  const userFile = join(service.folder, 'users');
  return createHttpBasicAuthenticator({ userFile, roles: {}, defaultRole: 'admin', log: silentLogger, ...options });
}

function credentials(authorization: string | null) {
  return { authorization, authToken: null, certificate: null };
}

function authorizationOf(user: string, password?: string): string {
  return basic(user, password).headers?.authorization as string;
}

describe('over REST', () => {
  test("a request without credentials gets Ironic's 401: challenge, message, and error body", async () => {
    using requests = new Requests(service.url);
    const { status, headers, text } = await requests.rest('GET', '/v1/nodes');
    expect([status, headers['www-authenticate']]).toEqual([401, 'Basic realm="Baremetal API"']);
    const { error_message, error } = JSON.parse(text);
    expect(JSON.parse(error_message)).toMatchObject({
      faultcode: 'Client',
      faultstring: expect.stringMatching(/^Authorization required/),
    });
    expect(error).toMatchObject({ code: 401, title: 'Unauthorized' });
  });

  test('a wrong password and an unknown user get the same 401', async () => {
    const responses = [];
    for (const proof of [basic('anna', 'wrong'), basic('nobody')]) {
      using requests = new Requests(service.url, proof);
      const { status, text } = await requests.rest('GET', '/v1/nodes');
      responses.push([status, text]);
    }
    expect(responses[0]).toEqual(responses[1]);
    expect(responses[0]).toEqual([401, expect.stringContaining('Incorrect username or password')]);
  });

  test('a user has its role of auth.roles, and none without an entry', async () => {
    const statuses = [];
    for (const user of ['anna', 'rita', 'änne']) {
      using requests = new Requests(service.url, basic(user));
      const list = await requests.rest('GET', '/v1/nodes');
      statuses.push([list.status, (await requests.rest('POST', '/v1/nodes', {})).status]);
    }
    expect(statuses).toEqual([
      [200, 400],
      [200, 403],
      [403, 403],
    ]);
  });
});

describe('roles', () => {
  const roleOf = async (user: string, options: object) => {
    const basicAuth = authenticator(options);
    const caller = await basicAuth.authenticate(credentials(authorizationOf(user)));
    await basicAuth.close();
    return caller.role;
  };

  test('a user without an entry has the default role, whatever it is; one with an entry keeps its own', async () => {
    expect(await roleOf('änne', { defaultRole: null })).toBeNull();
    for (const defaultRole of ROLES) {
      expect(await roleOf('änne', { defaultRole })).toBe(defaultRole);
      expect(await roleOf('rita', { defaultRole, roles: { rita: 'operator' } })).toBe('operator');
    }
  });

  test.each([
    ['a misspelt name', { ann: 'reader' }, /^auth\.roles: "ann" is not a user of \S+users; did you mean "anna"\?$/],
    ['another case', { Rita: 'reader', anna: 'admin' }, /"Rita" is not a user .*did you mean "rita"\?$/],
    ['another normal form', { 'a\u0308nne': 'reader' }, /is not a user/],
    ['a name of every object', { constructor: 'reader' }, /"constructor" is not a user/],
    ['several names, all of them', { odl: 'reader', new: 'admin' }, /"odl" is not a user.*\n.*"new" is not a user/],
  ])('%s that is no user stops the start, and is named', (_what, roles, message) => {
    expect(() => authenticator({ roles })).toThrow(message);
  });

  test('a start at which no one has a role is warned about', async () => {
    const warned: string[] = [];
    const log = { ...silentLogger, warn: (_fields: object, message: string) => warned.push(message) };
    await authenticator({ defaultRole: null, log }).close();
    await authenticator({ defaultRole: null, roles: { anna: 'reader' }, log }).close();
    await authenticator({ log }).close();
    expect(warned).toEqual([expect.stringMatching(/no user has a role/)]);
  });
});

describe('invalid credentials', () => {
  test.each([
    ['another scheme', `Bearer ${Buffer.from('anna:anna').toString('base64')}`],
    ['no value', 'Basic'],
    ['no base64', 'Basic a!b'],
    ['no colon', `Basic ${Buffer.from('anna').toString('base64')}`],
    ['no UTF-8', `Basic ${Buffer.from([0xff, 0x3a, 0xff]).toString('base64')}`],
    ['an empty password', authorizationOf('anna', '')],
    ['the password and more', authorizationOf('anna', `${passwordOf('anna')}x`)],
    ['a user named like a property of every object', authorizationOf('__proto__', '')],
    ['the password, a NUL and more', authorizationOf('anna', `${passwordOf('anna')}\0x`)],
    ['the password and a NUL', authorizationOf('anna', `${passwordOf('anna')}\0`)],
  ])('%s is refused', async (_name, authorization) => {
    const access = new Access(authenticator());
    const outcome = await new Promise((resolve) => resolve(access.identify(credentials(authorization)))).catch(
      (e) => e,
    );
    expect(outcome).toMatchObject({ kind: 'unauthenticated' });
    await access.close();
  });
});

test('two Authorization headers are refused, even if one is right', async () => {
  const twice = [authorizationOf('anna'), authorizationOf('anna', 'wrong')];
  for (const authorization of [twice, twice.toReversed(), twice.slice(0, 1)]) {
    const status = await new Promise((resolve, reject) => {
      const request = get(`${service.url}/v1/nodes`, { headers: { authorization: authorization as never } });
      request.on('response', (response) => resolve(response.resume().statusCode)).on('error', reject);
    });
    expect(status).toBe(authorization.length === 1 ? 200 : 401);
  }
});

describe('the cost of a check', () => {
  test('concurrent calls of one user, and all later ones, cost one hash', async () => {
    const compare = vi.spyOn(BcryptPool.prototype, 'compare');
    const basicAuth = authenticator();
    const authenticate = () => basicAuth.authenticate(credentials(authorizationOf('anna')));
    const callers = await Promise.all(Array.from({ length: 50 }, authenticate));
    expect(callers).toEqual(Array(50).fill({ name: 'anna', role: 'admin' }));
    expect(authenticate()).toEqual({ name: 'anna', role: 'admin' });
    expect(compare).toHaveBeenCalledTimes(1);
    await basicAuth.close();
  });

  test.each([
    ['equal', [6, 6]],
    ['different', [4, 7, 5]],
    ['lower than those of tools', [4]],
  ])(
    'a wrong password costs the same for each user and for unknown ones when the costs of hashes are %s',
    async (_what, costs) => {
      const compare = vi.spyOn(BcryptPool.prototype, 'compare');
      const userFile = join(service.folder, 'costs');
      writeFileSync(userFile, costs.map((cost, index) => `user-${index}:${hashSync('right', cost)}\n`).join(''));
      const basicAuth = authenticator({ userFile });
      for (const user of [...costs.map((_, index) => `user-${index}`), 'nobody']) {
        await expect(basicAuth.authenticate(credentials(authorizationOf(user, 'wrong')))).rejects.toThrow('Incorrect');
      }
      const rounds = compare.mock.calls.map(([{ hash, decoys }]) =>
        [...(hash === undefined ? [] : [hash]), ...decoys]
          .map((each) => 2 ** Number(each.slice(4, 6)))
          .reduce((sum, each) => sum + each, 0),
      );
      expect(rounds).toHaveLength(costs.length + 1);
      expect(new Set(rounds)).toEqual(new Set([2 ** Math.max(5, ...costs)]));
      expect(await basicAuth.authenticate(credentials(authorizationOf('user-0', 'right')))).toMatchObject({
        name: 'user-0',
      });
      await basicAuth.close();
    },
  );

  test('the hashes that stand in for a user match no password', async () => {
    const pool = new BcryptPool();
    for (const decoy of decoysFor(undefined, { cost: 4 })) {
      expect(decoy).toHaveLength(60);
      for (const password of ['', '.', 'right']) {
        expect(await pool.compare({ password, hash: decoy, decoys: [] }, false)).toBe(false);
      }
    }
    await pool.close();
  });

  test.each([
    ['72 bytes', 'x'.repeat(72), 'x'.repeat(72), 'in'],
    ['73 bytes, of which the first 72 are right', 'x'.repeat(72), 'x'.repeat(73), 'refused'],
    ['more than 72 bytes, right in all', 'x'.repeat(76), 'x'.repeat(76), 'refused'],
    ['72 characters in more bytes', 'ä'.repeat(36), 'ä'.repeat(72), 'refused'],
    ['72 bytes in 36 characters', 'ä'.repeat(36), 'ä'.repeat(36), 'in'],
  ])('a password of %s', async (_what, hashed, given, outcome) => {
    const userFile = join(service.folder, 'long');
    writeFileSync(userFile, `long:${hashSync(hashed, 4)}\n`);
    const basicAuth = authenticator({ userFile });
    const logIn = async () => basicAuth.authenticate(credentials(authorizationOf('long', given)));
    expect(
      await logIn()
        .then(() => 'in')
        .catch(() => 'refused'),
    ).toBe(outcome);
    await basicAuth.close();
  });

  test('the service responds to other callers while passwords are hashed', async () => {
    writeFileSync(join(service.folder, 'slow'), `slow:${hashSync('a', 12)}\n`);
    const slow = createHttpBasicAuthenticator({
      userFile: join(service.folder, 'slow'),
      roles: {},
      defaultRole: 'admin',
      log: silentLogger,
    });
    let hashed = false;
    const hashing = Promise.allSettled(
      ['b', 'c', 'd'].map(async (word) => slow.authenticate(credentials(authorizationOf('slow', word)))),
    ).then(() => {
      hashed = true;
    });
    // Each request takes several turns of the event loop. On the main thread each turn would wait for a part of the hashes.
    for (let i = 0; i < 10; i++) expect((await fetch(`${service.url}/healthz`)).status).toBe(200);
    expect(hashed).toBe(false);
    await hashing;
    await slow.close();
  });

  test('a flood of wrong passwords is rate limited, and shutdown ends the waiting checks', async () => {
    const basicAuth = authenticator();
    const outcomes = Promise.allSettled(
      Array.from({ length: 400 }, async (_, index) =>
        basicAuth.authenticate(credentials(authorizationOf('anna', `wrong-${index}`))),
      ),
    );
    await basicAuth.close();
    const kinds = (await outcomes).map((outcome) => {
      return outcome.status === 'rejected' && outcome.reason instanceof PassthruError ? outcome.reason.kind : outcome;
    });
    expect(kinds.filter((kind) => kind === 'rate_limited').length).toBeGreaterThan(100);
    expect(new Set(kinds)).toEqual(new Set(['rate_limited', 'shutting_down']));
  });
});

test('a change of the file applies at once: to new users, removed users and old passwords', async () => {
  const file = join(service.folder, 'changing');
  writeFileSync(file, htpasswd('anna', 'otto'));
  const reread = Promise.withResolvers<object>();
  const log = { ...silentLogger, info: (fields: object) => reread.resolve(fields) };
  const basicAuth = createHttpBasicAuthenticator({ userFile: file, roles: {}, defaultRole: 'admin', log });
  const logIn = async (user: string, password?: string) =>
    new Promise((resolve) => resolve(basicAuth.authenticate(credentials(authorizationOf(user, password)))))
      .then(() => 'in')
      .catch(({ kind }) => kind);
  expect([await logIn('anna'), await logIn('otto'), await logIn('rita')]).toEqual(['in', 'in', 'unauthenticated']);
  // The invalid line is skipped.
  writeFileSync(file, `${htpasswd('rita', 'anna').replace('rita', 'anna')}rita:not-bcrypt\n${htpasswd('rita')}`);
  expect(await reread.promise).toMatchObject({
    users: 2,
    faults: [expect.stringMatching(/^line 3: not a bcrypt hash/)],
  });
  expect([await logIn('anna'), await logIn('anna', 'atir'), await logIn('otto'), await logIn('rita')]).toEqual([
    'unauthenticated',
    'in',
    'unauthenticated',
    'in',
  ]);
  await basicAuth.close();
});
