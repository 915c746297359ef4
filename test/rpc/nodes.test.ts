import type { MessageInitShape } from '@bufbuild/protobuf';
import { type Client, Code, ConnectError, createClient } from '@connectrpc/connect';
import { createGrpcTransport } from '@connectrpc/connect-node';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { ErrorReason, ReservationKind } from '../../gen/passthru/v1/error_pb.ts';
import { NodeService, type UpdateNodeRequestSchema } from '../../gen/passthru/v1/node_pb.ts';
import { PassthruService } from '../../gen/passthru/v1/passthru_pb.ts';
import { detailOf } from './clients.ts';
import { startTestService, type TestService } from './service.ts';

let service: TestService;
let nodes: Client<typeof NodeService>;

beforeEach(async () => {
  service = await startTestService();
  nodes = createClient(NodeService, createGrpcTransport({ baseUrl: service.url }));
});
afterEach(() => service[Symbol.asyncDispose]());

async function refusedField(promise: Promise<unknown>): Promise<string | undefined> {
  const error = await promise.catch((thrown) => thrown);
  expect(ConnectError.from(error).code).toBe(Code.InvalidArgument);
  return detailOf(error).violations[0]?.field;
}

test('a created node is returned with its defaults, its secrets masked', async () => {
  const driverInfo = { test_address: 'x', test_password: 'hunter2' };
  const { node } = await nodes.createNode({ node: { name: 'n1', driver: 'test', driverInfo, lastError: 'ignored' } });
  expect(node).toMatchObject({
    name: 'n1',
    vendorInterface: 'test',
    driverInfo: { test_address: 'x', test_password: '******' },
    lastError: '',
  });
  expect(node?.reservation).toBeUndefined();
  expect((await service.core.nodes.get('n1')).driverInfo).toEqual(driverInfo);
  expect((await nodes.getNode({ node: node!.uuid })).node).toEqual(node);
});

test('a node without a driver, with a taken name or a mask as a secret is refused', async () => {
  expect(await refusedField(nodes.createNode({}))).toBe('node');
  expect(await refusedField(nodes.createNode({ node: { name: 'n1' } }))).toBe('node.driver');
  const masked = { name: 'n1', driver: 'test', driverInfo: { test_password: '******' } };
  expect(await refusedField(nodes.createNode({ node: masked }))).toBe('driver_info.test_password');
  const notJson = { name: 'n1', driver: 'test', extra: { value: Number.NaN } };
  expect(await refusedField(nodes.createNode({ node: notJson }))).toBe('node.extra');
  await nodes.createNode({ node: { name: 'n1', driver: 'test' } });
  const taken = await nodes.createNode({ node: { name: 'n1', driver: 'test' } }).catch((thrown) => thrown);
  expect(taken.code).toBe(Code.AlreadyExists);
});

describe('pages of nodes', () => {
  beforeEach(async () => {
    for (const name of ['a', 'b', 'c', 'd', 'e']) await service.createNode(name);
  });

  test('are in the order of enrolment until the token is empty', async () => {
    const names: string[][] = [];
    let pageToken = '';
    do {
      const page = await nodes.listNodes({ pageSize: 2, pageToken });
      names.push(page.nodes.map((node) => node.name));
      pageToken = page.nextPageToken;
    } while (pageToken !== '');
    expect(names).toEqual([['a', 'b'], ['c', 'd'], ['e']]);
  });

  test('are filtered by maintenance', async () => {
    await nodes.updateNode({ node: 'c', values: { maintenance: true }, updateMask: { paths: ['maintenance'] } });
    const found = await nodes.listNodes({ maintenance: true });
    expect(found.nodes.map((node) => node.name)).toEqual(['c']);
    expect((await nodes.listNodes({ maintenance: false })).nodes).toHaveLength(4);
    expect((await nodes.listNodes({ driver: 'other' })).nodes).toHaveLength(0);
  });

  test('an invalid page_size or page_token is named', async () => {
    expect(await refusedField(nodes.listNodes({ pageSize: -1 }))).toBe('page_size');
    expect(await refusedField(nodes.listNodes({ pageSize: 1001 }))).toBe('page_size');
    const { nextPageToken } = await nodes.listNodes({ pageSize: 1 });
    for (const pageToken of ['x', 'bm9kZXM6YQ', `${nextPageToken}=`, '../..']) {
      expect(await refusedField(nodes.listNodes({ pageToken }))).toBe('page_token');
    }
    await nodes.deleteNode({ node: 'a' });
    expect(await refusedField(nodes.listNodes({ pageToken: nextPageToken }))).toBe('page_token');
  });
});

describe('UpdateNode', () => {
  const update = (paths: string[], values: MessageInitShape<typeof UpdateNodeRequestSchema>['values'] = {}) =>
    nodes.updateNode({ node: 'n1', values, updateMask: { paths } });

  beforeEach(async () => {
    const driverInfo = { test_address: 'x', test_password: 'hunter2', 'a.b': 1 };
    await nodes.createNode({
      node: { name: 'n1', driver: 'test', description: 'old', driverInfo, extra: { rack: 7 } },
    });
  });

  test('changes the fields in the mask and no others', async () => {
    const { node } = await update(['description', 'extra'], { description: 'new', extra: { row: 1 }, name: 'n2' });
    expect(node).toMatchObject({ name: 'n1', description: 'new', extra: { row: 1 } });
    expect(node?.updateTime).toBeDefined();
  });

  test('changes, adds and removes single members of any name', async () => {
    const extra = JSON.parse('{"__proto__": {"x": 1}}');
    const driverInfo = { test_address: 'y', 'a.b': 2 };
    await update(['driver_info.test_address', 'driver_info.a.b', 'extra.__proto__', 'extra.rack', 'properties.cpus'], {
      driverInfo,
      extra,
      properties: { cpus: 4, ignored: 1 },
    });
    const node = await service.core.nodes.get('n1');
    expect(node.driverInfo).toEqual({ test_address: 'y', test_password: 'hunter2', 'a.b': 2 });
    expect(Object.entries(node.extra)).toEqual([['__proto__', { x: 1 }]]);
    expect(node.properties).toEqual({ cpus: 4 });
  });

  test('removes fields absent from values; a vendor interface is reset to the default', async () => {
    await update(['vendor_interface'], { vendorInterface: 'no-vendor' });
    const { node } = await update(['description', 'vendor_interface', 'extra', 'driver_info.test_password']);
    expect(node).toMatchObject({ description: '', vendorInterface: 'test', extra: {} });
    expect(node?.driverInfo).toEqual({ test_address: 'x', 'a.b': 1 });
  });

  test.each([
    [[]],
    [['uuid']],
    [['reservation']],
    [['driver_info.']],
    [['name.x']],
    [['constructor']],
    [['description', 'nope']],
  ])('refuses the mask %j and changes nothing', async (paths) => {
    expect(await refusedField(update(paths, { description: 'new' }))).toBe('update_mask');
    expect((await nodes.getNode({ node: 'n1' })).node?.description).toBe('old');
  });

  test('a locked node is ABORTED', async () => {
    await nodes.lockNode({ node: 'n1', holder: 'alice' });
    const error = await update(['description']).catch((thrown) => thrown);
    expect([error.code, detailOf(error).lock?.holder]).toEqual([Code.Aborted, 'alice']);
  });
});

test('a lock is shown, waits for its turn, and is released by UnlockNode', async () => {
  await service.createNode('n1');
  const { node } = await nodes.lockNode({ node: 'n1' });
  expect(node?.reservation).toMatchObject({ holder: 'anonymous', method: '' });
  const second = nodes.lockNode({ node: 'n1', holder: 'bob', lockWait: { seconds: 30n } });
  await nodes.unlockNode({ node: 'n1' });
  expect((await second).node?.reservation?.holder).toBe('bob');
  await nodes.unlockNode({ node: 'n1' });
  expect((await nodes.unlockNode({ node: 'n1' })).node?.reservation).toBeUndefined();
});

test('UnlockNode does not release the reservation of a running call', async () => {
  await service.createNode('n1');
  const passthru = createClient(PassthruService, createGrpcTransport({ baseUrl: service.url }));
  const { outcome } = await passthru.callNodeMethod({ node: 'n1', method: 'job_of_two_steps' });
  const error = await nodes.unlockNode({ node: 'n1' }).catch((thrown) => thrown);
  expect(error.code).toBe(Code.FailedPrecondition);
  expect(detailOf(error)).toMatchObject({
    reason: ErrorReason.FAILED_PRECONDITION,
    lock: { holder: 'localhost', job: outcome.case === 'job' ? outcome.value.id : '' },
  });
});

describe('a reservation key', () => {
  const passthru = () => createClient(PassthruService, createGrpcTransport({ baseUrl: service.url }));
  const call = (reservationKey: string) =>
    passthru().callNodeMethod({
      node: 'n1',
      method: 'echo',
      arguments: { value: 1 },
      lockWait: { seconds: 0n },
      reservationKey,
    });

  test('is returned by LockNode once, and lets calls run within the reservation', async () => {
    await service.createNode('n1');
    const locked = await nodes.lockNode({ node: 'n1', reason: 'firmware', duration: { seconds: 900n } });
    expect(locked.reservationKey).toMatch(/^passthru_rsv_[\w-]{32}$/);
    const { reservation } = locked.node!;
    expect(reservation).toMatchObject({ kind: ReservationKind.HELD, reason: 'firmware', method: '' });
    expect(Number(reservation!.expireTime!.seconds - reservation!.since!.seconds)).toBeGreaterThan(800);
    expect((await call(locked.reservationKey)).outcome.case).toBe('result');
    expect((await nodes.getNode({ node: 'n1' })).node?.reservation).toEqual(reservation);
    const refused = await call('').catch((thrown) => thrown);
    expect(refused.code).toBe(Code.Aborted);
    expect(detailOf(refused).lock).toMatchObject({ holder: 'anonymous', reason: 'firmware' });
    expect(detailOf(refused).lock?.expireTime).toEqual(reservation!.expireTime);
  });

  test('renews the reservation and ends it, and is refused afterwards', async () => {
    await service.createNode('n1');
    const { reservationKey } = await nodes.lockNode({ node: 'n1', duration: { seconds: 60n } });
    const renewed = await nodes.renewLock({ node: 'n1', reservationKey });
    expect(renewed.node?.reservation?.expireTime).toBeUndefined();
    const unlocked = await nodes.unlockNode({ node: 'n1', reservationKey });
    expect(unlocked.node?.reservation).toBeUndefined();
    for (const attempt of [
      () => call(reservationKey),
      () => nodes.renewLock({ node: 'n1', reservationKey }),
      () => nodes.unlockNode({ node: 'n1', reservationKey }),
    ]) {
      const error = await attempt().catch((thrown: unknown) => thrown as ConnectError);
      expect(error).toMatchObject({ code: Code.FailedPrecondition });
      expect(detailOf(error as ConnectError).reason).toBe(ErrorReason.RESERVATION_ENDED);
      expect((error as ConnectError).message).not.toContain(reservationKey);
    }
  });

  test.each([
    ['reservation_key', () => call('passthru_rsv_0')],
    ['reservation_key', () => nodes.unlockNode({ node: 'n1', reservationKey: 'passthru_rsv_0' })],
    ['duration', () => nodes.lockNode({ node: 'n1', duration: { seconds: 0n } })],
    ['duration', () => nodes.lockNode({ node: 'n1', duration: { seconds: -1n } })],
    ['duration', () => nodes.lockNode({ node: 'n1', duration: { seconds: 86_401n } })],
    ['duration', () => nodes.renewLock({ node: 'n1', duration: { seconds: 86_401n } })],
    ['reason', () => nodes.lockNode({ node: 'n1', reason: 'x'.repeat(256) })],
  ])('an invalid %s is INVALID_ARGUMENT with that field (%#)', async (field, attempt) => {
    await service.createNode('n1');
    const error = await (attempt() as Promise<unknown>).catch((thrown: unknown) => thrown as ConnectError);
    expect(error).toMatchObject({ code: Code.InvalidArgument });
    expect(detailOf(error as ConnectError).violations).toMatchObject([{ field }]);
    expect((error as ConnectError).message).not.toContain('passthru_rsv_0');
  });
});
