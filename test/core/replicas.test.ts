import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test, vi } from 'vitest';
import { AgeClock } from '../../src/core/ageClock.ts';
import { ANONYMOUS } from '../../src/core/caller.ts';
import type { CoreSettings } from '../../src/core/create.ts';
import { PassthruError } from '../../src/core/errors.ts';
import { isTerminal, type Job } from '../../src/core/job.ts';
import { silentLogger } from '../../src/core/logger.ts';
import { openStore } from '../../src/store/open.ts';
import { type PostgresServer, startPostgres } from '../store/postgres/embeddedPostgres.ts';
import { nodeCall, operator, startCoreOn, startJob, type TestCore, watchToEnd } from './harness.ts';

/** Milliseconds. */
const LEASE = 2000;
const GRACE = 500;
const DAY = 86_400_000;

let server: PostgresServer;
let url: string;
let replicas: TestCore[];

beforeAll(async () => {
  server = await startPostgres();
});
afterAll(() => server.remove());
beforeEach(async () => {
  url = server.url(await server.createDatabase());
  replicas = [];
});
afterEach(async () => {
  for (const { hardware } of replicas) for (const call of hardware.calls) call.finish(null);
  await Promise.all(replicas.map(({ core }) => core.shutdown(1000)));
  await Promise.all(replicas.map(({ store }) => store.close()));
});

/** Starts another process on the database, with nodes n1 and n2. Its attempts to lock a node are a minute apart. */
async function replica(host: string, settings: Partial<CoreSettings> = {}, clock?: AgeClock): Promise<TestCore> {
  const store = await openStore(url, { log: silentLogger });
  const all = { lockedRetryInterval: 60_000, lease: LEASE, grace: GRACE, ...settings };
  const started = await startCoreOn(store, host, all, undefined, silentLogger, clock);
  if (replicas.length === 0) {
    for (const name of ['n1', 'n2']) await started.core.nodes.create({ name, driver: 'gated' }, operator);
  }
  replicas.push(started);
  return started;
}

const two = async () => [await replica('host-a'), await replica('host-b')] as const;

/** Locks n1 and returns the key. */
async function lock({ core }: TestCore, duration: number | null = null): Promise<string> {
  const request = { holder: 'x', duration, lockWait: 0, caller: operator, signal: AbortSignal.timeout(30_000) };
  return (await core.nodes.lock('n1', request)).reservationKey;
}

/** Makes `replica` lost: it no longer renews its lease or writes anything. */
async function die(replica: TestCore): Promise<void> {
  await replica.store.close();
}

/** Ends the LISTEN connections of the replicas. */
const endListening = () => {
  const backends = "select pid from pg_stat_activity where application_name = 'passthru listener'";
  return server.query(`select pg_terminate_backend(pid) from (${backends}) as listeners`);
};

describe('replicas on one database', () => {
  test('the key of a lock works at every replica, and the calls of all take turns', async () => {
    const [a, b] = await two();
    const key = await lock(a);
    const first = a.core.callNodeMethod(nodeCall('exclusive', { reservationKey: key }));
    const running = await a.hardware.call(0);
    const second = b.core.callNodeMethod(nodeCall('exclusive', { reservationKey: key, lockWait: 30_000 }));
    await expect(b.core.callNodeMethod(nodeCall('exclusive', { lockWait: 0 }))).rejects.toMatchObject({
      kind: 'node_locked',
      lock: { kind: 'held', holder: 'x', method: 'exclusive' },
    });
    expect(b.hardware.calls).toHaveLength(0);
    running.finish(null);
    await first;
    // The attempts are a minute apart: it was woken.
    (await b.hardware.call(0)).finish('second');
    expect(await second).toMatchObject({ result: 'second' });
    expect((await b.core.nodes.unlock('n1', operator, key)).reservation).toBeNull();
  });

  test('a call with an idempotency key runs once for a day, however much the clocks of replicas differ', async () => {
    const clock = (ahead: number) => new AgeClock(silentLogger, undefined, () => Date.now() + ahead);
    const late = await replica('late', {}, clock(-2 * DAY));
    const early = await replica('early', {}, clock(2 * DAY));
    for (const [index, [one, other]] of [
      [late, early],
      [early, late],
    ].entries()) {
      const call = nodeCall('exclusive', { idempotencyKey: `key-${index}` });
      const first = one!.core.callNodeMethod(call);
      (await one!.hardware.call(0)).finish('first');
      expect(await first).toMatchObject({ result: 'first' });
      expect(await other!.core.callNodeMethod(call)).toMatchObject({ result: 'first' });
    }
    const [{ age }] = (await server.query<{ age: number }>(
      'select max(abs(extract(epoch from now()) * 1000 - create_time))::float8 as age from idempotency',
      new URL(url).pathname.slice(1),
    )) as [{ age: number }];
    expect(age).toBeLessThan(DAY);
  });

  test('a lock is ended by another replica, also when the one that took it is lost, and who waits there is woken', async () => {
    const [a, b] = await two();
    await lock(a, 1000);
    const waiting = b.core.callNodeMethod(nodeCall('exclusive', { lockWait: 60_000 }));
    await die(a);
    (await b.hardware.call(0)).finish('after it');
    expect(await waiting).toMatchObject({ result: 'after it' });
  });

  test('when a replica is lost during a call with a key, the node is held again after its grace, and the key works elsewhere', async () => {
    const [a, b] = await two();
    const key = await lock(a);
    const job = await startJob(a.core, nodeCall('work', { reservationKey: key }));
    await a.hardware.call(0);
    const next = b.core.callNodeMethod(nodeCall('exclusive', { reservationKey: key, lockWait: 60_000 }));
    await die(a);
    await vi.waitUntil(async () => isTerminal(await b.core.jobs.get(job.id, ANONYMOUS)), {
      interval: 50,
      timeout: 20_000,
    });
    (await b.hardware.call(0)).finish('next');
    expect(await next).toMatchObject({ result: 'next' });
    expect((await b.core.nodes.get('n1')).reservation).toMatchObject({ kind: 'held', holder: 'x', method: null });
    await expect(b.core.callNodeMethod(nodeCall('exclusive', { lockWait: 0 }))).rejects.toMatchObject({
      kind: 'node_locked',
    });
    await b.core.nodes.unlock('n1', operator);
  });

  test('when a replica is lost while it takes a lock, the node is held or free, and never both', async () => {
    const [a, b] = await two();
    const acquire = a.store.acquire;
    // The statement is carried out, and its response is lost with the process.
    a.store.acquire = async (...args) => {
      await acquire(...args);
      throw new PassthruError('store_unavailable', 'no response');
    };
    await expect(lock(a)).rejects.toMatchObject({ kind: 'store_unavailable' });
    await die(a);
    await expect(b.core.callNodeMethod(nodeCall('exclusive', { lockWait: 0 }))).rejects.toMatchObject({
      kind: 'node_locked',
      lock: { kind: 'held', holder: 'x' },
    });
    // No one has its key.
    await b.core.nodes.unlock('n1', operator);
    const call = b.core.callNodeMethod(nodeCall('exclusive'));
    (await b.hardware.call(0)).finish('after it');
    expect(await call).toMatchObject({ result: 'after it' });
  });

  test('an attempt without a response, of a caller without the key, does not end the call within the lock', async () => {
    const [a] = await two();
    const key = await lock(a);
    const call = a.core.callNodeMethod(nodeCall('exclusive', { reservationKey: key }));
    const running = await a.hardware.call(0);
    const acquire = vi.spyOn(a.store, 'acquire');
    acquire.mockRejectedValueOnce(new PassthruError('store_unavailable', 'no response'));
    const releaseOwn = vi.spyOn(a.store, 'releaseOwn');
    await expect(a.core.callNodeMethod(nodeCall('exclusive', { lockWait: 0 }))).rejects.toMatchObject({
      kind: 'store_unavailable',
    });
    await vi.waitUntil(() => releaseOwn.mock.settledResults.length > 0, { interval: 10 });
    expect((await a.core.nodes.get('n1')).reservation).toMatchObject({ method: 'exclusive' });
    running.finish('undisturbed');
    expect(await call).toMatchObject({ result: 'undisturbed' });
  });

  test('a node reserved by one is locked for the other, which reports the reservation', async () => {
    const [a, b] = await two();
    const job = await startJob(a.core, nodeCall('work'));
    const refused = b.core.callNodeMethod(nodeCall('exclusive', { lockWait: 0 }));
    await expect(refused).rejects.toMatchObject({
      kind: 'node_locked',
      lock: { holder: 'host-a', method: 'work', requestedBy: 'operator', job: job.id, since: expect.any(Date) },
    });
  });

  test('a caller that waits for a node is woken when the other replica releases it', async () => {
    const [a, b] = await two();
    const first = a.core.callNodeMethod(nodeCall('exclusive'));
    const held = await a.hardware.call(0);
    const waiting = b.core.callNodeMethod(nodeCall('exclusive', { lockWait: 30_000 }));
    const want = vi.spyOn(b.store, 'want');
    await vi.waitFor(() => expect(want).toHaveBeenCalled());
    await want.mock.results[0]!.value;
    held.finish('first');
    await first;
    (await b.hardware.call(0)).finish('second');
    expect(await waiting).toMatchObject({ result: 'second' });
  });

  test('a caller is woken when a held node is unlocked elsewhere, and when the job on a node ends', async () => {
    const [a, b] = await two();
    await a.core.nodes.lock('n1', {
      holder: 'me',
      lockWait: 0,
      caller: operator,
      signal: new AbortController().signal,
    });
    const job = await startJob(a.core, nodeCall('work', { node: 'n2' }));
    const waiting = ['n1', 'n2'].map((node) =>
      b.core.callNodeMethod(nodeCall('exclusive', { node, lockWait: 30_000 })),
    );
    const want = vi.spyOn(b.store, 'want');
    await vi.waitFor(() => expect(new Set(want.mock.calls.map(([uuid]) => uuid)).size).toBe(2));
    await Promise.all(want.mock.results.map(({ value }) => value));
    await a.core.nodes.unlock('n1', operator);
    (await b.hardware.call(0)).finish(1);
    (await a.hardware.call(0)).finish(null);
    (await b.hardware.call(1)).finish(2);
    expect((await Promise.all(waiting)).length).toBe(2);
    expect(await b.core.jobs.get(job.id, ANONYMOUS)).toMatchObject({ state: 'succeeded' });
  });

  test('a job is watched through another replica, every revision in order', async () => {
    const [a, b] = await two();
    const job = await startJob(a.core, nodeCall('work'));
    const watched = watchToEnd(b.core, job.id, 0);
    const { task, finish } = await a.hardware.call(0);
    for (const percent of [1, 2, 3]) {
      task.progress(percent / 100, `${percent} %`);
      await vi.waitFor(async () =>
        expect((await b.core.jobs.get(job.id, ANONYMOUS)).progress?.message).toBe(`${percent} %`),
      );
    }
    finish({ done: true });
    const seen = await watched;
    expect(seen.map(({ revision }) => revision)).toEqual([1, 2, 3, 4, 5]);
    expect(seen.at(-1)).toMatchObject({ state: 'succeeded', result: { done: true } });
  });

  test('a watcher gets changes that were made while the LISTEN connection was broken', async () => {
    const [a, b] = await two();
    const job = await startJob(a.core, nodeCall('work'));
    const watching = b.core.jobs.watch(job.id, null, ANONYMOUS, new AbortController().signal);
    expect((await watching.next()).value).toMatchObject({ revision: 1 });
    const announce = vi.spyOn(b.store, 'getJob');
    await endListening();
    (await a.hardware.call(0)).finish('over');
    expect((await watching.next()).value).toMatchObject({ revision: 2, state: 'succeeded', result: 'over' });
    expect(announce).toHaveBeenCalled();
  });

  test('a watcher gets changes without a notification', async () => {
    const [a, b] = await two();
    const job = await startJob(a.core, nodeCall('work'));
    const watched = watchToEnd(b.core, job.id, 0);
    await vi.waitFor(() => expect(a.hardware.calls).toHaveLength(1));
    await storeEndSilently(job);
    expect((await watched).map(({ revision }) => revision)).toEqual([1, 2]);
  });

  test('a watcher gets a change that another watcher of the same replica read first', async () => {
    const [a, b] = await two();
    const job = await startJob(a.core, nodeCall('work'));
    const first = b.core.jobs.watch(job.id, null, ANONYMOUS, new AbortController().signal);
    expect((await first.next()).value).toMatchObject({ revision: 1 });
    const heard = first.next();
    await storeEndSilently(job);
    expect((await watchToEnd(b.core, job.id)).at(-1)).toMatchObject({ revision: 2 });
    expect((await heard).value).toMatchObject({ revision: 2, state: 'failed' });
  });

  test('a job is cancelled through any replica', async () => {
    const [a, b] = await two();
    const job = await startJob(a.core, nodeCall('work'));
    await a.hardware.call(0);
    expect(await b.core.jobs.cancel(job.id, { ...operator, name: 'bob' })).toMatchObject({
      state: 'cancelled',
      error: { message: `Job ${job.id} was cancelled by bob` },
    });
  });

  test('a call with an idempotency key runs once, and both replicas return its outcome', async () => {
    const [a, b] = await two();
    const call = () => nodeCall('exclusive', { idempotencyKey: 'once' });
    const first = a.core.callNodeMethod(call());
    const { finish } = await a.hardware.call(0);
    const second = b.core.callNodeMethod(call());
    finish('outcome');
    expect(await Promise.all([first, second])).toMatchObject([{ result: 'outcome' }, { result: 'outcome' }]);
    expect(b.hardware.calls).toEqual([]);
    const [job, again] = await Promise.all(
      [a, b].map(({ core }) => startJob(core, nodeCall('work', { idempotencyKey: 'j' }))),
    );
    expect(job!.id).toBe(again!.id);
    expect([...a.hardware.calls, ...b.hardware.calls]).toHaveLength(2);
  });

  test('hosts lists all replicas, except one that was shut down', async () => {
    const [a, b] = await two();
    expect(await b.core.hosts()).toEqual(['host-a', 'host-b']);
    await a.core.shutdown(0);
    expect(await b.core.hosts()).toEqual(['host-b']);
  });
});

describe('a lost replica', () => {
  test('its job fails when its lease has ended, for watchers elsewhere too, and its node is free after the grace', async () => {
    const [a, b] = await two();
    const job = await startJob(a.core, nodeCall('work'));
    await a.hardware.call(0);
    const watched = watchToEnd(b.core, job.id);
    await die(a);
    expect((await watched).at(-1)).toMatchObject({ state: 'failed', error: { kind: 'worker_lost' } });
    const node = await b.core.nodes.get('n1');
    expect(node.lastError).toMatch(/^Async execution of work failed with error: worker lost/);
    expect(node.reservation).toMatchObject({ holder: 'host-a' });
    const next = b.core.callNodeMethod(nodeCall('exclusive', { lockWait: 10_000 }));
    (await b.hardware.call(0)).finish('free');
    expect(await next).toMatchObject({ result: 'free' });
  });

  test('its call with a key has an unknown outcome and does not run again', async () => {
    const [a, b] = await two();
    void a.core.callNodeMethod(nodeCall('exclusive', { idempotencyKey: 'k' })).catch(() => {});
    await a.hardware.call(0);
    await die(a);
    const repeat = b.core.callNodeMethod(nodeCall('exclusive', { idempotencyKey: 'k' }));
    await expect(repeat).rejects.toMatchObject({ kind: 'outcome_unknown' });
    expect(b.hardware.calls).toEqual([]);
  });
});

describe('an unreachable database', () => {
  test('for a while: calls fail, running ones continue, and the service recovers', async () => {
    const a = await replica('host-a', { lease: 30_000 });
    const b = await replica('host-b', { lease: 30_000 });
    const job = await startJob(a.core, nodeCall('work'));
    const { finish } = await a.hardware.call(0);
    const watching = b.core.jobs.watch(job.id, null, ANONYMOUS, new AbortController().signal);
    await watching.next();
    await server.stop();
    for (const { core } of [a, b]) {
      await expect(core.callNodeMethod(nodeCall('exclusive'))).rejects.toMatchObject({ kind: 'store_unavailable' });
      await expect(core.checkReady()).rejects.toMatchObject({ kind: 'store_unavailable' });
    }
    finish('went on');
    await server.start();
    expect((await watching.next()).value).toMatchObject({ revision: 2, state: 'succeeded', result: 'went on' });
    const next = b.core.callNodeMethod(nodeCall('exclusive', { lockWait: 10_000 }));
    (await b.hardware.call(0)).finish('again');
    expect(await next).toMatchObject({ result: 'again' });
  });

  test('for longer than the lease: running calls are aborted and may send nothing, and the service recovers', async () => {
    const [a] = await two();
    const sync = a.core.callNodeMethod(nodeCall('exclusive', { node: 'n2' }));
    const refused = expect(sync).rejects.toMatchObject({ kind: 'outcome_unknown' });
    const job = await startJob(a.core, nodeCall('work'));
    const { task } = await a.hardware.call(1);
    const aborted = new Promise((resolve) => task.signal.addEventListener('abort', resolve));
    task.beforeSend();
    await server.stop();
    await aborted;
    expect(() => task.beforeSend()).toThrow(/worker lost/);
    await refused;
    await server.start();
    await vi.waitFor(async () => expect(isTerminal(await a.core.jobs.get(job.id, ANONYMOUS))).toBe(true), {
      timeout: 10_000,
    });
    expect(await a.core.jobs.get(job.id, ANONYMOUS)).toMatchObject({ state: 'failed', error: { kind: 'worker_lost' } });
    const next = vi.waitUntil(
      () => a.core.callNodeMethod(nodeCall('exclusive', { lockWait: 10_000 })).catch(() => null),
      { timeout: 15_000, interval: 100 },
    );
    (await a.hardware.call(2)).finish('again');
    expect(await next).toMatchObject({ result: 'again' });
  });
});

function database(): string {
  return new URL(url).pathname.slice(1);
}

/** Stores the end of a job without a notification. */
async function storeEndSilently(job: Pick<Job, 'id'>): Promise<void> {
  await server.query(
    `update jobs set state = 'failed', end_time = 1 where id = '${job.id}';
     insert into job_revisions (job_id, revision, state) values ('${job.id}', 2, 'failed')`,
    database(),
  );
}
