import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { request } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createClient } from '@connectrpc/connect';
import { createGrpcTransport } from '@connectrpc/connect-node';
import { hashSync } from 'bcryptjs';
import { afterAll, afterEach, beforeAll, describe, expect, test, vi } from 'vitest';
import { JobService } from '../../gen/passthru/v1/job_pb.ts';
import { NodeService } from '../../gen/passthru/v1/node_pb.ts';
import { PassthruService } from '../../gen/passthru/v1/passthru_pb.ts';
import { type AuditRecord, auditRecord } from '../../src/observe/auditRecord.ts';
import { limitRefusals, MAX_RECORDED, WINDOW } from '../../src/observe/refusalLimit.ts';
import { MAX_ARGUMENTS_LENGTH, type ObservedService, startObserved } from './observedService.ts';

const SECRET = 'marker-hunter2';
const CALL = '/v1/nodes/fake-1/vendor_passthru/';

const SETTINGS = () => ({
  PASSTHRU_AUTH_TYPE: 'http_basic',
  PASSTHRU_AUTH_DEFAULT_ROLE: 'admin',
  PASSTHRU_AUTH_HTTP_BASIC_AUTH_USER_FILE: join(folder, 'users'),
  PASSTHRU_AUTH_ROLES: 'olaf=operator, rita=reader',
  PASSTHRU_AUTH_RULES: '[{"driver": "fake-hardware", "method": "fourth_method_shared_lock", "role": "admin"}]',
  PASSTHRU_FAKE_VENDOR_DELAY: '20ms',
});

let folder: string;
let observed: ObservedService;
beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), 'passthru-audit-'));
  const users = join(folder, 'users');
  writeFileSync(users, ['ann', 'olaf', 'rita'].map((name) => `${name}:${hashSync(SECRET, 4)}\n`).join(''));
  observed = await startObserved(SETTINGS());
});
afterAll(async () => {
  await observed[Symbol.asyncDispose]();
  rmSync(folder, { recursive: true });
});
afterEach(() => {
  expect(JSON.stringify(observed.records)).not.toContain(SECRET);
  observed.records.length = 0;
});

const as = (user: string) => ({ Authorization: `Basic ${Buffer.from(`${user}:${SECRET}`).toString('base64')}` });
const nodeUuid = async () => (await observed.service.core.nodes.get('fake-1')).uuid;
const rpc = () => createGrpcTransport({ baseUrl: observed.service.url });

/** Returns a record whose other members are null. */
function record(given: Record<string, unknown>) {
  return {
    audit: true,
    request_id: expect.stringMatching(/^req-/),
    way: 'rest',
    peer: '127.0.0.1',
    caller: null,
    role: null,
    action: null,
    method: null,
    http_method: null,
    node: null,
    node_name: null,
    driver: null,
    job: null,
    arguments: null,
    duration_ms: expect.any(Number),
    more: null,
    ...given,
  };
}

test('a call is one record with caller, method, node, arguments and outcome', async () => {
  const response = await observed.send('POST', `${CALL}third_method_sync`, { bar: 'meow' }, as('olaf'));
  expect(response.status).toBe(200);
  const call = record({
    request_id: response.headers.get('OpenStack-Request-Id'),
    caller: 'olaf',
    role: 'operator',
    action: 'call a method',
    method: 'third_method_sync',
    http_method: 'POST',
    node: await nodeUuid(),
    node_name: 'fake-1',
    driver: 'fake-hardware',
    arguments: { bar: 'meow' },
    outcome: 'result',
  });
  expect(observed.records).toEqual([call]);
  // Tools rely on the keys and their order.
  expect(Object.keys(observed.records[0]!)).toEqual([
    'audit',
    'request_id',
    'way',
    'peer',
    'caller',
    'role',
    'action',
    'method',
    'http_method',
    'node',
    'node_name',
    'driver',
    'job',
    'arguments',
    'outcome',
    'duration_ms',
    'more',
  ]);
  expect(observed.records[0]!.duration_ms).toBeGreaterThanOrEqual(15);
});

test('the records of an asynchronous call and of its cancellation have the job', async () => {
  const response = await observed.send('POST', `${CALL}second_method`, { bar: 'kazoo' }, as('olaf'));
  const job = response.headers.get('Passthru-Job-Id');
  expect(observed.records).toMatchObject([{ outcome: 'job', job, method: 'second_method' }]);
  await observed.send('DELETE', `/v1/jobs/${job}`, undefined, as('olaf'));
  const jobs = createClient(JobService, rpc());
  await expect(jobs.cancelJob({ jobId: 'x' }, { headers: as('ann') })).rejects.toThrow();
  expect(observed.records.slice(1)).toMatchObject([
    { action: 'cancel a job', job, caller: 'olaf', driver: 'fake-hardware', outcome: 'done' },
    { action: 'cancel a job', job: 'x', caller: 'ann', way: 'grpc', outcome: 'job_not_found' },
  ]);
});

test('a failed call has the kind of its error', async () => {
  await observed.send('POST', `${CALL}third_method_sync`, { wrong: 1 }, as('olaf'));
  await observed.send('POST', `${CALL}no_such_method`, {}, as('olaf'));
  await observed.send('POST', '/v1/nodes/absent/vendor_passthru/third_method_sync', {}, as('olaf'));
  expect(observed.records).toMatchObject([
    { outcome: 'invalid_argument', driver: 'fake-hardware', method: 'third_method_sync' },
    { outcome: 'unknown_method', driver: 'fake-hardware', method: 'no_such_method' },
    { outcome: 'node_not_found', driver: null, node: 'absent' },
  ]);
});

test('records a call refused by the role or by a rule for the method', async () => {
  await observed.send('POST', `${CALL}third_method_sync`, { bar: 'meow' }, as('rita'));
  await observed.send('POST', `${CALL}fourth_method_shared_lock`, { bar: 'meow' }, as('olaf'));
  await observed.send('DELETE', '/v1/nodes/fake-1', undefined, as('olaf'));
  expect(observed.records).toMatchObject([
    { outcome: 'permission_denied', caller: 'rita', role: 'reader', action: 'call a method' },
    { outcome: 'permission_denied', caller: 'olaf', action: 'call a method', method: 'fourth_method_shared_lock' },
    { outcome: 'permission_denied', caller: 'olaf', action: 'remove a node', node: 'fake-1' },
  ]);
});

test('a refusal by the role names the node, driver, method and job that the caller named, over REST and RPC', async () => {
  const named = async (refused: Promise<unknown>) => {
    await refused.catch(() => {});
    const { node, driver, method, job } = observed.records.at(-1)!;
    return Object.fromEntries(Object.entries({ node, driver, method, job }).filter(([, value]) => value !== null));
  };
  const asReader = createGrpcTransport({
    baseUrl: observed.service.url,
    interceptors: [
      (next) => (sent) => {
        sent.header.set('Authorization', as('rita').Authorization);
        return next(sent);
      },
    ],
  });
  const [nodes, calls] = [createClient(NodeService, asReader), createClient(PassthruService, asReader)];
  const rest = (verb: string, path: string, caller: string) => observed.send(verb, path, {}, as(caller));
  const call = { node: 'fake-1', method: 'third_method_sync' };
  expect(await named(rest('PUT', '/v1/nodes/fake-1/reservation', 'rita'))).toEqual({ node: 'fake-1' });
  expect(await named(rest('DELETE', '/v1/jobs/no-job', 'rita'))).toEqual({ job: 'no-job' });
  expect(await named(nodes.deleteNode({ node: 'fake-1' }))).toEqual({ node: 'fake-1' });
  // The node is not yet one: a message in place of a name.
  expect(await named(nodes.createNode({ node: { driver: 'fake-hardware' } }))).toEqual({});
  expect(await named(calls.callNodeMethod(call))).toMatchObject(call);
  // Unauthenticated, only REST has the words before it knows the caller.
  const unknown = { Authorization: `Basic ${Buffer.from('ann:wrong').toString('base64')}` };
  const path = '/v1/nodes/fake-1/vendor_passthru?method=third_method_sync';
  expect(await named(observed.send('POST', path, {}, unknown))).toEqual(call);
  expect(await named(observed.send('GET', '/v1/drivers/fake-hardware', undefined, unknown))).toEqual({
    driver: 'fake-hardware',
  });
});

test("records a refused cancellation of another caller's job", async () => {
  const response = await observed.send('POST', `${CALL}second_method`, { bar: 'kazoo' }, as('ann'));
  const job = response.headers.get('Passthru-Job-Id');
  expect((await observed.send('DELETE', `/v1/jobs/${job}`, undefined, as('olaf'))).status).toBe(403);
  expect(observed.records.at(-1)).toMatchObject({ action: 'cancel a job', job, outcome: 'permission_denied' });
  await observed.send('DELETE', `/v1/jobs/${job}`, undefined, as('ann'));
});

test('records an unauthenticated request, over REST and RPC', async () => {
  await observed.send('GET', '/v1/nodes');
  await observed.send(
    'POST',
    '/v1/nodes',
    {},
    { Authorization: `Basic ${Buffer.from('ann:wrong').toString('base64')}` },
  );
  const client = createClient(NodeService, rpc());
  await expect(client.getNode({ node: 'fake-1' })).rejects.toThrow();
  expect(observed.records).toEqual([
    record({ action: 'list nodes', outcome: 'unauthenticated' }),
    record({ action: 'enrol a node', outcome: 'unauthenticated' }),
    record({ action: 'show a node', outcome: 'unauthenticated', way: 'grpc' }),
  ]);
});

test.each<[string, string, Record<string, string>, string, string, object?]>([
  ['POST', '/v1/nodes', {}, 'rest', 'enrol a node'],
  [
    ...(['GET', `${CALL}third_method_sync`, {}, 'rest', 'call a method'] as const),
    { node: 'fake-1', method: 'third_method_sync' },
  ],
  ['POST', '/passthru.v1.NodeService/GetNode', { 'Content-Type': 'application/json' }, 'connect', 'show a node'],
])('records a refused web origin: %s %s', async (verb, path, headers, way, action, subject = {}) => {
  const origin = { Origin: 'https://evil.example', ...headers };
  const response = await observed.send(verb, path, verb === 'GET' ? undefined : {}, { ...as('ann'), ...origin });
  expect(response.status).toBe(403);
  expect(observed.records).toEqual([
    record({
      request_id: response.headers.get('OpenStack-Request-Id'),
      ...{ way, action, outcome: 'permission_denied', ...subject },
    }),
  ]);
});

test('records a refused Host name, which anyone could point at this address', async () => {
  await using open = await startObserved();
  for (const path of ['/v1/nodes', '/passthru.v1.NodeService/GetNode']) {
    const status = await new Promise((resolve, reject) => {
      const headers = { Host: 'evil.example' };
      const sent = request(open.service.url + path, { method: 'POST', headers }, (response) => {
        resolve(response.resume().statusCode);
      });
      sent.on('error', reject).end();
    });
    expect(status).toBe(403);
  }
  expect(open.records.filter(({ outcome }) => outcome === 'permission_denied')).toMatchObject([
    { way: 'rest', caller: null, action: null },
    { way: 'connect', caller: null, action: 'show a node' },
  ]);
});

describe('a flood of refused requests', () => {
  test('is ten records and a summary, which shutdown writes at the latest', async () => {
    let records: AuditRecord[];
    {
      await using flooded = await startObserved(SETTINGS());
      records = flooded.records;
      records.length = 0;
      for (let count = 0; count < 60; count++) {
        await flooded.send('GET', '/v1/nodes');
        await flooded.send('DELETE', '/v1/nodes/fake-1', undefined, as('rita'));
      }
      await flooded.send('GET', '/v1/drivers');
      // Other refusals are still recorded one by one.
      await flooded.send('DELETE', '/v1/nodes/fake-1', undefined, as('olaf'));
      expect(records).toHaveLength(22);
      expect(records.every(({ more }) => more === null)).toBe(true);
    }
    expect(records.slice(22)).toEqual([
      record({ request_id: null, way: null, peer: null, action: 'list nodes', outcome: 'unauthenticated', more: 50 }),
      record({
        request_id: null,
        way: null,
        peer: null,
        caller: 'rita',
        role: 'reader',
        action: 'remove a node',
        outcome: 'permission_denied',
        more: 50,
      }),
    ]);
  });

  test('is counted each minute', () => {
    vi.useFakeTimers();
    try {
      const seen: AuditRecord[] = [];
      const refusals = limitRefusals((record) => void seen.push(record));
      const refused = auditRecord({ action: 'list nodes', caller: null, outcome: 'unauthenticated' });
      for (let count = 0; count < MAX_RECORDED + 3; count++) refusals.record(refused);
      vi.advanceTimersByTime(WINDOW);
      expect(seen.map(({ more }) => more)).toEqual([...Array(MAX_RECORDED).fill(null), 3]);
      refusals.record(refused);
      vi.advanceTimersByTime(WINDOW);
      refusals.close();
      expect(seen).toHaveLength(MAX_RECORDED + 2);
    } finally {
      vi.useRealTimers();
    }
  });
});

test('truncates long texts of the caller', async () => {
  const client = createClient(NodeService, rpc());
  const node = { driver: 'fake-hardware', name: 'x'.repeat(100_000) };
  await expect(client.createNode({ node }, { headers: as('ann') })).rejects.toThrow();
  expect(JSON.stringify(observed.records).length).toBeLessThan(2000);
});

test('records changes of a node, with the secrets of driver_info masked', async () => {
  const info = { redfish_address: 'https://bmc.example', redfish_password: SECRET };
  await observed.send('POST', '/v1/nodes', { name: 'new', driver: 'redfish', driver_info: info }, as('ann'));
  const change = [{ op: 'add', path: '/driver_info/redfish_password', value: `${SECRET}2` }];
  await observed.send('PATCH', '/v1/nodes/new', change, as('ann'));
  const client = createClient(NodeService, rpc());
  await client.lockNode({ node: 'new', holder: 'repair' }, { headers: as('olaf') });
  await observed.send('PATCH', '/v1/nodes/new', change, as('ann'));
  await client.unlockNode({ node: 'new' }, { headers: as('olaf') });
  await observed.send('DELETE', '/v1/nodes/new', undefined, as('ann'));
  const masked = { driver_info: { redfish_address: 'https://bmc.example', redfish_password: '******' } };
  const node = expect.stringMatching(/^[0-9a-f-]{36}$/);
  expect(observed.records).toMatchObject([
    {
      action: 'enrol a node',
      caller: 'ann',
      role: 'admin',
      node,
      node_name: 'new',
      arguments: masked,
      outcome: 'done',
    },
    { action: 'change a node', node, node_name: 'new', arguments: masked, outcome: 'done' },
    { action: 'lock a node', caller: 'olaf', way: 'grpc', node, arguments: { holder: 'repair' }, outcome: 'done' },
    { action: 'change a node', outcome: 'node_locked' },
    { action: 'unlock a node', caller: 'olaf', node, outcome: 'done' },
    { action: 'remove a node', node, driver: 'redfish', outcome: 'done' },
  ]);
});

test('records what is done with event sources, whatever its outcome', async () => {
  await using receiving = await startObserved({ PASSTHRU_EVENTS_LISTEN: '127.0.0.1:0' });
  const source = '/v1/nodes/rf-1/event_source';
  const selection = { registry_prefixes: ['ResourceEvent'] };
  const send = async (verb: string, path: string, body?: object) => (await receiving.send(verb, path, body)).status;
  expect(await send('PUT', source, { transport: 'push', selection })).toBe(200);
  await vi.waitFor(async () => expect(await send('POST', `${source}/test`)).toBe(200), { timeout: 30_000 });
  expect(await send('PUT', '/v1/nodes/fake-1/event_source', {})).toBe(409);
  expect(await send('DELETE', source)).toBe(204);
  expect(await send('DELETE', '/v1/nodes/nobody/event_source')).toBe(404);
  expect(await send('GET', '/v1/event_sources')).toBe(200);
  const { uuid } = await receiving.service.core.nodes.get('rf-1');
  const of = (action: string, outcome: string) =>
    receiving.records.filter((each) => each.action === action && each.outcome === outcome);
  const target = { node: uuid, node_name: 'rf-1', driver: 'redfish', caller: 'anonymous', way: 'rest' };
  expect(of('set an event source', 'done')).toMatchObject([
    {
      ...target,
      arguments: { transport: 'push', selection: { registry_prefixes: ['ResourceEvent'], message_ids: [] } },
    },
  ]);
  expect(of('test an event source', 'done')).toMatchObject([target]);
  expect(of('set an event source', 'failed_precondition')).toMatchObject([{ node_name: 'fake-1' }]);
  expect(of('delete an event source', 'done')).toMatchObject([target]);
  expect(of('delete an event source', 'node_not_found')).toMatchObject([{ node: 'nobody', node_name: null }]);
  expect(receiving.records.map(({ action }) => action)).not.toContain('list event sources');
});

test('reading leaves no record', async () => {
  for (const path of ['/v1/nodes', '/v1/jobs', `${CALL}methods`, '/metrics']) {
    expect((await observed.send('GET', path, undefined, as('rita'))).status).toBe(200);
  }
  expect(observed.records).toEqual([]);
});

test('masks secrets in arguments, and omits long or deeply nested arguments', async () => {
  const path = '/v1/drivers/redfish/vendor_passthru/discover';
  const address = observed.fleet.bmcs[0]!.url;
  await observed.send('POST', path, { address, username: 'u', password: SECRET }, as('olaf'));
  await observed.send('POST', `${CALL}third_method_sync`, { bar: 'x'.repeat(MAX_ARGUMENTS_LENGTH) }, as('olaf'));
  const client = createClient(NodeService, rpc());
  let deep: Record<string, unknown> = {};
  for (let depth = 0; depth < 40; depth++) deep = { deep };
  await expect(
    client.createNode({ node: { driver: 'redfish', extra: deep as never } }, { headers: as('ann') }),
  ).rejects.toThrow();
  expect(observed.records).toMatchObject([
    { driver: 'redfish', node: null, arguments: { address, username: 'u', password: '******' } },
    { method: 'third_method_sync', arguments: null },
    { action: 'enrol a node', arguments: null, outcome: 'invalid_argument' },
  ]);
});
