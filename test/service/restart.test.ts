import { rmSync, writeFileSync } from 'node:fs';
import { mkdtemp } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { type Served, serve } from '../cli/run.ts';

const ROUNDS = 5;
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
    // No call ends before the process does.
    PASSTHRU_FAKE_VENDOR_DELAY: '1h',
  };
});
afterAll(async () => {
  served?.command.process.kill('SIGKILL');
  await served?.command.ended;
  rmSync(directory, { recursive: true });
});

/** Asks the service that runs now; answers null when it died before it answered. */
async function ask(method: string, path: string, headers: Record<string, string> = {}, body?: object) {
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
  return ask('POST', `/v1/nodes/${node}/vendor_passthru/${method}`, { 'Idempotency-Key': key }, { bar: 'x' });
}

/** A job whose acceptance its caller was told. */
interface Accepted {
  id: string;
  node: string;
  method: string;
  key: string;
}

/** Calls in parallel, and kills the service when it has accepted `enough` of them, with the others still on their way. */
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
      const answer = await call(node, method, key);
      if (answer === null) return;
      expect(answer.status).toBe(202);
      accepted.push({ id: answer.headers.get('Passthru-Job-Id') as string, node, method, key });
      if (accepted.length === enough) command.process.kill('SIGKILL');
    }),
  );
  await command.ended;
  return accepted;
}

/** Begins a synchronous call, and resolves when it has the node. */
async function beginSynchronousCall(key: string): Promise<void> {
  void call('calling', 'third_method_sync', key);
  for (;;) {
    const node = await ask('GET', '/v1/nodes/calling');
    if (node?.body.reservation !== null) return;
  }
}

test('whatever the moment of a kill -9, the next start ends what ran, frees what was called and loses no job', async () => {
  const all: Accepted[] = [];
  served = await serve([], environment);
  for (let round = 0; round < ROUNDS; round++) {
    await beginSynchronousCall(`${round}-synchronous`);
    const accepted = await callAndKill(round, 1 + round * 4);
    expect(accepted.length).toBeGreaterThan(round * 4);
    all.push(...accepted);

    served = await serve([], environment);
    expect((await ask('GET', '/v1/jobs?state=running'))?.body).toEqual({ jobs: [] });
    for (const { id, method } of all) {
      expect((await ask('GET', `/v1/jobs/${id}`))?.body).toMatchObject({
        method,
        state: 'JOB_STATE_FAILED',
        end_time: expect.any(String),
        error: { reason: 'ERROR_REASON_WORKER_LOST', message: expect.stringMatching(/^worker lost/) },
      });
    }
    const nodes: { name: string; reservation: string | null; last_error: string | null }[] = (
      await ask('GET', '/v1/nodes/detail')
    )?.body.nodes;
    expect(nodes).toHaveLength(WORKING.length + 2);
    for (const { name, reservation, last_error } of nodes) {
      expect({ name, reservation }).toEqual({ name, reservation: name === 'held' ? HELD_BY : null });
      if (accepted.some(({ node }) => node === name)) {
        expect(last_error).toMatch(/^Async execution of \w+ failed with error: worker lost/);
      }
    }
    // A repeat is told of the job that there was; of the synchronous call nobody can know what became.
    for (const { id, node, method, key } of accepted) {
      expect((await call(node, method, key))?.headers.get('Passthru-Job-Id')).toBe(id);
    }
    const unknown = await call('calling', 'third_method_sync', `${round}-synchronous`);
    expect(unknown?.status).toBe(500);
    expect(JSON.parse(unknown?.body.error_message).faultstring).toMatch(/whether it was carried out is not known/);
  }
  expect((await served.stop()).status).toBe(0);
  served = null;
}, 60_000);
