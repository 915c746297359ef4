import { once } from 'node:events';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Code, createClient } from '@connectrpc/connect';
import { createGrpcTransport } from '@connectrpc/connect-node';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test, vi } from 'vitest';
import { Health, HealthCheckResponse_ServingStatus } from '../../gen/grpc/health/v1/health_pb.ts';
import { InfoService } from '../../gen/passthru/v1/info_pb.ts';
import { JobService } from '../../gen/passthru/v1/job_pb.ts';
import { PassthruService } from '../../gen/passthru/v1/passthru_pb.ts';
import { type Ended, passthru } from '../cli/run.ts';
import { type PostgresServer, startPostgres } from '../store/postgres/embeddedPostgres.ts';
import { endLaunched, launch } from './launched.ts';
import { isAlive, workersOf } from './workerProcesses.ts';

// Each worker is a process, which is slow to start on a busy machine.
vi.setConfig({ testTimeout: 180_000, hookTimeout: 120_000 });

const WORKERS = 3;
const KEY = '5eC7e7'.padEnd(43, 'k');

let postgres: PostgresServer;
let database: string;
beforeAll(async () => {
  postgres = await startPostgres();
});
afterAll(() => postgres.remove());
beforeEach(async () => {
  database = await postgres.createDatabase();
});
afterEach(endLaunched);

function environment(more: NodeJS.ProcessEnv = {}): NodeJS.ProcessEnv {
  return {
    PASSTHRU_STORE: postgres.url(database),
    PASSTHRU_SECRETS_ENCRYPTION_KEYS: KEY,
    PASSTHRU_WORKERS: String(WORKERS),
    PASSTHRU_HOST: 'machine-1',
    ...more,
  };
}

/** Starts the service by a new process, as `passthru serve`. */
const startService = (more?: NodeJS.ProcessEnv) =>
  launch(process.execPath, ['src/main.js', 'serve'], environment(more));

/** Sends a request over a connection of its own, which the next worker in turn gets. */
async function send(url: string, method: string, path: string, body?: object) {
  const headers = {
    'X-OpenStack-Ironic-API-Version': '1.80',
    'Content-Type': 'application/json',
    Connection: 'close',
    'Passthru-Lock-Wait': '0',
  };
  const response = await fetch(url + path, { method, headers, body: body === undefined ? null : JSON.stringify(body) });
  const text = await response.text();
  return { status: response.status, text, json: () => JSON.parse(text), job: response.headers.get('Passthru-Job-Id') };
}

/** Returns the value of each worker in the metric `name`, by its label. */
async function metric(url: string, name: string): Promise<Map<string, number>> {
  const { text } = await send(url, 'GET', '/metrics');
  const lines = [...text.matchAll(new RegExp(`^${name}\\{(?:.*,)?worker="(\\w+)".*\\} (\\S+)$`, 'gm'))];
  return new Map(lines.map(([, worker, value]) => [worker!, Number(value)]));
}

const enrol = (url: string, name: string, driver: string) => send(url, 'POST', '/v1/nodes', { name, driver });

/** Starts a job that holds its node `bench-N` until `release`; returns its id. */
async function hold(url: string, name: string): Promise<string> {
  expect((await enrol(url, name, 'bench')).status).toBe(201);
  const { status, job } = await send(url, 'POST', `/v1/nodes/${name}/vendor_passthru/hold`, { word: name });
  expect(status).toBe(202);
  return job!;
}

/** Lets the job of `hold` end, whichever worker runs it. */
async function release(url: string, name: string): Promise<void> {
  for (let worker = 0; worker < WORKERS; worker++) {
    await send(url, 'POST', '/v1/drivers/bench/vendor_passthru/release', { word: name });
  }
}

describe('the workers of one service', () => {
  test('take connections in turn, and are one conductor', async () => {
    const { url } = await startService();
    await enrol(url, 'n1', 'fake-hardware');
    for (let call = 0; call < 2 * WORKERS; call++) {
      const { status } = await send(url, 'POST', '/v1/nodes/n1/vendor_passthru/third_method_sync', { bar: 'x' });
      expect(status).toBe(200);
    }
    for (let worker = 0; worker < WORKERS; worker++) {
      const info = createClient(InfoService, createGrpcTransport({ baseUrl: url }));
      const { host, minutes } = await info.getActivity({});
      const counted = minutes.reduce((sum, minute) => sum + minute.calls, 0);
      expect([host, counted]).toEqual(['machine-1', 2 * WORKERS]);
    }
    const calls = await metric(url, 'passthru_calls_total');
    expect([...calls.keys()].sort()).toEqual(['1', '2', '3']);
    expect([...calls.values()].reduce((sum, value) => sum + value, 0)).toBe(2 * WORKERS);
    for (let worker = 0; worker < WORKERS; worker++) {
      expect((await send(url, 'GET', '/healthz')).status).toBe(200);
      const { conductors } = (await send(url, 'GET', '/v1/conductors')).json();
      expect(conductors).toMatchObject([{ hostname: 'machine-1', alive: true }]);
      expect((await send(url, 'GET', '/v1/nodes/n1')).json()).toMatchObject({ conductor: 'machine-1' });
    }
    const busy = await metric(url, 'passthru_workers_busy');
    expect([...busy].sort()).toEqual([
      ['1', 0],
      ['2', 0],
      ['3', 0],
    ]);
    expect((await metric(url, 'passthru_log_lines_dropped_total')).get('primary')).toBe(0);
    expect((await metric(url, 'process_start_time_seconds')).size).toBe(WORKERS);
  });

  test('serve the metrics at an address of their own, from any of them', async () => {
    const taken = createServer().listen(0, '127.0.0.1');
    await once(taken, 'listening');
    const { port } = taken.address() as { port: number };
    taken.close();
    await once(taken, 'close');
    await startService({ PASSTHRU_METRICS_LISTEN: `127.0.0.1:${port}` });
    for (let worker = 0; worker < WORKERS; worker++) {
      expect((await metric(`http://127.0.0.1:${port}`, 'passthru_jobs_running')).size).toBe(WORKERS);
    }
  });

  test('refuse a node that another holds, and name the holder', async () => {
    const { url } = await startService();
    const job = await hold(url, 'b');
    for (let worker = 0; worker < WORKERS; worker++) {
      const { status, text } = await send(url, 'POST', '/v1/nodes/b/vendor_passthru/hold', { word: 'b' });
      expect(status).toBe(409);
      expect(text).toContain('is locked by host machine-1');
    }
    const { reservation } = (await send(url, 'GET', '/v1/nodes/b')).json();
    expect(reservation).toBe('machine-1');
    await release(url, 'b');
    await expect.poll(async () => (await send(url, 'GET', `/v1/jobs/${job}`)).json().state).toBe('JOB_STATE_SUCCEEDED');
  });

  test('let a job be watched and cancelled through each of them', async () => {
    const { url } = await startService();
    const job = await hold(url, 'b');
    const begun = Array.from({ length: WORKERS }, () => Promise.withResolvers<void>());
    const watched = begun.map(async ({ resolve }) => {
      const client = createClient(PassthruService, createGrpcTransport({ baseUrl: url }));
      const revisions: bigint[] = [];
      for await (const { job: state } of client.watchJob({ jobId: job, afterRevision: 0n })) {
        revisions.push(state!.revision);
        resolve();
      }
      return revisions;
    });
    // No other connection may come between those of the releases, each of which a worker takes in turn.
    await Promise.all(begun.map(({ promise }) => promise));
    await release(url, 'b');
    const [first, ...others] = await Promise.all(watched);
    expect(first!.length).toBeGreaterThanOrEqual(2);
    for (const other of others) expect(other).toEqual(first);
    const next = await send(url, 'POST', '/v1/nodes/b/vendor_passthru/hold', { word: 'never' });
    expect(next.status).toBe(202);
    // Over a connection that another worker has.
    const jobs = createClient(JobService, createGrpcTransport({ baseUrl: url }));
    expect((await jobs.cancelJob({ jobId: next.job! })).job?.error?.message).toMatch(/was cancelled/);
  });

  test('run a call with an idempotency key once', async () => {
    const { url } = await startService();
    await enrol(url, 'b', 'bench');
    const call = () => {
      const client = createClient(PassthruService, createGrpcTransport({ baseUrl: url }));
      return client.callNodeMethod({ node: 'b', method: 'hold', arguments: { word: 'k' }, idempotencyKey: 'k' });
    };
    const outcomes = await Promise.all(Array.from({ length: 2 * WORKERS }, call));
    const ids = outcomes.map(({ outcome }) => (outcome.case === 'job' ? outcome.value.id : outcome.case));
    expect(new Set(ids).size).toBe(1);
    expect((await send(url, 'GET', '/v1/jobs')).json().jobs).toHaveLength(1);
    await release(url, 'k');
  });
});

describe('a stop', () => {
  test.each<[how: string, signal: (pid: number) => void]>([
    ['SIGTERM to the primary', (pid) => process.kill(pid, 'SIGTERM')],
    ['Ctrl-C, which all get', (pid) => process.kill(-pid, 'SIGINT')],
    ['SIGTERM to all, which counts once', (pid) => process.kill(-pid, 'SIGTERM')],
  ])('by %s lets calls end, and leaves nothing behind', async (_how, signal) => {
    const launched = await startService({ PASSTHRU_FAKE_VENDOR_DELAY: '3s', PASSTHRU_SHUTDOWN_GRACE: '60s' });
    const { url, pid } = launched;
    const workers = workersOf(launched.pid);
    expect(workers).toHaveLength(WORKERS);
    const calls = Array.from({ length: WORKERS }, async (_, index) => {
      await enrol(url, `n${index}`, 'fake-hardware');
      return send(url, 'POST', `/v1/nodes/n${index}/vendor_passthru/third_method_sync`, { bar: 'x' });
    });
    await expect
      .poll(async () => {
        const { nodes } = (await send(url, 'GET', '/v1/nodes?fields=reservation')).json();
        return nodes.filter(({ reservation }: { reservation: string | null }) => reservation !== null).length;
      })
      .toBe(WORKERS);
    const health = createClient(Health, createGrpcTransport({ baseUrl: url }))
      .watch({})
      [Symbol.asyncIterator]();
    expect((await health.next()).value).toMatchObject({ status: HealthCheckResponse_ServingStatus.SERVING });
    signal(pid);
    expect((await health.next()).value).toMatchObject({ status: HealthCheckResponse_ServingStatus.NOT_SERVING });
    for (const { status, text } of await Promise.all(calls)) expect({ status, text }).toMatchObject({ status: 200 });
    expect(await launched.exited).toBe(0);
    await launched.allEnded;
    expect(workers.filter(isAlive)).toEqual([]);
    expect(launched.output().match(/"msg":"stopped"/g)).toHaveLength(WORKERS);
  });

  test('refuses new calls while others end', async () => {
    const launched = await startService({ PASSTHRU_SHUTDOWN_GRACE: '1h' });
    await hold(launched.url, 'b');
    process.kill(launched.pid, 'SIGTERM');
    await expect.poll(() => launched.output().match(/"msg":"shutting down"/g)?.length).toBe(WORKERS);
    const client = createClient(PassthruService, createGrpcTransport({ baseUrl: launched.url }));
    await expect(client.callNodeMethod({ node: 'b', method: 'hold' })).rejects.toMatchObject({
      code: Code.Unavailable,
    });
    await release(launched.url, 'b');
  });

  test('is at once at a second signal later', async () => {
    const launched = await startService({ PASSTHRU_SHUTDOWN_GRACE: '1h' });
    const workers = workersOf(launched.pid);
    await hold(launched.url, 'b');
    process.kill(launched.pid, 'SIGTERM');
    await expect.poll(() => launched.output().includes('"msg":"shutting down"')).toBe(true);
    const again = setInterval(() => process.kill(launched.pid, 'SIGTERM'), 300);
    expect(await launched.exited.finally(() => clearInterval(again))).toBe(143);
    await launched.allEnded;
    expect(workers.filter(isAlive)).toEqual([]);
  });
});

describe('a process that is killed', () => {
  test('a worker: its job fails, and another worker takes its place', async () => {
    const launched = await startService({ PASSTHRU_NODE_LOCK_LEASE: '5s' });
    const { url } = launched;
    const before = workersOf(launched.pid);
    const job = await hold(url, 'b');
    const running = await metric(url, 'passthru_jobs_running');
    const [number] = [...running].find(([, jobs]) => jobs === 1)!;
    process.kill(before[Number(number) - 1]!, 'SIGKILL');
    await expect.poll(async () => (await send(url, 'GET', `/v1/jobs/${job}`)).json().state).toBe('JOB_STATE_FAILED');
    await expect
      .poll(() => launched.output())
      .toMatch(/"worker":\d,"status":137,"msg":"worker ended, starting it again"/);
    await expect.poll(() => launched.output(), { timeout: 60_000 }).toMatch(/"msg":"worker started again"/);
    const after = workersOf(launched.pid);
    expect(after).toHaveLength(WORKERS);
    expect(after.filter((pid) => !before.includes(pid))).toHaveLength(1);
    await hold(url, 'c');
    expect((await metric(url, 'passthru_jobs_running')).size).toBe(WORKERS);
    await release(url, 'c');
    process.kill(launched.pid, 'SIGTERM');
    expect(await launched.exited).toBe(0);
  });

  test('all workers at once: others take their place at the same address', async () => {
    const { url, pid } = await startService({ PASSTHRU_LISTEN: '127.0.0.1:0' });
    const before = workersOf(pid);
    for (const worker of before) process.kill(worker, 'SIGKILL');
    await expect.poll(() => workersOf(pid).filter((worker) => before.includes(worker))).toEqual([]);
    // A connection that an ending worker was passed gets no response.
    const status = () => fetch(`${url}/healthz`, { signal: AbortSignal.timeout(5000) }).then((each) => each.status);
    await expect.poll(() => status().catch(String), { timeout: 60_000 }).toBe(200);
  });

  test('the primary: the workers stop in order, and none is left', async () => {
    const launched = await startService({ PASSTHRU_SHUTDOWN_GRACE: '1s' });
    const workers = workersOf(launched.pid);
    const job = await hold(launched.url, 'b');
    process.kill(launched.pid, 'SIGKILL');
    await expect.poll(() => workers.filter(isAlive)).toEqual([]);
    await expect(fetch(launched.url)).rejects.toThrow();
    // Not lost with its worker, but ended by it.
    const rows = await postgres.query<{ state: string; error: string }>(
      `select state, error from jobs where id = '${job}'`,
      database,
    );
    expect(rows).toMatchObject([{ state: 'failed', error: expect.stringMatching(/shut down/) }]);
  });
});

describe('a start that fails', () => {
  let directory: string;
  beforeAll(() => {
    directory = mkdtempSync(join(tmpdir(), 'passthru-workers-'));
  });
  afterAll(() => rmSync(directory, { recursive: true }));

  const fail = (more: NodeJS.ProcessEnv): Promise<Ended> =>
    passthru(['serve'], { ...environment({ PASSTHRU_LISTEN: '127.0.0.1:0', PASSTHRU_LOG_LEVEL: 'silent', ...more }) });

  test('is reported once, with the reason and status 1', async () => {
    const taken = createServer().listen(0, '127.0.0.1');
    await once(taken, 'listening');
    const { port } = taken.address() as { port: number };
    const { status, stdout, stderr } = await fail({ PASSTHRU_LISTEN: `127.0.0.1:${port}` });
    taken.close();
    expect({ status, stdout }).toEqual({ status: 1, stdout: '' });
    expect(stderr).toBe(
      `error: passthru cannot start:\n  Cannot listen on 127.0.0.1:${port}: the address is already in use\n`,
    );
  });

  test('on a file that only the workers read too', async () => {
    const file = join(directory, 'nodes.yaml');
    writeFileSync(file, 'nodes: [{ name: n1, driver: fake-hardwear }]');
    const { status, stderr } = await fail({ PASSTHRU_NODES_FILE: file });
    expect(status).toBe(1);
    expect(stderr.match(/^error: passthru cannot start:\n/gm)).toHaveLength(1);
    expect(stderr).toMatch(/unknown driver "fake-hardwear"/);
  });

  test('with an invalid configuration, and on SQLite', async () => {
    expect((await fail({ PASSTHRU_LOG_LEVEL: 'loud' })).stderr).toMatch(
      /^error: passthru cannot start:\n {2}PASSTHRU_LOG_LEVEL/,
    );
    const { status, stderr } = await fail({ PASSTHRU_STORE: 'sqlite:./passthru.db' });
    expect(status).toBe(1);
    expect(stderr).toBe(
      'error: passthru cannot start:\n  PASSTHRU_WORKERS: 3 is not allowed; allowed: 1 with store "sqlite:./passthru.db", because one process owns a SQLite database; for more set store to postgres://USER@HOST/DATABASE\n',
    );
  });
});

test('the log has whole lines, each with the number of its worker, although all write at once', async () => {
  const launched = await startService();
  const { url } = launched;
  await enrol(url, 'b', 'bench');
  // Longer than what a pipe takes in one piece.
  const text = 'x'.repeat(3900);
  await Promise.all(
    Array.from({ length: 60 }, () => send(url, 'POST', '/v1/nodes/b/vendor_passthru/echo', { text, list: [text] })),
  );
  process.kill(launched.pid, 'SIGTERM');
  await launched.allEnded;
  const lines = launched
    .output()
    .trim()
    .split('\n')
    .filter((line) => !line.startsWith('listening on '))
    .map((line) => JSON.parse(line) as { worker?: number });
  expect(new Set(lines.map(({ worker }) => worker))).toEqual(new Set([1, 2, 3]));
  expect(lines.length).toBeGreaterThan(60);
});

test.each<[how: string, command: string, args: readonly string[]]>([
  ['npm start', 'npm', ['start', '--silent']],
  ['npm exec', 'npm', ['exec', '-c', 'node src/main.js serve; true']],
])('%s stops all workers when npm gets SIGTERM', async (_how, command, args) => {
  const launched = await launch(command, args, environment());
  process.kill(launched.pid, 'SIGTERM');
  await launched.allEnded;
  expect(launched.output().match(/"msg":"stopped"/g)).toHaveLength(WORKERS);
});
