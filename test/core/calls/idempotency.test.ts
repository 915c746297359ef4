import { expect, test } from 'vitest';
import { PassthruError } from '../../../src/core/errors.ts';
import { nodeCall, startCore, startJob, watchToEnd } from '../harness.ts';

const key = { idempotencyKey: 'k-1' };

test('a repeated call runs once and returns the first outcome', async () => {
  const { core, hardware } = await startCore();
  const first = core.callNodeMethod(nodeCall('exclusive', key));
  (await hardware.call(0)).finish({ n: 1 });
  expect(await first).toEqual({ kind: 'result', result: { n: 1 } });
  expect(await core.callNodeMethod(nodeCall('exclusive', key))).toEqual({ kind: 'result', result: { n: 1 } });
  expect(hardware.calls).toHaveLength(1);
});

test('a repeat waits for the first call while that runs', async () => {
  const { core, hardware } = await startCore();
  const calls = [1, 2, 3].map(() => core.callNodeMethod(nodeCall('exclusive', key)));
  (await hardware.call(0)).finish('once');
  expect(await Promise.all(calls)).toEqual(Array(3).fill({ kind: 'result', result: 'once' }));
  expect(hardware.calls).toHaveLength(1);
});

test('a repeated asynchronous call returns the first job', async () => {
  const { core, hardware } = await startCore();
  const first = await startJob(core, nodeCall('work', key));
  (await hardware.call(0)).finish('done');
  await watchToEnd(core, first.id);
  expect(await startJob(core, nodeCall('work', key))).toMatchObject({ id: first.id, state: 'succeeded' });
  expect(hardware.calls).toHaveLength(1);
});

test('a repeat returns the attachment byte for byte', async () => {
  const { core } = await startCore();
  const first = await core.callNodeMethod(nodeCall('attachment', key));
  const again = await core.callNodeMethod(nodeCall('attachment', key));
  if (first.kind !== 'attachment' || again.kind !== 'attachment') throw new Error('no attachment');
  expect(Buffer.from(again.attachment.data)).toEqual(Buffer.from(first.attachment.data));
  expect(again.attachment).toMatchObject({ mediaType: 'text/csv', fileName: 'table.csv' });
});

test('a failure after acceptance is the outcome, with its details', async () => {
  const { core, hardware } = await startCore();
  const first = core.callNodeMethod(nodeCall('exclusive', key));
  const refusal = new PassthruError('bmc_refused', 'refused', {
    bmc: { status: 400, extendedInfo: [{ MessageId: 'x' }] },
  });
  (await hardware.call(0)).fail(refusal);
  await expect(first).rejects.toEqual(refusal);
  await expect(core.callNodeMethod(nodeCall('exclusive', key))).rejects.toMatchObject({
    kind: 'bmc_refused',
    message: 'refused',
    bmc: { status: 400, extendedInfo: [{ MessageId: 'x' }] },
  });
  expect(hardware.calls).toHaveLength(1);
});

test('a refusal before acceptance is not kept: a locked node, invalid arguments', async () => {
  const { core, hardware } = await startCore();
  const other = core.callNodeMethod(nodeCall('exclusive'));
  await hardware.call(0);
  await expect(core.callNodeMethod(nodeCall('exclusive', { ...key, lockWait: 0 }))).rejects.toMatchObject({
    kind: 'node_locked',
  });
  (await hardware.call(0)).finish(null);
  await other;
  const repeated = core.callNodeMethod(nodeCall('exclusive', key));
  (await hardware.call(1)).finish('ran');
  expect(await repeated).toEqual({ kind: 'result', result: 'ran' });

  const bad = nodeCall('exclusive', { idempotencyKey: 'k-2', arguments: { extra: 1 } });
  await expect(core.callNodeMethod(bad)).rejects.toMatchObject({ kind: 'invalid_argument' });
  const good = core.callNodeMethod(nodeCall('exclusive', { idempotencyKey: 'k-2' }));
  (await hardware.call(2)).finish(null);
  await good;
});

test.each([
  ['other arguments', nodeCall('exclusive', { ...key, arguments: { word: 'other' } })],
  ['another method', nodeCall('shared', key)],
  ['another node', nodeCall('exclusive', { ...key, node: 'n2' })],
])('the same key with %s is refused', async (_, call) => {
  const { core, hardware } = await startCore(['n1', 'n2']);
  const first = core.callNodeMethod(nodeCall('exclusive', key));
  const held = await hardware.call(0);
  const refusal = { kind: 'invalid_argument', violations: [{ field: 'idempotency_key' }] };
  await expect(core.callNodeMethod(call)).rejects.toMatchObject(refusal);
  held.finish(null);
  await first;
  await expect(core.callNodeMethod(call)).rejects.toMatchObject(refusal);
});

test('the same key of another caller is another call', async () => {
  const { core, hardware } = await startCore();
  const first = core.callNodeMethod(nodeCall('shared', key));
  const second = core.callNodeMethod(nodeCall('shared', { ...key, caller: { name: 'other', role: 'operator' } }));
  (await hardware.call(1)).finish(2);
  (await hardware.call(0)).finish(1);
  expect([await first, await second]).toEqual([
    { kind: 'result', result: 1 },
    { kind: 'result', result: 2 },
  ]);
});

test('a call with a key continues when its caller disconnects, and the repeat returns its outcome', async () => {
  const { core, hardware } = await startCore();
  const caller = new AbortController();
  const first = core.callNodeMethod(nodeCall('exclusive', { ...key, signal: caller.signal }));
  const held = await hardware.call(0);
  caller.abort(new PassthruError('deadline_exceeded', 'too late'));
  await expect(first).rejects.toMatchObject({ kind: 'deadline_exceeded' });
  const repeat = core.callNodeMethod(nodeCall('exclusive', key));
  held.finish('done anyway');
  expect(await repeat).toEqual({ kind: 'result', result: 'done anyway' });
});

test.each(['', 'x'.repeat(256), 'line\nbreak', 'ümlaut'])('the key %j is invalid', async (idempotencyKey) => {
  const { core } = await startCore();
  await expect(core.callNodeMethod(nodeCall('exclusive', { idempotencyKey }))).rejects.toMatchObject({
    kind: 'invalid_argument',
    violations: [{ field: 'idempotency_key' }],
  });
});
