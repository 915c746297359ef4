import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import fc from 'fast-check';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { OPEN_ACCESS } from '../../src/auth/access.ts';
import { ANONYMOUS } from '../../src/core/caller.ts';
import type { Core } from '../../src/core/core.ts';
import { createCore } from '../../src/core/create.ts';
import { INTERNAL_MESSAGE } from '../../src/core/errors.ts';
import { isTerminal } from '../../src/core/job.ts';
import type { Logger } from '../../src/core/logger.ts';
import type { Store } from '../../src/core/store.ts';
import { createFakeHardwareType } from '../../src/drivers/fake/fakeHardwareType.ts';
import { CallsInFlight } from '../../src/edge/callsInFlight.ts';
import type { Listener } from '../../src/http/listener.ts';
import { createRestHandler } from '../../src/rest/handler.ts';
import { serveApis } from '../../src/service.ts';
import { openStore } from '../../src/store/open.ts';
import { CALL_LIMITS, LISTENER_LIMITS } from '../defaultLimits.ts';
import { FuzzClient, type FuzzResponse } from './client.ts';
import { rawHttp1, restInput } from './restInputs.ts';
import { connectInput, grpcInput, rawHttp2 } from './rpcInputs.ts';
import { NODES } from './words.ts';

/** The number of inputs; CI sends 100,000. */
const RUNS = Number(process.env.FUZZ_RUNS ?? 5000);
/** The number of concurrent inputs. */
const AT_ONCE = 50;
/** The number of inputs between two cleanups. */
const ROUND = 2000;
/** Reproduces a run: FUZZ_SEED. */
const SEED = Number(process.env.FUZZ_SEED ?? Date.now() % 2 ** 31);

/** Text that must not appear in a response. */
const INTERNALS =
  /\bat .{1,80}[:(]\d+:\d+|\.[jt]s:\d|node:(?:internal|http)|node_modules|(?:Type|Range|Reference|Syntax)Error|Cannot read prop|is not (?:a function|iterable)|SQLITE_|sqlite/;

let store: Store;
let core: Core;
let listener: Listener;
let client: FuzzClient;
/** The defects in the log. */
const defects: object[] = [];
const log: Logger = {
  debug() {},
  info() {},
  warn() {},
  error: (fields, message) => void defects.push({ message, ...fields }),
};

beforeAll(async () => {
  store = await openStore('sqlite::memory:', { log });
  core = await createCore({
    store,
    hardwareTypes: [createFakeHardwareType({ vendorDelay: 0 })],
    host: 'fuzz-host',
    log,
    settings: { lockedRetryAttempts: 1, lockedRetryInterval: 5, maxLockWait: 20, workers: 100 },
  });
  const shared = { core, access: OPEN_ACCESS, calls: new CallsInFlight(CALL_LIMITS), corsOrigins: [], log };
  const rest = createRestHandler(shared);
  const where = { host: '127.0.0.1', port: 0, localNamesOnly: false };
  listener = await serveApis({ ...shared, ...where, rest, limits: { ...LISTENER_LIMITS, firstBytesTimeout: 10_000 } });
  client = new FuzzClient(listener.url);
  await resetNodes();
});

afterAll(async () => {
  await client.close();
  await Promise.all([listener.close(0), core.shutdown(0)]);
  await store.close();
});

/** Removes what the inputs have created, and restores the nodes that they target. */
async function resetNodes(): Promise<void> {
  const signal = new AbortController().signal;
  const page = { limit: 1000, marker: null, sortKey: 'uuid', sortDirection: 'asc' } as const;
  for (let nodes = await core.nodes.list(page); nodes.items.length > 0; nodes = await core.nodes.list(page)) {
    for (const { uuid } of nodes.items) {
      await core.nodes.unlock(uuid, ANONYMOUS);
      await core.nodes.delete(uuid, ANONYMOUS, signal);
    }
  }
  await store.removeEndedJobs({ endTime: new Date(), id: '~' }, 100_000);
  for (const name of NODES) await core.nodes.create({ name, driver: 'fake-hardware' }, ANONYMOUS);
  await core.nodes.lock('held-1', { holder: 'somebody', lockWait: 0, caller: ANONYMOUS, signal });
}

/** Inputs of every kind, as functions that send one. */
const input = fc.oneof(
  { weight: 40, arbitrary: restInput.map((input) => ({ kind: 'REST', input, send: () => client.http(input) })) },
  { weight: 30, arbitrary: connectInput.map((input) => ({ kind: 'Connect', input, send: () => client.http(input) })) },
  { weight: 25, arbitrary: grpcInput.map((input) => ({ kind: 'gRPC', input, send: () => client.grpc(input) })) },
  { weight: 3, arbitrary: rawHttp2.map((input) => ({ kind: 'HTTP/2', input, send: () => client.raw(input) })) },
  { weight: 2, arbitrary: rawHttp1.map((input) => ({ kind: 'HTTP/1.1', input, send: () => client.raw(input) })) },
);

/** Returns the fault of a response; null when there is none. */
function fault({ status, grpcStatus, text }: FuzzResponse): string | null {
  if (INTERNALS.test(text)) return 'it shows internals';
  if (text.includes(INTERNAL_MESSAGE)) return 'it is a defect';
  if (status !== null && status >= 500 && status !== 501 && status !== 503 && status !== 504 && status !== 505) {
    // Connect's statuses for a binary message that cannot be decoded.
    if (!text.includes('"internal"')) return 'its status is that of a defect';
  }
  // 2 is UNKNOWN. A message that cannot be decoded may be 13, INTERNAL.
  return grpcStatus === '2' ? 'its status is UNKNOWN' : null;
}

async function fuzz(runs: number, seed: number): Promise<void> {
  const property = fc.asyncProperty(fc.array(input, { minLength: AT_ONCE, maxLength: AT_ONCE }), async (inputs) => {
    await Promise.all(
      inputs.map(async ({ kind, input, send }) => {
        const response = await send();
        const found = fault(response);
        if (found !== null) throw new Error(`${kind}: ${found}: ${inspect(input)}\n${JSON.stringify(response)}`);
      }),
    );
    expect(defects.splice(0)).toEqual([]);
  });
  await fc.assert(property, { numRuns: Math.ceil(runs / AT_ONCE), seed, endOnFailure: true });
}

function inspect(input: object): string {
  return JSON.stringify(input, (_key, value) =>
    value instanceof Uint8Array ? Buffer.from(value).toString('latin1') : value,
  );
}

/** Returns the running jobs and the reservations not made by `LockNode`. */
async function leftovers(): Promise<object[]> {
  const jobs = await core.jobs.list({ limit: 1000, olderThan: null, node: null, driver: null, state: null }, ANONYMOUS);
  const nodes = await core.nodes.list({ limit: 100_000, marker: null, sortKey: 'uuid', sortDirection: 'asc' });
  return [
    ...jobs.items.filter((job) => !isTerminal(job)),
    ...nodes.items.filter(({ reservation }) => reservation?.kind === 'call'),
  ];
}

function heapAfterCollection(): number {
  setFlagsFromString('--expose-gc');
  const collect = runInNewContext('gc') as () => void;
  collect();
  collect();
  return process.memoryUsage().heapUsed;
}

test(`${RUNS} inputs: no response is a defect or shows internals, and no lock, job or memory is left (seed ${SEED})`, async () => {
  const heaps: number[] = [];
  for (let sent = 0; sent < RUNS; sent += ROUND) {
    await fuzz(Math.min(ROUND, RUNS - sent), SEED + sent);
    await expect.poll(leftovers, { timeout: 5000 }).toEqual([]);
    await resetNodes();
    heaps.push(heapAfterCollection());
  }
  expect((await fetch(`${listener.url}/healthz`)).status).toBe(200);
  // The first third warms up caches and compiled code. Medians, since not every garbage collection is complete.
  const third = Math.max(1, Math.floor(heaps.length / 3));
  const growth = median(heaps.slice(-third)) - median(heaps.slice(third, 2 * third));
  if (heaps.length >= 9) expect(growth).toBeLessThan(4 * 1024 * 1024);
}, 900_000);

function median(values: number[]): number {
  return values.toSorted((a, b) => a - b)[values.length >> 1] as number;
}
