import { afterEach, describe, expect, test } from 'vitest';
import type { Caller } from '../../../src/core/caller.ts';
import { ANONYMOUS } from '../../../src/core/caller.ts';
import type { Core } from '../../../src/core/core.ts';
import { PassthruError } from '../../../src/core/errors.ts';
import { isTerminal } from '../../../src/core/job.ts';
import { silentLogger } from '../../../src/core/logger.ts';
import type { NewTranscript, Store } from '../../../src/core/store.ts';
import type { Recording } from '../../../src/core/transcript.ts';
import { openStore } from '../../../src/store/open.ts';
import { temporaryDatabase } from '../../store/temporaryDatabase.ts';
import {
  driverCall,
  nodeCall,
  openMemoryStore,
  operator,
  startCore,
  startCoreOn,
  startJob,
  type TestCore,
  watchToEnd,
} from '../harness.ts';

const started: TestCore[] = [];
afterEach(async () => {
  for (const { core, store } of started.splice(0)) {
    await core.shutdown(0);
    await store.close();
  }
});

async function start(...args: Parameters<typeof startCore>): Promise<TestCore> {
  const core = await startCore(...args);
  started.push(core);
  return core;
}

const REFUSED = new PassthruError('bmc_refused', 'The BMC said no');

/** Returns the transcript; null when there is none. */
async function transcriptOf(core: Core, id: string, caller: Caller = operator) {
  try {
    return JSON.parse(await core.jobs.transcript(id, caller));
  } catch (error) {
    expect(error).toMatchObject({ kind: 'transcript_not_found' });
    return null;
  }
}

/** Runs a job with one exchange, and returns its id when it has ended. */
async function runJob({ core, hardware }: TestCore, outcome: string, recording?: Recording): Promise<string> {
  const job = await startJob(core, nodeCall('work', { recording }));
  const held = await hardware.call(0);
  held.task.recorder?.add(10, () => ({ path: '/redfish/v1' }));
  if (outcome === 'succeeded') held.finish(1);
  else if (outcome === 'failed') held.fail(REFUSED);
  else await core.jobs.cancel(job.id, operator);
  expect((await watchToEnd(core, job.id)).at(-1)).toMatchObject({ state: outcome });
  return job.id;
}

/** Runs a synchronous call with one exchange, and returns the id of its transcript; undefined when none was kept. */
async function runCall({ core, hardware }: TestCore, outcome: string, recording?: Recording) {
  const abort = new AbortController();
  const call = core.callNodeMethod(nodeCall('exclusive', { recording, signal: abort.signal }));
  const held = await hardware.call(0);
  held.task.recorder?.add(10, () => ({ path: '/redfish/v1' }));
  if (outcome === 'succeeded') held.finish(1);
  else held.fail(REFUSED);
  const ended = await call.catch((error: PassthruError) => error);
  return (ended as { transcriptId?: string }).transcriptId;
}

describe.each([
  ['off', undefined, []],
  ['failures', undefined, ['failed', 'cancelled']],
  ['all', undefined, ['succeeded', 'failed', 'cancelled']],
  ['all', 'off', []],
  ['off', 'failures', ['failed', 'cancelled']],
  ['failures', 'all', ['succeeded', 'failed', 'cancelled']],
] as const)('with recorder %s, a call that asks for %s', (setting, asked, kept: readonly string[]) => {
  test.each(['succeeded', 'failed', 'cancelled'])(
    `keeps the transcripts of: ${kept.join(', ') || 'none'}; here a job that %s`,
    async (outcome) => {
      const service = await start(['n1'], { recorder: setting });
      const id = await runJob(service, outcome, asked);
      const transcript = await transcriptOf(service.core, id);
      expect(transcript?.outcome.state ?? null).toBe(kept.includes(outcome) ? outcome : null);
    },
  );

  test.each(['succeeded', 'failed'])('… and here a synchronous call that %s', async (outcome) => {
    const service = await start(['n1'], { recorder: setting });
    const id = await runCall(service, outcome, asked);
    expect(id !== undefined).toBe(kept.includes(outcome));
    if (id !== undefined)
      expect(await transcriptOf(service.core, id)).toMatchObject({ id, outcome: { state: outcome } });
  });
});

test('failures are recorded unless the setting says otherwise', async () => {
  const service = await start();
  expect(await runCall(service, 'failed')).toBeDefined();
});

test('a transcript names the call and holds what the driver knew and exchanged', async () => {
  const { core, hardware } = await start();
  const { uuid } = await core.nodes.get('n1');
  const before = new Date().toISOString();
  const call = core.callNodeMethod(nodeCall('both_verbs', { httpMethod: 'GET', arguments: { word: 'w' } }));
  const { task, fail } = await hardware.call(0);
  task.recorder?.context(() => ({ root: '/redfish/v1' }));
  task.recorder?.context(() => ({ root: 'later' }));
  task.recorder?.add(1, () => ({ number: 1 }));
  task.recorder?.add(1, () => ({ number: 2 }));
  fail(REFUSED);
  const error = await call.catch((thrown: PassthruError) => thrown);
  expect(error).toMatchObject({ kind: 'bmc_refused', message: 'The BMC said no' });
  const { transcriptId: id } = error as PassthruError;
  const transcript = await transcriptOf(core, id!);
  expect(transcript).toEqual({
    transcript: 1,
    id,
    node_uuid: uuid,
    driver: 'gated',
    method: 'both_verbs',
    http_method: 'GET',
    arguments: { word: 'w' },
    outcome: { state: 'failed', error: 'The BMC said no' },
    start_time: expect.any(String),
    end_time: expect.any(String),
    context: { root: '/redfish/v1' },
    exchanges: [{ number: 1 }, { number: 2 }],
    omitted: 0,
  });
  expect([before, transcript.start_time, transcript.end_time]).toEqual(
    [before, transcript.start_time, transcript.end_time].sort(),
  );
});

test('a driver method’s transcript has no node', async () => {
  const { core, hardware } = await start();
  const outcome = await core.callDriverMethod(driverCall('survey'));
  const id = outcome.kind === 'job' ? outcome.job.id : '';
  const { task, fail } = await hardware.call(0);
  task.recorder?.add(1, () => ({}));
  fail(REFUSED);
  await watchToEnd(core, id);
  expect(await transcriptOf(core, id)).toMatchObject({ id, node_uuid: null, method: 'survey' });
});

test('a defect of a driver keeps its transcript, and its error stays internal', async () => {
  const { core, hardware } = await start();
  const call = core.callNodeMethod(nodeCall('exclusive'));
  const { task, fail } = await hardware.call(0);
  task.recorder?.add(1, () => ({}));
  fail(new TypeError('internal text'));
  const error = (await call.catch((thrown: unknown) => thrown)) as PassthruError;
  expect(error).toMatchObject({ kind: 'internal', cause: expect.any(TypeError) });
  expect(JSON.stringify(await transcriptOf(core, error.transcriptId!))).not.toContain('internal text');
});

test('nothing is kept of a call that exchanged nothing, and no entry is made of one that is not kept', async () => {
  const { core, hardware } = await start(['n1'], { recorder: 'failures' });
  await expect(core.callNodeMethod(nodeCall('exclusive', { arguments: { count: 'x' } }))).rejects.toMatchObject({
    kind: 'invalid_argument',
    transcriptId: undefined,
  });
  const failing = core.callNodeMethod(nodeCall('exclusive', { recording: 'all' }));
  const silent = await hardware.call(0);
  silent.task.recorder?.context(() => ({ known: true }));
  silent.fail(REFUSED);
  await expect(failing).rejects.toMatchObject({ transcriptId: undefined });
  let made = 0;
  const succeeding = core.callNodeMethod(nodeCall('exclusive'));
  const held = await hardware.call(1);
  held.task.recorder?.add(10, () => ({ made: ++made }));
  held.finish(1);
  expect(await succeeding).toEqual({ kind: 'result', result: 1 });
  expect(made).toBe(0);
});

test('a call that is not recorded has no recorder', async () => {
  const { core, hardware } = await start();
  const call = core.callNodeMethod(nodeCall('exclusive', { recording: 'off' }));
  const { task, finish } = await hardware.call(0);
  expect(task.recorder).toBeNull();
  finish(1);
  await call;
});

test('a synchronous call whose caller disconnects is kept as cancelled', async () => {
  const kept: object[] = [];
  const log = {
    ...silentLogger,
    info: (fields: object, message: string) => message === 'transcript kept' && kept.push(fields),
  };
  const service = await startCoreOn(await openMemoryStore(), 'host-a', {}, undefined, log);
  started.push(service);
  const { core, hardware } = service;
  await core.nodes.create({ name: 'n1', driver: 'gated' }, operator);
  const abort = new AbortController();
  const call = core.callNodeMethod(nodeCall('exclusive', { signal: abort.signal }));
  (await hardware.call(0)).task.recorder?.add(1, () => ({}));
  abort.abort(new PassthruError('cancelled', 'The caller disconnected'));
  await expect(call).rejects.toMatchObject({ kind: 'cancelled' });
  await core.shutdown(1000);
  const [{ transcript }] = kept as [{ transcript: string }];
  expect(await transcriptOf(core, transcript)).toMatchObject({ outcome: { state: 'cancelled' } });
});

test('a call that the shutdown ends names its transcript', async () => {
  const { core, hardware } = await start();
  const call = core.callNodeMethod(nodeCall('exclusive'));
  (await hardware.call(0)).task.recorder?.add(1, () => ({}));
  const stopped = core.shutdown(0);
  const error = (await call.catch((thrown: unknown) => thrown)) as PassthruError;
  await stopped;
  expect(error.kind).toBe('outcome_unknown');
  expect(await transcriptOf(core, error.transcriptId!)).toMatchObject({ outcome: { state: 'failed' } });
});

describe('a reader of a transcript', () => {
  test('is told that the id is unknown, the job running, or not recorded', async () => {
    const service = await start();
    const { core, hardware } = service;
    for (const id of ['x', '../etc', '01890000-0000-7000-8000-000000000000']) {
      await expect(core.jobs.transcript(id, operator)).rejects.toMatchObject({
        kind: 'job_not_found',
        message: expect.stringContaining(id),
      });
    }
    const job = await startJob(core, nodeCall('work'));
    await expect(core.jobs.transcript(job.id, operator)).rejects.toMatchObject({
      kind: 'transcript_not_found',
      message: expect.stringMatching(/is running/),
    });
    (await hardware.call(0)).finish(1);
    await watchToEnd(core, job.id);
    await expect(core.jobs.transcript(job.id, operator)).rejects.toMatchObject({
      kind: 'transcript_not_found',
      message: expect.stringMatching(/--record=all.*Passthru-Recorder: all/),
    });
  });

  test('needs the role that the method required', async () => {
    const rules = [{ driver: 'gated', method: 'work', role: 'admin' as const }];
    const service = await start(['n1'], { rules });
    const id = await runJob(service, 'failed');
    await expect(service.core.jobs.transcript(id, { name: 'olaf', role: 'operator' })).rejects.toMatchObject({
      kind: 'permission_denied',
    });
    expect(await transcriptOf(service.core, id, { name: 'ann', role: 'admin' })).not.toBeNull();
  });

  test('may ask in capital letters', async () => {
    const service = await start();
    const id = await runJob(service, 'failed');
    expect(await transcriptOf(service.core, id.toUpperCase())).toMatchObject({ id });
  });
});

/** A store in memory whose `keepTranscript` is replaced. */
async function storeWith(
  keep: (store: Store, transcript: NewTranscript) => Promise<void>,
  shared = false,
): Promise<Store> {
  const store = await openMemoryStore(shared);
  const original = store.keepTranscript;
  return Object.assign(store, {
    keepTranscript: (transcript: NewTranscript) => keep({ ...store, keepTranscript: original } as Store, transcript),
  });
}

test('a watcher that sees the end of a job can read its transcript at once, however slowly that is stored', async () => {
  const gate = Promise.withResolvers<void>();
  const store = await storeWith(async (real, transcript) => {
    await gate.promise;
    await real.keepTranscript(transcript);
  });
  const service = await startCoreOn(store, 'host-a');
  started.push(service);
  await service.core.nodes.create({ name: 'n1', driver: 'gated' }, operator);
  const id = await runJob(service, 'failed');
  const read = transcriptOf(service.core, id);
  // The node is free, and the next call has it.
  const next = service.core.callNodeMethod(nodeCall('exclusive', { lockWait: 0 }));
  (await service.hardware.call(1)).finish(1);
  await next;
  gate.resolve();
  expect(await read).toMatchObject({ id });
});

test('a reader of another process waits for a transcript that is about to be stored', async () => {
  const gate = Promise.withResolvers<void>();
  const store = await storeWith(async (real, transcript) => {
    await gate.promise;
    await real.keepTranscript(transcript);
  }, true);
  const [first, second] = [await startCoreOn(store, 'host-a'), await startCoreOn(store, 'host-b')];
  await first.core.nodes.create({ name: 'n1', driver: 'gated' }, operator);
  const id = await runJob(first, 'failed');
  const read = transcriptOf(second.core, id);
  gate.resolve();
  expect(await read).toMatchObject({ id });
  await second.core.shutdown(0);
  started.push(first);
});

test('a transcript that cannot be stored changes neither the job nor the call, and is logged', async () => {
  const store = await storeWith(async () => {
    throw new PassthruError('store_unavailable', 'gone');
  });
  const warnings: string[] = [];
  const log = { ...silentLogger, warn: (_: object, message: string) => warnings.push(message) };
  const service = await startCoreOn(store, 'host-a', {}, undefined, log);
  started.push(service);
  await service.core.nodes.create({ name: 'n1', driver: 'gated' }, operator);
  const id = await runJob(service, 'failed');
  expect(await transcriptOf(service.core, id)).toBeNull();
  const call = service.core.callNodeMethod(nodeCall('exclusive'));
  const held = await service.hardware.call(1);
  held.task.recorder?.add(1, () => ({}));
  held.fail(REFUSED);
  await expect(call).rejects.toMatchObject({ kind: 'bmc_refused', transcriptId: undefined });
  expect(warnings).toEqual(['storing a transcript failed', 'storing a transcript failed']);
});

test('a job whose process dies loses its transcript alone', async () => {
  const file = temporaryDatabase();
  const open = () => openStore(`sqlite:${file.path}`, { log: silentLogger });
  const first = await startCoreOn(await open(), 'host-a');
  await first.core.nodes.create({ name: 'n1', driver: 'gated' }, operator);
  const job = await startJob(first.core, nodeCall('work'));
  (await first.hardware.call(0)).task.recorder?.add(1, () => ({}));
  await first.store.close();
  const second = await startCoreOn(await open(), 'host-a');
  started.push(second);
  const ended = await second.core.jobs.get(job.id, ANONYMOUS);
  expect(isTerminal(ended)).toBe(true);
  expect(ended.error?.kind).toBe('worker_lost');
  expect(await transcriptOf(second.core, job.id)).toBeNull();
  file.remove();
});
