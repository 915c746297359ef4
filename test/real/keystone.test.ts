import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, beforeAll, describe, expect, test, vi } from 'vitest';
import { startMethodService, testEveryMethod } from '../auth/everyMethod.ts';
import { type Callers, testEveryRoute } from '../auth/everyRoute.ts';
import { type ConfiguredService, startConfiguredService } from '../auth/guardedService.ts';
import { Requests } from '../auth/requests.ts';
import type { RoleService } from '../auth/roleService.ts';
import { passthru, serve } from '../cli/run.ts';
import { needs } from '../needs.ts';
import { Keystone, PASSWORD, type Scope, SHORT_LIFE } from './keystone.ts';
import { pythonEnvironment } from './pythonEnvironment.ts';

const environment = await pythonEnvironment();

vi.setConfig({ testTimeout: 120_000 });

describe('authentication with a real Keystone', needs('missing' in environment ? environment.missing : null), () => {
  let keystone: Keystone;
  let infra: string;
  const services: ConfiguredService[] = [];

  /** Starts a service whose Keystone account is scoped to the project `service`, or to the system. */
  async function startService(more: string, account = 'project_name: service'): Promise<ConfiguredService> {
    const service = await startConfiguredService(keystoneConfig(`${account}${more}`));
    services.push(service);
    return service;
  }

  function keystoneConfig(more: string, rules = 'rules: []'): string {
    const account = `auth_url: "${keystone.url}", username: passthru, password: ${PASSWORD}, ${more}`;
    return `auth: { type: keystone, ${rules}, keystone: { ${account} } }`;
  }

  async function send(service: ConfiguredService, token: string, verb = 'GET', path = '/v1/nodes') {
    using requests = new Requests(service.url, { headers: { 'x-auth-token': token } });
    return await requests.rest(verb, path);
  }

  /** Ironic's roles, widened by hand. */
  const WIDENED = ', projects: [infra@Default], roles: { member: operator }';
  let caching: ConfiguredService;
  /** With Ironic's roles. */
  let plain: ConfiguredService;
  let methods: RoleService;
  let notCaching: ConfiguredService;

  beforeAll(async () => {
    if ('missing' in environment) return;
    keystone = await Keystone.start(environment);
    const own = await keystone.createProject('service');
    infra = await keystone.createProject('infra');
    await keystone.createUser('passthru', 'service', { project: own });
    await keystone.createUser('rita', 'reader', { project: infra });
    await keystone.createUser('otto', 'member', { project: infra });
    await keystone.createUser('anna', 'admin', { project: infra });
    await keystone.createUser('sys-reader', 'reader');
    await keystone.createUser('sys-member', 'member');
    await keystone.createUser('nobody', null);
    caching = await startService(WIDENED);
    methods = await startMethodService((rules) => keystoneConfig(`project_name: service${WIDENED}`, rules));
    plain = await startService('');
    notCaching = await startService(', token_cache_time: 0s, projects: [infra@Default]');
  }, 300_000);
  afterAll(async () => {
    for (const service of services) await service[Symbol.asyncDispose]();
    await methods?.[Symbol.asyncDispose]();
    await keystone?.close();
  });

  // Filled in below, since tests are declared before Keystone runs.
  const callers = { wrong: { headers: { 'x-auth-token': 'nonsense' } } } as unknown as Callers;
  beforeAll(async () => {
    if ('missing' in environment) return;
    callers.none = { headers: { 'x-auth-token': await keystone.token('nobody', 'none') } };
    for (const [role, user] of [
      ['reader', 'rita'],
      ['operator', 'otto'],
      ['admin', 'anna'],
    ] as const) {
      callers[role] = { headers: { 'x-auth-token': await keystone.token(user, { project: 'infra' }) } };
    }
  });
  testEveryRoute('keystone', () => ({ url: caching.url, callers }));
  testEveryMethod('keystone', () => ({ service: methods, callers }));

  // Ironic's defaults: baremetal:node:get, :list_all, baremetal:driver:get and baremetal:conductor:get are for system
  // readers, baremetal:node:vendor_passthru, baremetal:driver:vendor_passthru, baremetal:node:create and :delete for system
  // admins, and no project reaches a node that it does not own.
  test.each<[user: string, scope: Scope, reads: boolean, admin: boolean]>([
    ['sys-reader', 'system', true, false],
    ['sys-member', 'system', true, false],
    ['admin', 'system', true, true],
    ['rita', { project: 'infra' }, false, false],
    ['otto', { project: 'infra' }, false, false],
    ['anna', { project: 'infra' }, false, false],
  ])(
    'without widening, as in Ironic: %s with scope %o reads (%s) and calls, lists methods, enrols (%s)',
    async (user, scope, reads, admin) => {
      const token = await keystone.token(user, scope);
      const isAllowed = async (verb: string, path: string) => (await send(plain, token, verb, path)).status !== 403;
      for (const path of ['/v1/nodes', '/v1/drivers', '/v1/conductors', '/v1/jobs']) {
        expect(await isAllowed('GET', path), path).toBe(reads);
      }
      await plain.createNode('n1').catch(() => {});
      for (const owner of ['nodes/n1', 'drivers/test']) {
        expect(await isAllowed('GET', `/v1/${owner}/vendor_passthru/methods`)).toBe(admin);
        expect(await isAllowed('POST', `/v1/${owner}/vendor_passthru/nothing`)).toBe(admin);
      }
      expect(await isAllowed('GET', '/v1/nodes/n1/validate')).toBe(admin);
      expect(await isAllowed('POST', '/v1/nodes')).toBe(admin);
    },
  );

  test('accepts the role of a system-scoped token', async () => {
    const service = caching;
    const reader = await keystone.token('sys-reader', 'system');
    expect((await send(service, reader)).status).toBe(200);
    expect((await send(service, reader, 'POST')).status).toBe(403);
    expect((await send(service, await keystone.token('admin', 'system'), 'POST')).status).toBe(400);
  });

  test('authenticates a token without a role and permits nothing', async () => {
    const { status, text } = await send(caching, await keystone.token('nobody', 'none'));
    expect(status).toBe(403);
    expect(text).toContain('nobody has none');
  });

  test('ignores roles on projects that are not configured', async () => {
    const token = await keystone.token('anna', { project: 'infra' });
    const byName = await startService(', projects: [infra@Default]');
    const byId = await startService(`, projects: [${infra}]`);
    const other = await startService(', projects: [service@Default]');
    const none = await startService('');
    const member = await keystone.token('otto', { project: 'infra' });
    expect((await send(byName, token)).status).toBe(200);
    expect((await send(byId, token)).status).toBe(200);
    expect((await send(other, token)).status).toBe(403);
    expect((await send(none, token)).status).toBe(403);
    expect((await send(none, member)).status).toBe(403);
    expect((await send(byName, member)).status).toBe(200);
  });

  test('names the Keystone URL to callers without a valid token, as keystonemiddleware does', async () => {
    using requests = new Requests(caching.url);
    const { status, headers } = await requests.rest('GET', '/v1/nodes');
    expect([status, headers['www-authenticate']]).toEqual([401, `Keystone uri="${keystone.url}"`]);
  });

  test('rejects a revoked token at the next validation by Keystone', async () => {
    const token = await keystone.token('anna', { project: 'infra' });
    expect((await send(caching, token)).status).toBe(200);
    expect((await send(notCaching, token)).status).toBe(200);
    await keystone.revoke(token);
    expect((await send(notCaching, token)).status).toBe(401);
    expect((await send(caching, token)).status).toBe(200);
  });

  test('rejects an expired token even while its validation is cached', async () => {
    const token = await keystone.token('anna', { project: 'infra' }, keystone.shortLivedUrl);
    expect((await send(caching, token)).status).toBe(200);
    // In real time, as Keystone itself judges the token for the service that does not cache.
    await sleep(SHORT_LIFE * 1000 + 500);
    expect((await send(caching, token)).status).toBe(401);
    expect((await send(notCaching, token)).status).toBe(401);
  });

  test('passthru import logs in with the variables of an openrc file', async () => {
    const target = await serve();
    try {
      await caching.createNode('of-a-cloud');
      const openrc = {
        OS_AUTH_URL: `${keystone.url}/v3`,
        OS_USERNAME: 'anna',
        OS_PASSWORD: PASSWORD,
        OS_PROJECT_NAME: 'infra',
      };
      const at = { PASSTHRU_SERVER: target.url };
      const words = ['import', '--from', caching.url, '-f', 'json'];
      const done = await passthru(words, { ...at, ...openrc });
      // Authenticated; the node is skipped because its driver exists only at the source.
      const row = { Name: 'of-a-cloud', Action: 'skipped', Details: 'unknown driver test' };
      expect(JSON.parse(done.stdout)).toMatchObject([row]);
      expect(await passthru(words, { ...at, ...openrc, OS_PASSWORD: 'not-this-one' })).toMatchObject({
        status: 1,
        stderr: expect.stringMatching(/responded 401: [\s\S]*--os-token, or --os-username/),
      });
      expect(await passthru(words, { ...at, ...openrc, OS_PROJECT_NAME: 'service' })).toMatchObject({ status: 1 });
      expect(await passthru(words, at)).toMatchObject({ status: 1, stderr: expect.stringContaining('401') });
    } finally {
      await target.stop();
    }
  }, 60_000);

  test('returns 503 when Keystone refuses the account of the service, and when Keystone is gone', async () => {
    const wrong = await startConfiguredService(
      `auth: { type: keystone, keystone: { auth_url: "${keystone.url}/v3/", username: passthru, password: wrong } }`,
    );
    const gone = await startConfiguredService(
      'auth: { type: keystone, keystone: { auth_url: "http://127.0.0.1:9", username: passthru, password: p } }',
    );
    services.push(wrong, gone);
    const token = await keystone.token('anna', { project: 'infra' });
    for (const service of [wrong, gone]) {
      const { status, headers, text } = await send(service, token);
      expect([status, headers['retry-after']]).toEqual([503, '1']);
      expect(text).not.toContain(token);
    }
  });
});
