import { afterEach, describe, expect, test } from 'vitest';
import type { Caller, Role } from '../../../src/core/caller.ts';
import type { CallRule } from '../../../src/core/calls/callRules.ts';
import type { Core } from '../../../src/core/core.ts';
import { PassthruError } from '../../../src/core/errors.ts';
import type { Job } from '../../../src/core/job.ts';
import type { ShownJob } from '../../../src/core/jobs/shownJob.ts';
import type { Store } from '../../../src/core/store.ts';
import { nodeCall, openMemoryStore, operator, startCoreOn, startJob, type TestCore } from '../harness.ts';

const caller = (name: string, role: Role): Caller => ({ name, role });
const [rita, otto, anna] = [caller('rita', 'reader'), caller('otto', 'operator'), caller('anna', 'admin')];

let cores: Core[] = [];
afterEach(async () => {
  await Promise.all(cores.map((core) => core.shutdown(0)));
  cores = [];
});

async function startWith(store: Store, role: Role | null): Promise<TestCore> {
  const rules: CallRule[] = role === null ? [] : [{ driver: 'gated', method: 'work', role }];
  const started = await startCoreOn(store, 'host-a', { rules });
  cores.push(started.core);
  return started;
}

/** Starts a core where `work` requires `role`, with the node n1. */
async function start(role: Role | null): Promise<TestCore> {
  const started = await startWith(await openMemoryStore(), role);
  await started.core.nodes.create({ name: 'n1', driver: 'gated' }, operator);
  return started;
}

/** Runs `work` for anna to its end, with progress on the way. */
async function runJob({ core, hardware }: TestCore, end: 'succeed' | 'fail', as = anna): Promise<string> {
  const before = hardware.calls.length;
  const { id } = await startJob(core, nodeCall('work', { caller: as }));
  const call = await hardware.call(before);
  call.task.progress(0.5, 'SECRET half');
  const reported = core.jobs.watch(id, 1, anna, new AbortController().signal);
  await reported.next();
  if (end === 'succeed') call.finish({ secret: 'SECRET result' });
  else {
    const bmc = { status: 400, extendedInfo: [{ Message: 'SECRET entry' }] };
    call.fail(new PassthruError('bmc_refused', 'SECRET message', { bmc }));
  }
  for await (const _ of reported);
  return id;
}

type Ways = Record<'get' | 'list' | 'watched' | 'cancelled', ShownJob[]>;

/** Returns what `who` sees of a job, in each way in which the core shows it. */
async function waysToSee(core: Core, id: string, who: Caller): Promise<Ways> {
  const all = { limit: 10, olderThan: null, node: null, driver: null, state: null };
  const watched = [];
  for await (const job of core.jobs.watch(id, 0, who, new AbortController().signal)) watched.push(job);
  const cancelled = who.role === 'admin' ? [await core.jobs.cancel(id, who)] : [];
  return { get: [await core.jobs.get(id, who)], list: (await core.jobs.list(all, who)).items, watched, cancelled };
}

describe.each<[Role | null, Caller[], Caller[]]>([
  ['reader', [rita, otto, anna], []],
  [null, [otto, anna], [rita]],
  ['operator', [otto, anna], [rita]],
  ['admin', [anna], [rita, otto]],
])('a job of a method that requires %s', (role, allowed, others) => {
  test(`is shown whole to ${allowed.map(({ name }) => name).join(', ')}`, async () => {
    const running = await start(role);
    const [done, failed] = [await runJob(running, 'succeed'), await runJob(running, 'fail')];
    for (const who of allowed) {
      const ways = {
        ...(await waysToSee(running.core, done, who)),
        failed: [await running.core.jobs.get(failed, who)],
      };
      for (const jobs of Object.values(ways)) expect(jobs.every((job) => job.requiredRole === null)).toBe(true);
      expect(ways.get).toMatchObject([{ result: { secret: 'SECRET result' }, progress: { message: 'SECRET half' } }]);
      expect(ways.failed).toMatchObject([{ error: { message: 'SECRET message' } }]);
    }
  });

  test(`tells ${others.map(({ name }) => name).join(', ') || 'nobody'} only that it exists, runs and ends`, async () => {
    const running = await start(role);
    const [done, failed] = [await runJob(running, 'succeed'), await runJob(running, 'fail')];
    for (const who of others) {
      for (const id of [done, failed]) {
        const ways = await waysToSee(running.core, id, who);
        expect(JSON.stringify(ways)).not.toContain('SECRET');
        expect(ways.watched.map(({ revision }) => revision)).toEqual([1, 2, 3]);
        expect(ways.get).toMatchObject([{ requiredRole: role ?? 'operator', requestedBy: 'anna', method: 'work' }]);
        expect(ways.get[0]).toMatchObject({
          driver: 'gated',
          nodeName: 'n1',
          progress: { fraction: 0.5, message: '' },
        });
        expect(ways.get[0]?.endTime).toBeInstanceOf(Date);
      }
      expect(await running.core.jobs.get(done, who)).toMatchObject({ state: 'succeeded', result: null, error: null });
      expect(await running.core.jobs.get(failed, who)).toMatchObject({
        state: 'failed',
        error: {
          kind: 'bmc_refused',
          message: expect.stringMatching(/^Role \w+ is required/),
          bmc: null,
          truncated: true,
        },
      });
    }
  });
});

test('a caller sees the whole of the job that it started, whatever the method requires now', async () => {
  const running = await start('operator');
  const id = await runJob(running, 'succeed', otto);
  await running.core.shutdown(0);
  const { core } = await startWith(running.store, 'admin');
  expect(await core.jobs.get(id, otto)).toMatchObject({ requiredRole: null, result: { secret: 'SECRET result' } });
  expect(await core.jobs.get(id, caller('olga', 'operator'))).toMatchObject({ requiredRole: 'admin', result: null });
});

describe('a job that ended', () => {
  test.each<[string, Role, Role | null, Role]>([
    ['is closed by a rule that came later', 'operator', 'admin', 'admin'],
    ['is not opened by a rule that came later', 'admin', 'reader', 'admin'],
    ['is not opened by the end of its rule', 'admin', null, 'admin'],
  ])('%s', async (_what, then, now, required) => {
    const running = await start(then);
    const id = await runJob(running, 'succeed');
    const { core } = await startWith(running.store, now);
    expect(await core.jobs.get(id, rita)).toMatchObject({ requiredRole: required });
    expect(await core.jobs.get(id, anna)).toMatchObject({ requiredRole: null });
  });

  test('is for admins when its method is not loaded any more', async () => {
    const running = await start('reader');
    const id = await runJob(running, 'succeed');
    for (const lost of [{ driver: 'gone' }, { method: 'gone' }, { method: 'survey' }]) {
      const job = { ...((await running.store.getJob(id)) as Job), id: id.replace(/....$/, 'ffff'), ...lost };
      const store: Store = Object.assign(Object.create(running.store), { getJob: async () => job });
      const { core } = await startWith(store, 'reader');
      expect(await core.jobs.get(id, otto)).toMatchObject({ requiredRole: 'admin', result: null });
      expect(await core.jobs.get(id, anna)).toMatchObject({ requiredRole: null });
    }
  });

  test('of an earlier version, which stored no role, requires what its method requires now', async () => {
    const running = await start('reader');
    const id = await runJob(running, 'succeed');
    const job = { ...((await running.store.getJob(id)) as Job), role: null };
    const store: Store = Object.assign(Object.create(running.store), { getJob: async () => job });
    const { core } = await startWith(store, null);
    expect(await core.jobs.get(id, rita)).toMatchObject({ requiredRole: 'operator' });
    expect(await core.jobs.get(id, otto)).toMatchObject({ requiredRole: null });
  });
});

describe("a node's last_error", () => {
  test.each<Role | null>([null, 'reader'])("has a failed job's message, as Ironic's (role %s)", async (role) => {
    const running = await start(role);
    await runJob(running, 'fail');
    const { lastError } = await running.core.nodes.get('n1');
    expect(lastError).toBe('Async execution of work failed with error: SECRET message');
  });

  test('names the job in place of the message if the method is for admins', async () => {
    const running = await start('admin');
    const id = await runJob(running, 'fail');
    const { lastError } = await running.core.nodes.get('n1');
    expect(lastError).toBe(
      `Async execution of work failed with error: role admin is required to read it, in job ${id}`,
    );
  });
});
