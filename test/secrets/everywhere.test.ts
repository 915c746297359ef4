import { randomBytes } from 'node:crypto';
import { copyFileSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { create, toBinary } from '@bufbuild/protobuf';
import { Client, credentials, Metadata } from '@grpc/grpc-js';
import { afterAll, beforeAll, describe, expect, test, vi } from 'vitest';
import { GetNodeRequestSchema } from '../../gen/passthru/v1/node_pb.ts';
import { type Fleet, startFleet } from '../../src/sim/index.ts';
import { htpasswd, passwordOf } from '../auth/users.ts';
import { passthru, type Served, serve, startPassthru } from '../cli/run.ts';

// Each service is a process of its own, which takes its time on a busy machine.
vi.setConfig({ testTimeout: 120_000, hookTimeout: 60_000 });

/** The user's name; its password is the name backwards. */
const USER = 'cisab-401-rekram';

/** What is planted; each tells in a failure where it came from. */
const MARKERS = {
  basic: passwordOf(USER),
  wrongBasic: 'marker-102-wrong-basic',
  redfish: 'marker-103-redfish',
  leaky: 'marker-104-leaky\'"<&',
  header: 'marker-105-http-header',
  bearer: 'marker-106-bearer',
  discover: 'marker-107-discover',
  query: 'marker-108-query',
  body: 'marker-109-body',
  metadata: 'marker-110-metadata',
  argument: 'marker-111-argument',
  keystone: 'marker-112-keystone',
  postgres: 'marker-113-postgres',
  keyFile: 'marker-114-key-file',
  instance: 'marker-115-instance-info',
  cookie: 'marker-116-cookie',
  wrongRedfish: 'marker-117-wrong-redfish',
  idempotency: 'marker-118-idempotency',
} as const;
const { idempotency: _, ...SECRETS } = MARKERS;

let directory: string;
let state: string;
let fleet: Fleet;
let served: Served;
/** Everything that anybody was answered. */
const answers: string[] = [];

beforeAll(async () => {
  directory = mkdtempSync(join(tmpdir(), 'passthru-everywhere-'));
  state = join(directory, 'state');
  mkdirSync(state);
  copyFileSync(new URL('./leakyDriver.mjs', import.meta.url), join(directory, 'leakyDriver.mjs'));
  writeFileSync(join(directory, 'users'), htpasswd(USER));
  writeFileSync(join(directory, 'secrets.key'), randomBytes(32).toString('base64'));
  const leaky = { driver: 'leaky', driver_info: { leaky_password: MARKERS.leaky } };
  fleet = await startFleet({ accounts: { u: MARKERS.redfish } });
  const redfish = { redfish_address: fleet.bmcs[0]!.url, redfish_username: 'u' };
  const nodes = [
    { name: 'leaky', ...leaky },
    { name: 'leaky-2', ...leaky },
    { name: 'broken', driver: 'leaky', driver_info: { ...leaky.driver_info, leaky_broken: true } },
    { name: 'rf', driver: 'redfish', driver_info: { ...redfish, redfish_password: MARKERS.redfish } },
    { name: 'rf-wrong', driver: 'redfish', driver_info: { ...redfish, redfish_password: MARKERS.wrongRedfish } },
    {
      name: 'rf-down',
      driver: 'redfish',
      driver_info: {
        redfish_address: 'http://127.0.0.1:9',
        redfish_password: MARKERS.redfish,
        redfish_username: 'u',
        redfish_connection_attempts: 1,
      },
    },
  ];
  writeFileSync(join(directory, 'nodes.yaml'), JSON.stringify({ nodes }));
  const config = {
    store: `sqlite:${join(state, 'passthru.db')}`,
    nodes_file: 'nodes.yaml',
    log_level: 'trace',
    auth: { type: 'http_basic', http_basic_auth_user_file: 'users' },
    secrets: { key_file: 'secrets.key' },
    destinations: { allow: ['127.0.0.0/8'] },
    redfish: { connection_attempts: 1 },
    drivers: ['./leakyDriver.mjs'],
  };
  writeFileSync(join(directory, 'passthru.yaml'), JSON.stringify(config));
  served = await serve(['--config', join(directory, 'passthru.yaml')], { PASSTHRU_STORE: config.store });
});

afterAll(async () => {
  served.command.process.kill('SIGKILL');
  await served.command.ended;
  await fleet.close();
  rmSync(directory, { recursive: true });
});

const GOOD = `Basic ${Buffer.from(`${USER}:${MARKERS.basic}`).toString('base64')}`;

/** Asks the service, and keeps all that it answers. */
async function ask(method: string, path: string, body?: unknown, headers: Record<string, string> = {}) {
  const response = await fetch(served.url + path, {
    method,
    headers: {
      authorization: GOOD,
      'content-type': 'application/json',
      'x-openstack-ironic-api-version': '1.82',
      cookie: `session=${MARKERS.cookie}`,
      ...headers,
    },
    body: body === undefined ? undefined : typeof body === 'string' ? body : JSON.stringify(body),
  });
  const text = await response.text();
  answers.push(`${method}: ${response.status} ${JSON.stringify([...response.headers])} ${text}`);
  return { status: response.status, text, headers: response.headers };
}

const call = (node: string, method: string, body: unknown = {}, headers = {}) =>
  ask('POST', `/v1/nodes/${node}/vendor_passthru?method=${method}`, body, headers);
const rpc = (service: string, method: string, body: unknown, headers = {}) =>
  ask('POST', `/passthru.v1.${service}/${method}`, body, headers);

/** Which secrets, in which form, are in `bytes`. */
function found(bytes: string | Buffer): string[] {
  const hay = Buffer.from(bytes);
  return Object.entries(SECRETS).flatMap(([name, secret]) => {
    const forms = {
      plain: secret,
      json: JSON.stringify(secret).slice(1, -1),
      url: encodeURIComponent(secret),
      base64: Buffer.from(secret).toString('base64').replace(/=+$/, ''),
      hex: Buffer.from(secret).toString('hex'),
    };
    return Object.entries(forms).flatMap(([form, text]) => {
      const at = hay.indexOf(text);
      return at < 0 ? [] : [`${name} (${form}): …${hay.subarray(Math.max(0, at - 200), at + text.length + 40)}…`];
    });
  });
}

function files(): { name: string; content: Buffer }[] {
  return readdirSync(state, { recursive: true })
    .map(String)
    .map((name) => ({ name, content: readFileSync(join(state, name)) }));
}

test('the search finds what is there', () => {
  expect(found(`x ${MARKERS.leaky} y`)).toEqual([expect.stringMatching(/^leaky \(plain\)/)]);
  expect(found(JSON.stringify({ x: MARKERS.leaky }))).toEqual([expect.stringMatching(/^leaky \(json\)/)]);
  expect(found(Buffer.from(MARKERS.bearer).toString('base64'))).toEqual([expect.stringMatching(/^bearer \(base64\)/)]);
});

test('a driver that quotes its password in all that it throws, reports and logs', async () => {
  for (const name of ['throws', 'throws_text', 'throws_several', 'refuses', 'quotes_arguments', 'talks', 'strays']) {
    const args = { api_key: MARKERS.argument, HttpHeaders: [{ 'X-Any': MARKERS.header }] };
    const { status } = await call('leaky', name, args);
    expect([name, status]).toEqual([name, name === 'talks' || name === 'strays' ? 200 : expect.toBeOneOf([400, 500])]);
    await rpc('PassthruService', 'CallNodeMethod', {
      node: 'leaky',
      method: name,
      arguments: args,
      httpMethod: 'POST',
    });
    await call('leaky', name, args, { 'idempotency-key': `${MARKERS.idempotency}-${name}` });
  }
  expect((await call('broken', 'talks')).status).toBe(400);
  expect((await ask('GET', '/v1/nodes/broken/validate')).text).toContain('******');
});

test('a job that fails with it, and the node after it', async () => {
  const { status, headers } = await call('leaky', 'works', { api_key: MARKERS.argument });
  expect(status).toBe(202);
  const job = headers.get('location')!.replace(/^https?:\/\/[^/]*/, '');
  expect((await ask('GET', `${job}/events`)).text).toMatch(/"message":"at \*{6}"[\s\S]*JOB_STATE_FAILED/);
  expect((await ask('GET', job)).text).toContain('JOB_STATE_FAILED');
  expect((await ask('GET', '/v1/nodes/leaky')).text).toContain('last_error');
  await ask('GET', '/v1/jobs');
  await rpc('JobService', 'ListJobs', {});
  await rpc('JobService', 'GetJob', { id: job.split('/').at(-1) });
});

test('a BMC that quotes what it was sent, that refuses the password, and one that is not there', async () => {
  const bmc = fleet.bmcs[0]!;
  const said = [MARKERS.redfish, MARKERS.header].map((secret) => ({
    MessageId: 'Base.1.8.PropertyValueError',
    Message: `The value '${secret}' is wrong`,
    MessageArgs: [secret],
  }));
  const body = JSON.stringify({ error: { code: 'x', message: said[0]!.Message, '@Message.ExtendedInfo': said } });
  const subscription = { Destination: 'http://127.0.0.1:9/x', HttpHeaders: [{ 'X-Auth': MARKERS.header }] };
  bmc.faults.add({ kind: 'status', status: 400, body, match: { method: 'POST', path: '*Subscriptions' }, times: 2 });
  expect((await call('rf', 'create_subscription', subscription)).status).toBe(500);
  await rpc('PassthruService', 'CallNodeMethod', {
    node: 'rf',
    method: 'create_subscription',
    arguments: subscription,
  });
  expect((await call('rf', 'create_subscription', subscription)).status).toBe(200);
  expect((await call('rf', 'get_all_subscriptions', undefined)).status).toBeGreaterThanOrEqual(200);
  for (const id of ['1', '5']) await ask('GET', `/v1/nodes/rf/vendor_passthru?method=get_subscription&id=${id}`);
  for (const headers of [
    MARKERS.header,
    { 'X-Auth': MARKERS.header },
    [[MARKERS.header]],
    [{ a: { b: MARKERS.header } }],
  ]) {
    expect((await call('rf', 'create_subscription', { ...subscription, HttpHeaders: headers })).status).toBe(400);
  }
  expect((await call('rf-wrong', 'create_subscription', subscription)).status).toBe(500);
  expect((await call('rf-down', 'create_subscription', subscription)).status).toBe(500);
  expect((await call('rf-down', 'eject_vmedia')).status).toBe(202);
  expect((await call('rf', 'eject_vmedia')).status).toBe(202);
  const discover = { address: bmc.url, username: 'u', password: MARKERS.discover };
  for (const args of [
    discover,
    { ...discover, address: `http://u:${MARKERS.discover}@127.0.0.1` },
    { ...discover, password: [MARKERS.discover] },
  ]) {
    const { status } = await ask('POST', '/v1/drivers/redfish/vendor_passthru?method=discover', args);
    expect(status).toBeGreaterThanOrEqual(400);
  }
});

test('callers who are not let in', async () => {
  const basic = (password: string) => `Basic ${Buffer.from(`${USER}:${password}`).toString('base64')}`;
  for (const authorization of [
    basic(MARKERS.wrongBasic),
    `Basic ${MARKERS.wrongBasic}`,
    `Bearer ${MARKERS.bearer}`,
    MARKERS.bearer,
  ]) {
    for (const path of ['/v1/nodes', '/passthru.v1.NodeService/ListNodes']) {
      expect((await ask('POST', path, {}, { authorization, 'x-auth-token': MARKERS.bearer })).status).toBe(401);
    }
  }
  const client = new Client(new URL(served.url).host, credentials.createInsecure());
  const metadata = new Metadata();
  metadata.set('authorization', `Bearer ${MARKERS.metadata}`);
  metadata.set('x-auth-token', MARKERS.metadata);
  metadata.set('some-bin', Buffer.from(MARKERS.metadata));
  const error = await new Promise((resolve) => {
    client.makeUnaryRequest(
      '/passthru.v1.NodeService/GetNode',
      (request) => Buffer.from(toBinary(GetNodeRequestSchema, request)),
      (bytes) => bytes,
      create(GetNodeRequestSchema, { node: 'rf' }),
      metadata,
      resolve,
    );
  });
  client.close();
  answers.push(`gRPC: ${error} ${JSON.stringify(error)}`);
  expect(error).toMatchObject({ code: 16 });
});

test('queries and bodies that are not well-formed', async () => {
  for (const query of [
    `password=${MARKERS.query}`,
    `method=talks&token=${MARKERS.query}`,
    `limit=${MARKERS.query}%zz`,
  ]) {
    await ask('GET', `/v1/nodes?${query}`);
    await ask('POST', `/v1/nodes/leaky/vendor_passthru?${query}`, {});
    await ask('GET', `/v1/nodes/leaky/vendor_passthru?${query}`);
  }
  const bodies = [
    `{"name": "x", "driver_info": {"redfish_password": "${MARKERS.body}"`,
    `{"name": "x", "password": ${MARKERS.body}}`,
    `"${MARKERS.body}"`,
    JSON.stringify({ node: { driver: 'redfish', driverInfo: MARKERS.body } }),
    JSON.stringify({
      node: { driver: 'redfish', driver_info: { redfish_password: MARKERS.body } },
      password: MARKERS.body,
    }),
    JSON.stringify({ driver: 'redfish', driver_info: MARKERS.body }),
    JSON.stringify({ driver: 'redfish', driver_info: { redfish_password: MARKERS.body, x: '******' } }),
    JSON.stringify({ driver: 'nope', driver_info: { redfish_password: MARKERS.body } }),
    JSON.stringify([{ op: 'add', path: '/driver_info/redfish_password', value: { a: MARKERS.body } }]),
    JSON.stringify([{ op: 'test', path: '/driver_info/redfish_password', value: MARKERS.body }]),
    JSON.stringify([{ op: 'replace', path: '/driver_info', value: MARKERS.body }]),
  ];
  for (const body of bodies) {
    await ask('POST', '/v1/nodes', body);
    await ask('PATCH', '/v1/nodes/leaky-2', body);
    await ask('POST', '/v1/nodes/leaky/vendor_passthru?method=talks', body);
    // Connect itself quotes a text that stands in place of a message, to who sent it and to nobody else.
    if (body.startsWith('"') || body.includes('"driverInfo":"')) continue;
    await rpc('NodeService', 'CreateNode', body);
    await rpc('PassthruService', 'CallNodeMethod', body);
  }
});

test('nodes that are enrolled, changed, shown and removed', async () => {
  const driver_info = { redfish_address: `https://u:${MARKERS.body}@bmc.example`, redfish_password: MARKERS.body };
  const instance_info = { configdrive_password: MARKERS.instance, image_url: `https://u:${MARKERS.instance}@x/` };
  const created = await ask('POST', '/v1/nodes', { name: 'new', driver: 'redfish', driver_info, instance_info });
  expect(created.status).toBe(201);
  await rpc('NodeService', 'CreateNode', { node: { name: 'new-2', driver: 'redfish', driverInfo: driver_info } });
  await call('new', 'get_all_subscriptions');
  await ask('PATCH', '/v1/nodes/new', [{ op: 'add', path: '/driver_info/kg_key', value: MARKERS.body }]);
  for (const path of ['', '/detail', '/new', '/new/validate']) await ask('GET', `/v1/nodes${path}`);
  await rpc('NodeService', 'ListNodes', {});
  await rpc('NodeService', 'GetNode', { node: 'new' });
  expect((await ask('DELETE', '/v1/nodes/new')).status).toBe(204);
  // Its driver fails when it is to forget the node, with the password.
  expect((await ask('DELETE', '/v1/nodes/leaky-2')).status).toBe(204);
});

describe('nothing of all that is', () => {
  test('in an answer', () => {
    expect(answers.length).toBeGreaterThan(100);
    expect(found(answers.join('\n'))).toEqual([]);
  });

  test('in the database or its log, while the service runs', () => {
    expect(files().map(({ name }) => name)).toEqual(expect.arrayContaining(['passthru.db', 'passthru.db-wal']));
    expect(files().flatMap(({ name, content }) => found(content).map((what) => `${name}: ${what}`))).toEqual([]);
  });

  test('in what the service writes to its outputs, up to an exception that nobody catches', async () => {
    await call('leaky', 'crashes').catch(() => {});
    const { status, stdout, stderr } = await served.command.ended;
    expect(status).toBe(1);
    expect(stdout).toBe(`listening on ${served.url}\n`);
    expect(stderr).toContain('a promise failed that nobody waited for');
    expect(stderr).toContain('"level":"debug"');
    expect(found(stderr)).toEqual([]);
    expect(stderr).not.toContain(MARKERS.idempotency);
  });

  test('left in a file after it', () => {
    expect(files().flatMap(({ name, content }) => found(content).map((what) => `${name}: ${what}`))).toEqual([]);
    expect(readdirSync(directory).sort()).toEqual([
      'leakyDriver.mjs',
      'nodes.yaml',
      'passthru.yaml',
      'secrets.key',
      'state',
      'users',
    ]);
  });
});

describe("the service's own secrets do not show when it", () => {
  const settings = { PASSTHRU_STORE: 'sqlite::memory:', PASSTHRU_LISTEN: '127.0.0.1:0', PASSTHRU_LOG_LEVEL: 'trace' };

  test('cannot reach Keystone', async () => {
    const service = await serve([], {
      ...settings,
      PASSTHRU_AUTH_TYPE: 'keystone',
      PASSTHRU_AUTH_KEYSTONE_AUTH_URL: 'http://127.0.0.1:9',
      PASSTHRU_AUTH_KEYSTONE_USERNAME: 'passthru',
      PASSTHRU_AUTH_KEYSTONE_PASSWORD: MARKERS.keystone,
    });
    const answer = await fetch(`${service.url}/v1/nodes`, { headers: { 'x-auth-token': MARKERS.bearer } });
    const text = `${JSON.stringify([...answer.headers])} ${await answer.text()}`;
    expect(answer.status).toBe(503);
    const { stdout, stderr } = await service.stop();
    expect(stderr).toContain('Keystone failed');
    expect(found(text + stdout + stderr)).toEqual([]);
  });

  test.each<[what: string, settings: NodeJS.ProcessEnv]>([
    ['cannot reach PostgreSQL', { PASSTHRU_STORE: `postgres://u:${MARKERS.postgres}@127.0.0.1:9/db` }],
    ['is given a bad URL', { PASSTHRU_STORE: `postgres://u:${MARKERS.postgres}@127.0.0.1:9/db?sslmod=x` }],
    ['is given another bad URL', { PASSTHRU_STORE: `postgres://u:${MARKERS.postgres}/@127.0.0.1:x/db` }],
    ['is given a bad key', { PASSTHRU_SECRETS_ENCRYPTION_KEYS: MARKERS.keyFile }],
    ['is given a misspelt variable', { PASSTHRU_AUTH_KEYSTONE_PASSWORT: MARKERS.keystone }],
  ])('%s', async (_what, more) => {
    const { status, stdout, stderr } = await passthru(['serve'], { ...settings, ...more });
    expect(status).toBe(1);
    expect(found(stdout + stderr)).toEqual([]);
  });

  test.each([
    { auth: { type: 'keystone', keystone: { passwort: MARKERS.keystone, password: [MARKERS.keystone] } } },
    { secrets: { encryption_keys: [MARKERS.keyFile], encryption_key: MARKERS.keyFile } },
    { nodes_file: 'nodes-wrong.yaml' },
    { secrets: { key_file: 'wrong.key' } },
  ])('is given the file %o', async (config) => {
    writeFileSync(join(directory, 'wrong.key'), MARKERS.keyFile);
    const nodes = [{ name: 'x', driver: 'redfish', driver_info: MARKERS.body, password: MARKERS.body }];
    writeFileSync(join(directory, 'nodes-wrong.yaml'), JSON.stringify({ nodes }));
    writeFileSync(join(directory, 'wrong.yaml'), JSON.stringify(config));
    const command = startPassthru(['serve', '--config', join(directory, 'wrong.yaml')], settings);
    const { status, stdout, stderr } = await command.ended;
    expect(status).toBe(1);
    expect(found(stdout + stderr)).toEqual([]);
  });
});
