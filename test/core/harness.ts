import { z } from 'zod';
import type { AgeClock } from '../../src/core/ageClock.ts';
import type { Caller } from '../../src/core/caller.ts';
import { ANONYMOUS } from '../../src/core/caller.ts';
import type { Core, DriverCall, NodeCall } from '../../src/core/core.ts';
import { type CoreSettings, createCore } from '../../src/core/create.ts';
import { PassthruError } from '../../src/core/errors.ts';
import type { HardwareType } from '../../src/core/hardware.ts';
import type { Json } from '../../src/core/json.ts';
import { type Logger, silentLogger } from '../../src/core/logger.ts';
import { Attachment, defineMethod } from '../../src/core/method.ts';
import type { Observer } from '../../src/core/observer.ts';
import type { Store } from '../../src/core/store.ts';
import type { DriverTask, NodeTask, Task } from '../../src/core/task.ts';
import { openStore } from '../../src/store/open.ts';

/** A running call that the test ends. */
export interface HeldCall {
  task: Task;
  args: Record<string, unknown>;
  finish(result: Json): void;
  fail(error: Error): void;
}

/** A hardware type whose methods wait for the test. */
export class GatedHardware {
  /** The calls that run, in the order in which they began. */
  readonly calls: HeldCall[] = [];
  #arrived: (() => void)[] = [];

  readonly hardwareType: HardwareType = {
    name: 'gated',
    properties: {},
    longestRequest: ({ driverInfo }) => (typeof driverInfo.timeout === 'number' ? driverInfo.timeout : 0),
    vendorInterfaces: [
      {
        name: 'gated',
        validate(node) {
          if (node.driverInfo.broken) throw new PassthruError('invalid_argument', `Node ${node.uuid} is broken`);
        },
        methods: [
          this.#method('exclusive', {}),
          this.#method('shared', { requireExclusiveLock: false }),
          this.#method('work', { async: true }),
          this.#method('shared_work', { async: true, requireExclusiveLock: false }),
          this.#method('both_verbs', { httpMethods: ['GET', 'POST'] }),
          defineMethod({
            name: 'attachment',
            httpMethods: ['GET'],
            description: 'Returns bytes',
            attach: true,
            arguments: z.object({}),
            handler: async (_task: NodeTask) => new Attachment(Buffer.from('a,b\n'), 'text/csv', 'table.csv'),
          }),
          defineMethod({
            name: 'defect',
            httpMethods: ['POST'],
            description: 'Throws an internal error',
            arguments: z.object({}),
            result: z.null(),
            handler: async (): Promise<null> => {
              throw new TypeError('internal text');
            },
          }),
        ],
      },
      { name: 'no-vendor', methods: [] },
    ],
    driverMethods: [this.#method('survey', { async: true })],
  };

  /** Waits for call number `index` (from 0) to run, and returns it. */
  async call(index: number): Promise<HeldCall> {
    while (this.calls.length <= index) await new Promise<void>((resolve) => this.#arrived.push(resolve));
    return this.calls[index] as HeldCall;
  }

  #method(name: string, flags: { async?: boolean; requireExclusiveLock?: boolean; httpMethods?: ['GET', 'POST'] }) {
    return defineMethod<NodeTask & DriverTask, z.ZodObject, z.ZodAny>({
      name,
      httpMethods: ['POST'],
      description: `The method ${name}`,
      arguments: z.object({ word: z.string().optional(), count: z.number().optional(), any: z.any().optional() }),
      result: z.any(),
      ...flags,
      handler: (task, args) => {
        const held = Promise.withResolvers<Json>();
        task.signal.addEventListener('abort', () => held.reject(task.signal.reason), { once: true });
        this.calls.push({ task, args, finish: held.resolve, fail: held.reject });
        for (const arrived of this.#arrived.splice(0)) arrived();
        return held.promise;
      },
    });
  }
}

export interface TestCore {
  core: Core;
  store: Store;
  hardware: GatedHardware;
}

/** Opens a SQLite store in memory. With `shared` it claims to be shared, so that reservations are stored. */
export async function openMemoryStore(shared = false): Promise<Store> {
  return Object.assign(await openStore('sqlite::memory:', { log: silentLogger }), { shared });
}

/** Starts a core on a SQLite store in memory, with nodes of the names given. */
export async function startCore(
  nodes: string[] = ['n1'],
  settings: Partial<CoreSettings> = {},
  shared = false,
): Promise<TestCore> {
  const started = await startCoreOn(await openMemoryStore(shared), 'host-a', settings);
  for (const name of nodes) await started.core.nodes.create({ name, driver: 'gated' }, operator);
  return started;
}

/** Starts a core on `store`, whose reservations show `host`. */
export async function startCoreOn(
  store: Store,
  host: string,
  settings: Partial<CoreSettings> = {},
  observer?: Observer,
  log: Logger = silentLogger,
  clock?: AgeClock,
): Promise<TestCore> {
  const hardware = new GatedHardware();
  const core = await createCore({
    store,
    hardwareTypes: [hardware.hardwareType],
    host,
    log,
    settings: { lockedRetryAttempts: 3, lockedRetryInterval: 20, maxLockWait: 60_000, workers: 4, ...settings },
    observer,
    clock,
  });
  return { core, store, hardware };
}

export const operator: Caller = { name: 'operator', role: 'admin' };

/** Returns a call of `method` on node n1, with defaults for the rest. */
export function nodeCall(method: string | null, given: Partial<NodeCall> = {}): NodeCall {
  return { node: 'n1', ...defaults(method), lockWait: null, ...given };
}

export function driverCall(method: string | null, given: Partial<DriverCall> = {}): DriverCall {
  return { driver: 'gated', ...defaults(method), ...given };
}

function defaults(method: string | null) {
  return {
    method,
    arguments: {},
    httpMethod: null,
    idempotencyKey: null,
    caller: operator,
    signal: new AbortController().signal,
    deadline: null,
  };
}

/** Makes an asynchronous call and returns its job. */
export async function startJob(core: Core, call: NodeCall) {
  const outcome = await core.callNodeMethod(call);
  if (outcome.kind !== 'job') throw new Error(`${call.method} returned ${outcome.kind}`);
  return outcome.job;
}

/** Returns the states of a job to its end. */
export async function watchToEnd(core: Core, id: string, afterRevision: number | null = null) {
  const seen = [];
  for await (const job of core.jobs.watch(id, afterRevision, ANONYMOUS, new AbortController().signal)) seen.push(job);
  return seen;
}
