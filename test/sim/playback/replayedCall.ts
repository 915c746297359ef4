import { ANONYMOUS } from '../../../src/core/caller.ts';
import type { Core } from '../../../src/core/core.ts';
import { createCore } from '../../../src/core/create.ts';
import { fromErrorRecord, PassthruError } from '../../../src/core/errors.ts';
import { isTerminal } from '../../../src/core/job.ts';
import type { JsonObject } from '../../../src/core/json.ts';
import { silentLogger } from '../../../src/core/logger.ts';
import type { Store } from '../../../src/core/store.ts';
import { createRedfishHardwareType } from '../../../src/drivers/redfish/redfishHardwareType.ts';
import {
  type FleetOptions,
  parseTranscript,
  type SimulatedBmc,
  startFleet,
  startPlayback,
} from '../../../src/sim/index.ts';
import { openStore } from '../../../src/store/open.ts';

const caller = { name: 'test', role: 'admin' } as const;
const { signal: forever } = new AbortController();

/** A call to record and to replay. */
export interface RecordedCall {
  method: string;
  args: JsonObject;
}

/** How a call ended. */
export interface Ended {
  result?: unknown;
  kind?: string;
  message?: string;
}

/** A core, with a driver that knows nothing yet of any BMC, on a store in memory. */
export class Service {
  readonly #core: Core;
  readonly #store: Store;

  private constructor(core: Core, store: Store) {
    this.#core = core;
    this.#store = store;
  }

  /** Starts one whose node `n` has the BMC at `url`. */
  static async start(url: string, driverInfo: JsonObject): Promise<Service> {
    const store = await openStore('sqlite::memory:', { log: silentLogger });
    const settings = {
      authType: 'auto',
      connectionAttempts: 2,
      connectionRetryIntervalMs: 10,
      // Short, as some machines never respond; long enough for a busy computer.
      requestTimeoutMs: 1500,
    } as const;
    const core = await createCore({
      store,
      hardwareTypes: [createRedfishHardwareType({ settings, log: silentLogger })],
      host: 'test',
      log: silentLogger,
      settings: { lockedRetryAttempts: 1, lockedRetryInterval: 10, maxLockWait: 1000, workers: 4, recorder: 'all' },
    });
    const account = { redfish_username: 'u', redfish_password: 'p' };
    const info = { redfish_address: url, ...account, ...driverInfo };
    await core.nodes.create({ name: 'n', uuid: NODE, driver: 'redfish', driverInfo: info }, caller);
    return new Service(core, store);
  }

  /** Makes a call. Returns how it ended, and its transcript; null when it exchanged nothing with the BMC. */
  async call(url: string, { method, args }: RecordedCall): Promise<{ ended: Ended; transcript: string | null }> {
    try {
      const { result, id } = await this.#run(url, method, args);
      return { ended: { result: result ?? null }, transcript: await this.#transcript(id) };
    } catch (error) {
      if (!(error instanceof PassthruError)) throw error;
      const { kind, message, transcriptId } = error;
      return { ended: { kind, message }, transcript: await this.#transcript(transcriptId) };
    }
  }

  async #run(url: string, method: string, args: JsonObject): Promise<{ result: unknown; id: string | undefined }> {
    const rest = { httpMethod: null, idempotencyKey: null, caller, signal: forever, deadline: null };
    const outcome =
      method === 'discover'
        ? await this.#core.callDriverMethod({
            driver: 'redfish',
            method,
            arguments: { address: url, username: 'u', password: 'p', ...args },
            ...rest,
          })
        : await this.#core.callNodeMethod({ node: 'n', method, arguments: args, ...rest, lockWait: null });
    if (outcome.kind === 'result') return { result: outcome.result, id: outcome.transcriptId };
    if (outcome.kind !== 'job') throw new Error(`${method} attaches`);
    const { id } = outcome.job;
    for await (const job of this.#core.jobs.watch(id, null, ANONYMOUS, forever)) {
      if (!isTerminal(job)) continue;
      if (job.error !== null) throw Object.assign(fromErrorRecord(job.error), { transcriptId: id });
      return { result: job.result, id };
    }
    throw new Error('the watch ended before the job');
  }

  async #transcript(id: string | undefined): Promise<string | null> {
    if (id === undefined) return null;
    return this.#core.jobs.transcript(id, caller).catch((error: PassthruError) => {
      if (error.kind === 'transcript_not_found') return null;
      throw error;
    });
  }

  async close(): Promise<void> {
    await this.#core.shutdown(1000);
    await this.#store.close();
  }
}

/** The node's, in every service, as messages name it. */
const NODE = '22222222-2222-4222-8222-222222222222';

/** A call to record and to replay on one machine. */
export interface Recording {
  call: RecordedCall;
  fleet?: FleetOptions;
  /** Of the node, besides its address and account. */
  driverInfo?: JsonObject;
  /** Changes the machine before the driver meets it. */
  prepare?(bmc: SimulatedBmc): void | Promise<void>;
  /** Calls that the driver makes first, so that it knows the machine. */
  before?: RecordedCall[];
  /** Changes the machine right before the recorded call. */
  then?(bmc: SimulatedBmc): void | Promise<void>;
}

/** A recorded call and its replay. */
interface Replay {
  recorded: Ended;
  /** Null when the recorded call exchanged nothing with the BMC, so that nothing was recorded. */
  replayed: Ended | null;
}

/** Records a call on a simulated BMC, and plays its transcript back to a service that knows nothing. */
export async function recordAndReplay(recording: Recording): Promise<Replay> {
  const { call, fleet: options, driverInfo = {}, prepare, before = [], then } = recording;
  const fleet = await startFleet(options);
  const bmc = fleet.bmcs[0]!;
  const service = await Service.start(bmc.url, driverInfo);
  try {
    await prepare?.(bmc);
    for (const earlier of before) await service.call(bmc.url, earlier);
    await then?.(bmc);
    const { ended, transcript } = await service.call(bmc.url, call);
    const replayed = transcript === null ? null : await replay(transcript, call, driverInfo);
    return { recorded: comparable(ended, bmc.url), replayed };
  } finally {
    await service.close();
    await fleet.close();
  }
}

/** Plays a transcript back to a service that knows nothing, and returns how the call ends there. */
export async function replay(transcript: string, call: RecordedCall, driverInfo: JsonObject = {}): Promise<Ended> {
  const playback = await startPlayback({ transcript: parseTranscript(transcript) });
  const url = playback.urls[0]!;
  const service = await Service.start(url, driverInfo);
  try {
    const { ended } = await service.call(url, call);
    return comparable(ended, url);
  } finally {
    await service.close();
    await playback.close();
  }
}

/** Returns an end without the address of the BMC. */
function comparable(ended: Ended, url: string): Ended {
  const text = JSON.stringify(ended).replaceAll(url, 'http://bmc').replaceAll(new URL(url).host, 'bmc');
  return JSON.parse(text);
}
