import { describe, expect, test } from 'vitest';
import { ANONYMOUS } from '../../../src/core/caller.ts';
import { PassthruError } from '../../../src/core/errors.ts';
import type { Json } from '../../../src/core/json.ts';
import { type CallReport, NO_OBSERVER } from '../../../src/core/observer.ts';
import { sampleNode } from '../../store/samples.ts';
import { driverCall, nodeCall, openMemoryStore, operator, startCore, startCoreOn } from '../harness.ts';

describe('a synchronous call', () => {
  test('returns the result of the method', async () => {
    const { core, hardware } = await startCore();
    const outcome = core.callNodeMethod(nodeCall('exclusive', { arguments: { word: 'a' } }));
    const call = await hardware.call(0);
    expect(call.args).toEqual({ word: 'a' });
    call.finish({ ok: true });
    expect(await outcome).toEqual({ kind: 'result', result: { ok: true } });
  });

  test('is allowed on a node in maintenance', async () => {
    const { core, hardware } = await startCore();
    await core.nodes.update('n1', () => ({ maintenance: true }), operator, new AbortController().signal);
    const outcome = core.callNodeMethod(nodeCall('exclusive'));
    (await hardware.call(0)).finish('done');
    expect(await outcome).toEqual({ kind: 'result', result: 'done' });
  });

  test('reserves the node until its handler has ended, and no longer', async () => {
    const { core, hardware } = await startCore();
    const outcome = core.callNodeMethod(nodeCall('exclusive'));
    const call = await hardware.call(0);
    expect((await core.nodes.get('n1')).reservation).toMatchObject({
      holder: 'host-a',
      kind: 'call',
      method: 'exclusive',
      requestedBy: 'operator',
    });
    call.finish(null);
    await outcome;
    expect((await core.nodes.get('n1')).reservation).toBeNull();
  });

  test('ends at once when its caller disconnects, and frees the node when the handler has stopped', async () => {
    const { core, hardware } = await startCore();
    const caller = new AbortController();
    const outcome = core.callNodeMethod(nodeCall('exclusive', { signal: caller.signal }));
    const call = await hardware.call(0);
    const gone = new PassthruError('deadline_exceeded', 'too late');
    caller.abort(gone);
    await expect(outcome).rejects.toBe(gone);
    expect(call.task.signal.reason).toBe(gone);
    // The next exclusive call gets the node once the first handler has stopped.
    const next = core.callNodeMethod(nodeCall('exclusive', { lockWait: 10_000 }));
    (await hardware.call(1)).finish(1);
    expect(await next).toEqual({ kind: 'result', result: 1 });
  });

  test('of a method without an exclusive lock runs during an exclusive one', async () => {
    const { core, hardware } = await startCore();
    const first = core.callNodeMethod(nodeCall('exclusive'));
    await hardware.call(0);
    const second = core.callNodeMethod(nodeCall('shared'));
    (await hardware.call(1)).finish('shared');
    expect(await second).toEqual({ kind: 'result', result: 'shared' });
    (await hardware.call(0)).finish(null);
    await first;
  });

  test('returns null without a result, and the bytes of an attachment', async () => {
    const { core, hardware } = await startCore();
    const call = core.callNodeMethod(nodeCall('exclusive'));
    (await hardware.call(0)).finish(undefined as unknown as Json);
    expect(await call).toEqual({ kind: 'result', result: null });
    const attached = await core.callNodeMethod(nodeCall('attachment'));
    expect(attached).toMatchObject({
      kind: 'attachment',
      attachment: { mediaType: 'text/csv', fileName: 'table.csv' },
    });
  });

  test('fails when its result nests deeper than 30 levels', async () => {
    const { core, hardware } = await startCore();
    const outcome = core.callNodeMethod(nodeCall('exclusive'));
    (await hardware.call(0)).finish(nested(31));
    await expect(outcome).rejects.toMatchObject({ kind: 'bmc_failed' });
    expect((await core.nodes.get('n1')).reservation).toBeNull();
  });
});

describe('the checks of a call come in one order', () => {
  // Each case fails in its own check and in every later one; the caller gets the earlier error.
  const bad = { count: 'x' };
  test.each([
    [
      'an ident that is neither a UUID nor a name',
      { node: 'bad name', method: 'nope' },
      'invalid_argument',
      'Expected UUID or name for node_ident: bad name',
    ],
    ['an unknown node', { node: 'absent', method: 'nope' }, 'node_not_found', 'Node absent could not be found.'],
    ['no method', { method: null, httpMethod: 'GET' }, 'invalid_argument', 'Missing mandatory parameter: method'],
    ['an empty method', { method: '', httpMethod: 'GET' }, 'invalid_argument', 'Method not specified'],
    ['an unknown method', { method: 'nope', httpMethod: 'GET' }, 'unknown_method', 'No handler for method nope'],
    [
      'a verb that the method lacks',
      { method: 'work', httpMethod: 'GET' },
      'verb_not_allowed',
      'The method work does not support HTTP GET',
    ],
    [
      'no free worker',
      { method: 'work' },
      'no_free_worker',
      'Requested action cannot be performed due to lack of free workers: all 1 are busy. Try again later.',
    ],
    ['a locked node', { method: 'exclusive' }, 'node_locked', 'is locked by host conductor-b'],
    [
      'bad arguments',
      { method: 'shared' },
      'invalid_argument',
      "Method shared: argument 'count' must be a number, not a string",
    ],
  ])('%s', async (_, given, kind, message) => {
    const { core, hardware } = await startCore(['n1', 'n2'], { workers: 1 });
    await core.callNodeMethod(nodeCall('work', { node: 'n2' }));
    await hardware.call(0);
    await core.nodes.lock('n1', {
      holder: 'conductor-b',
      lockWait: 0,
      caller: operator,
      signal: AbortSignal.timeout(9_000),
    });
    const call = nodeCall(given.method, { ...given, arguments: bad, lockWait: 0 });
    await expect(core.callNodeMethod(call)).rejects.toMatchObject({ kind, message: expect.stringContaining(message) });
    expect(hardware.calls).toHaveLength(1);
  });
});

describe('bad arguments', () => {
  test.each([
    ['an unknown one', { extra: 1 }, 'Unexpected arguments: extra'],
    ['a name of the language', JSON.parse('{"__proto__": {"word": "a"}}'), 'Unexpected arguments: __proto__'],
    ['another name of the language', { constructor: 1 }, 'Unexpected arguments: constructor'],
    ['one of the wrong type', { word: 5 }, "argument 'word' must be a string, not a number"],
    ['one nested deeper than 30 levels', { any: nested(30) }, 'arguments nest deeper than 30 levels'],
  ])('%s is refused by name, and nothing runs', async (_, args, message) => {
    const { core, hardware } = await startCore();
    await expect(core.callNodeMethod(nodeCall('work', { arguments: args }))).rejects.toMatchObject({
      kind: 'invalid_argument',
      message: expect.stringContaining(message),
      violations: [{ field: expect.stringMatching(/^arguments/) }],
    });
    expect(hardware.calls).toHaveLength(0);
    expect((await core.nodes.get('n1')).reservation).toBeNull();
    const { items } = await core.jobs.list(
      { limit: 10, olderThan: null, node: null, driver: null, state: null },
      ANONYMOUS,
    );
    expect(items).toEqual([]);
  });

  test('30 levels are accepted, and null counts as absent', async () => {
    const { core, hardware } = await startCore();
    const outcome = core.callNodeMethod(nodeCall('shared', { arguments: { any: nested(29), word: null } }));
    const call = await hardware.call(0);
    expect(call.args).not.toHaveProperty('word');
    call.finish(null);
    await outcome;
  });

  test('an invalid node is refused by its vendor interface before the method runs', async () => {
    const { core, hardware } = await startCore([]);
    await core.nodes.create({ name: 'n1', driver: 'gated', driverInfo: { broken: true } }, operator);
    await expect(core.callNodeMethod(nodeCall('exclusive'))).rejects.toMatchObject({ kind: 'invalid_argument' });
    expect(hardware.calls).toHaveLength(0);
  });
});

test('a method with several verbs requires one of them', async () => {
  const { core, hardware } = await startCore();
  await expect(core.callNodeMethod(nodeCall('both_verbs'))).rejects.toMatchObject({
    message: 'method both_verbs supports GET, POST; choose one',
  });
  const outcome = core.callNodeMethod(nodeCall('both_verbs', { httpMethod: 'get' }));
  const call = await hardware.call(0);
  expect(call.task.httpMethod).toBe('GET');
  call.finish(null);
  await outcome;
});

test('a driver method runs without a node and without a lock', async () => {
  const { core, hardware } = await startCore();
  const outcome = await core.callDriverMethod(driverCall('survey'));
  expect(outcome).toMatchObject({ kind: 'job', job: { nodeUuid: null, driver: 'gated', method: 'survey' } });
  (await hardware.call(0)).finish(null);
  await expect(core.callDriverMethod(driverCall('survey', { driver: 'nope' }))).rejects.toMatchObject({
    kind: 'driver_not_found',
    message: "The driver 'nope' is unknown.",
  });
});

test('a call of a node whose hardware type is not loaded reports the node by its UUID and name', async () => {
  const store = await openMemoryStore();
  const node = sampleNode({ name: 'n1', driver: 'removed' });
  await store.createNode(node);
  const reports: CallReport[] = [];
  const observer = { ...NO_OBSERVER, callEnded: (report: CallReport) => void reports.push(report) };
  const { core } = await startCoreOn(store, 'host-a', {}, observer);
  await expect(core.callNodeMethod(nodeCall('exclusive'))).rejects.toMatchObject({ kind: 'driver_not_found' });
  expect(reports).toMatchObject([{ node: { uuid: node.uuid, name: 'n1' } }]);
});

test('an unexpected error of a method leaves the node free', async () => {
  const { core } = await startCore();
  await expect(core.callNodeMethod(nodeCall('defect'))).rejects.toThrow();
  expect((await core.nodes.get('n1')).reservation).toBeNull();
});

test('a call that waited for the lock gets the node as it is then', async () => {
  const { core, hardware } = await startCore();
  await core.nodes.lock('n1', { holder: 'x', lockWait: 0, caller: operator, signal: AbortSignal.timeout(9_000) });
  const update = core.nodes.update('n1', () => ({ extra: { changed: true } }), operator, AbortSignal.timeout(9_000));
  const outcome = core.callNodeMethod(nodeCall('exclusive', { lockWait: 10_000 }));
  await core.nodes.unlock('n1', operator);
  await update;
  const call = await hardware.call(0);
  expect(call.task).toMatchObject({ node: { extra: { changed: true } } });
  call.finish(null);
  await outcome;
});

function nested(levels: number): Json {
  return levels === 0 ? 1 : [nested(levels - 1)];
}
