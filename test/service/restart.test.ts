import { rmSync, writeFileSync } from 'node:fs';
import { mkdtemp } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { type Served, serve } from '../cli/run.ts';

/** The number of times that the service is killed; CI does it more often. */
const ROUNDS = Number(process.env.RESTART_ROUNDS ?? 15);
/** The time limit of a round on a busy machine, in ms. */
const ROUND_TIME = 20_000;
const WORKING = ['w-0', 'w-1', 'w-2', 'w-3', 'w-4', 'w-5'];
const HELD_BY = 'conductor-b';

let directory: string;
let environment: NodeJS.ProcessEnv;
let served: Served | null = null;

beforeAll(async () => {
  directory = await mkdtemp(join(tmpdir(), 'passthru-restart-'));
  const names = [...WORKING, 'calling'];
  const nodes = [
    ...names.map((name) => ({ name, driver: 'fake-hardware' })),
    { name: 'held', driver: 'fake-hardware', reservation: HELD_BY },
  ];
  writeFileSync(join(directory, 'nodes.yaml'), JSON.stringify({ nodes }));
  environment = {
    PASSTHRU_STORE: `sqlite:${join(directory, 'passthru.db')}`,
    PASSTHRU_NODES_FILE: join(directory, 'nodes.yaml'),
  };
});
afterAll(async () => {
  served?.command.process.kill('SIGKILL');
  await served?.command.ended;
  rmSync(directory, { recursive: true });
});

/** Whether jobs end while the service is killed in this round; in other rounds none ends before the process does. */
function jobsEnd(round: number): boolean {
  return round % 2 === 1;
}

/** Starts the service for `round`. */
async function start(round: number): Promise<void> {
  served = await serve([], { ...environment, PASSTHRU_FAKE_VENDOR_DELAY: jobsEnd(round) ? '3ms' : '1h' });
}

/** Sends a request to the current service; returns null when it died before it responded. */
async function send(method: string, path: string, headers: Record<string, string> = {}, body?: object) {
  try {
    const response = await fetch(`${served?.url}${path}`, {
      method,
      headers: { 'X-OpenStack-Ironic-API-Version': '1.78', ...headers },
      ...(body === undefined ? {} : { body: JSON.stringify(body) }),
    });
    const text = await response.text();
    return { status: response.status, headers: response.headers, body: text === '' ? null : JSON.parse(text) };
  } catch {
    return null;
  }
}

function call(node: string, method: string, key: string) {
  return send('POST', `/v1/nodes/${node}/vendor_passthru/${method}`, { 'Idempotency-Key': key }, { bar: 'x' });
}

/** A job whose caller got its acceptance. */
interface Accepted {
  id: string;
  node: string;
  method: string;
  key: string;
}

/** Sends calls in parallel, and kills the service when it has accepted `enough` of them, while others are pending. */
async function callAndKill(round: number, enough: number): Promise<Accepted[]> {
  const { command } = served as Served;
  const calls = WORKING.flatMap((node) => [
    { node, method: 'second_method' },
    { node, method: 'fourth_method_shared_lock' },
    { node, method: 'fourth_method_shared_lock' },
  ]);
  const accepted: Accepted[] = [];
  await Promise.all(
    calls.map(async ({ node, method }, index) => {
      const key = `${round}-${index}`;
      const response = await call(node, method, key);
      if (response === null) return;
      expect(response.status).toBe(202);
      accepted.push({ id: response.headers.get('Passthru-Job-Id') as string, node, method, key });
      if (accepted.length === enough) command.process.kill('SIGKILL');
    }),
  );
  await command.ended;
  return accepted;
}

/** Starts a synchronous call, and resolves when it holds the node. */
async function beginSynchronousCall(key: string): Promise<void> {
  void call('calling', 'third_method_sync', key);
  for (;;) {
    const node = await send('GET', '/v1/nodes/calling');
    if (node?.body.reservation !== null) return;
  }
}

interface KnownJob {
  id: string;
  method: string;
  state: string;
  end_time: string | null;
  error: { reason: string; message: string } | null;
}

/** Returns all jobs of the service, by id. */
async function knownJobs(): Promise<Map<string, KnownJob>> {
  const known = new Map<string, KnownJob>();
  for (let path: string | null = '/v1/jobs?limit=1000'; path !== null; ) {
    const page: { jobs: KnownJob[]; next?: string } = (await send('GET', path))?.body;
    for (const job of page.jobs) known.set(job.id, job);
    path = page.next === undefined ? null : page.next.replace(/^https?:\/\/[^/]*/, '');
  }
  return known;
}

/** A job that failed because its process was killed. */
const WORKER_LOST = {
  state: 'JOB_STATE_FAILED',
  end_time: expect.any(String),
  error: { reason: 'ERROR_REASON_WORKER_LOST', message: expect.stringMatching(/^worker lost/) },
};

test(
  `after a kill -9 at any moment, the next start fails the running jobs, frees their nodes and loses no job (${ROUNDS} times)`,
  async () => {
    /** The final state of each job whose caller got its acceptance. */
    const all = new Map<string, KnownJob>();
    await start(0);
    for (let round = 0; round < ROUNDS; round++) {
      const synchronous = `${round}-synchronous`;
      if (!jobsEnd(round)) await beginSynchronousCall(synchronous);
      const enough = 1 + ((round * 4) % 17);
      const accepted = await callAndKill(round, enough);
      expect(accepted.length).toBeGreaterThanOrEqual(enough);

      await start(round + 1);
      expect((await send('GET', '/v1/jobs?state=running'))?.body).toEqual({ jobs: [] });
      const known = await knownJobs();
      for (const [id, job] of all) expect(known.get(id)).toEqual(job);
      for (const { id, method } of accepted) {
        const job = known.get(id);
        if (job?.state !== 'JOB_STATE_SUCCEEDED') expect(job).toMatchObject({ method, ...WORKER_LOST });
        if (!jobsEnd(round)) expect(job).toMatchObject({ state: 'JOB_STATE_FAILED' });
        all.set(id, job as KnownJob);
      }
      await checkNodes(round, accepted);
      // A repeat gets the earlier job; the outcome of the synchronous call is unknown.
      for (const { id, node, method, key } of accepted) {
        expect((await call(node, method, key))?.headers.get('Passthru-Job-Id')).toBe(id);
      }
      if (jobsEnd(round)) continue;
      const unknown = await call('calling', 'third_method_sync', synchronous);
      expect(unknown?.status).toBe(500);
      expect(JSON.parse(unknown?.body.error_message).faultstring).toMatch(/whether it was carried out is not known/);
    }
    expect((await served?.stop())?.status).toBe(0);
    const succeeded = [...all.values()].filter(({ state }) => state === 'JOB_STATE_SUCCEEDED').length;
    console.log(
      `killed and restarted ${ROUNDS} times: none of ${all.size} accepted jobs lost (${succeeded} succeeded, ${all.size - succeeded} failed: worker lost)`,
    );
  },
  ROUNDS * ROUND_TIME,
);

/** Expects every node but the held one to be free, with the outcome of its job. */
async function checkNodes(round: number, accepted: Accepted[]): Promise<void> {
  const nodes: { name: string; reservation: string | null; last_error: string | null }[] = (
    await send('GET', '/v1/nodes/detail')
  )?.body.nodes;
  expect(nodes).toHaveLength(WORKING.length + 2);
  for (const { name, reservation, last_error } of nodes) {
    expect({ name, reservation }).toEqual({ name, reservation: name === 'held' ? HELD_BY : null });
    if (!jobsEnd(round) && accepted.some(({ node }) => node === name)) {
      expect(last_error).toMatch(/^Async execution of \w+ failed with error: worker lost/);
    }
  }
}
