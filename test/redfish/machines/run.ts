import { ANONYMOUS } from '../../../src/core/caller.ts';
import type { Core } from '../../../src/core/core.ts';
import { createCore } from '../../../src/core/create.ts';
import { type ErrorRecord, fromErrorRecord, PassthruError, toErrorRecord } from '../../../src/core/errors.ts';
import { isTerminal } from '../../../src/core/job.ts';
import type { Json, JsonObject } from '../../../src/core/json.ts';
import { silentLogger } from '../../../src/core/logger.ts';
import { createRedfishHardwareType } from '../../../src/drivers/redfish/redfishHardwareType.ts';
import type { SimulatedBmc } from '../../../src/sim/index.ts';
import { PROFILES, QUIRKS, startFleet } from '../../../src/sim/index.ts';
import { openStore } from '../../../src/store/open.ts';
import { groupOf, quirkOf } from './choices.ts';
import { withOwnClock } from './clock.ts';
import type { Exchange, Record } from './exchanges.ts';
import { recordExchanges } from './exchanges.ts';
import { devicesAt, furnish, type Held, type HeldDevice, subscriptionsAt, systemOf } from './furnish.ts';
import type { Call, Machine } from './machine.ts';
import { compatible } from './machine.ts';

export const PASSWORD = 'pa55-of-the-machine';
export const WRONG_PASSWORD = 'pa55-that-is-wrong';
export const IMAGE_USER = 'us3r-of-the-image';
export const IMAGE_PASSWORD = 'pa55-of-the-image';
export const SECRET_HEADER = 's3cret-of-the-listener';
/** Milliseconds within which every call ends, far above what one takes, and below what it would take in a loop. */
export const DEADLINE_MS = 10_000;

const caller = { name: 'machines', role: 'admin' } as const;
const { signal: forever } = new AbortController();

/** The state of a machine that calls may change. */
export interface State {
  subscriptions: Held[];
  devices: HeldDevice[];
  eventsEnabled: boolean;
}

/** A call that has ended, with the machine before and after it, and what it sent. */
export interface Ended {
  call: Call;
  /** The subscription's id, for get and delete. */
  id: string;
  /** Whether another call ran at the same time. */
  shared: boolean;
  result: Json | undefined;
  error: ErrorRecord | null;
  before: State;
  after: State;
  sent: Exchange[];
  /** All that the machine met meanwhile, with log-ins and the other call's. */
  met: Exchange[];
  durationMs: number;
}

/** What became of a machine. */
export interface Story {
  machine: Machine;
  /** All of its quirks, with those of its profile. */
  quirks: string[];
  calls: Ended[];
  record: Record;
  sessionsLeft: number;
  nodesBusy: string[];
  /** Texts in which a secret may not be, besides results and errors. */
  texts: string[];
}

/** One core for all machines; each has its own BMC and nodes. */
export interface Workshop {
  run(machine: Machine): Promise<Story>;
  close(): Promise<void>;
}

export async function openWorkshop(): Promise<Workshop> {
  const store = await openStore('sqlite::memory:', { log: silentLogger });
  const settings = {
    authType: 'auto' as const,
    connectionAttempts: 3,
    connectionRetryIntervalMs: 5,
    requestTimeoutMs: 5000,
    fenceHeader: true,
  };
  const core = await createCore({
    store,
    hardwareTypes: [createRedfishHardwareType({ settings, log: silentLogger })],
    host: 'machines',
    log: silentLogger,
    settings: { lockedRetryAttempts: 100, lockedRetryInterval: 20, maxLockWait: 60_000, workers: 20 },
  });
  let number = 0;
  return {
    run: (machine) => withOwnClock(() => runMachine(core, machine, ++number)),
    async close() {
      await core.shutdown(1000);
      await store.close();
    },
  };
}

/** The quirks that make their changes later, or refuse at once: outermost, in this order. */
const OUTERMOST = ['busy', 'reads', 'tasks', 'lingering'];

/** Returns the names of all quirks of a machine, outermost first. Its own replace those of its profile. */
export function quirksOf(machine: Machine): string[] {
  const known = (name: string) => {
    try {
      return groupOf(name) !== '';
    } catch {
      return false;
    }
  };
  const ofProfile = (PROFILES.get(machine.profile)!.quirks ?? []).map(({ name }) => name).filter(known);
  const all = compatible([...machine.quirks, ...ofProfile]);
  const rank = (name: string) => {
    const index = OUTERMOST.indexOf(groupOf(name));
    return index === -1 ? OUTERMOST.length : index;
  };
  return all.toSorted((a, b) => rank(a) - rank(b));
}

async function runMachine(core: Core, machine: Machine, number: number): Promise<Story> {
  const record = recordExchanges(machine.hiccups);
  const names = quirksOf(machine);
  const twins = machine.place === 'both-same' ? [QUIRKS.get('media-under-both')!] : [];
  const fleet = await startFleet({
    profile: furnish(machine),
    quirks: [record.first, ...names.map(quirkOf), ...twins, record.last],
    accounts: { operator: PASSWORD },
  });
  const bmc = fleet.bmcs[0]!;
  const story: Story = { machine, quirks: names, calls: [], record, sessionsLeft: 0, nodesBusy: [], texts: [] };
  const nodes = [`m${number}-0`, `m${number}-1`] as const;
  const uuids = new Map<string, string>();
  try {
    for (const name of nodes) {
      const node = await core.nodes.create({ name, driver: 'redfish', driverInfo: driverInfo(machine, bmc) }, caller);
      uuids.set(name, node.uuid);
    }
    for (const step of machine.steps) {
      if ('bmc' in step) disturb(bmc, machine, step.bmc);
      else await runCalls(core, machine, bmc, record, nodes, uuids, step.calls, story);
    }
    for (const name of nodes) {
      const node = await core.nodes.get(name);
      if (node.reservation !== null) story.nodesBusy.push(name);
      story.texts.push(JSON.stringify(node.lastError ?? ''));
    }
    for (const name of nodes) await core.nodes.delete(name, caller, forever);
    story.sessionsLeft = bmc.sessions.length;
  } finally {
    await fleet.close();
  }
  return story;
}

function driverInfo(machine: Machine, bmc: SimulatedBmc): JsonObject {
  return {
    redfish_address: bmc.url,
    redfish_username: 'operator',
    redfish_password: machine.wrongPassword ? WRONG_PASSWORD : PASSWORD,
    redfish_auth_type: machine.authType,
    ...(machine.systemId ? { redfish_system_id: systemOf(machine) } : {}),
  };
}

function disturb(bmc: SimulatedBmc, machine: Machine, what: string): void {
  if (what === 'sessions end') bmc.expireSessions();
  if (what === 'restart') void bmc.restart({ serviceRoot: 'etag' });
  if (what === 'subscriptions lost') for (const { path } of subscriptionsAt(bmc)) bmc.documents.removeMember(path);
  if (what === 'media inserted') {
    for (const { path, id } of devicesAt(bmc, machine.profile)) {
      bmc.documents.set(path, { ...bmc.documents.get(path), Inserted: true, Image: `http://images.example/new-${id}` });
    }
  }
}

async function runCalls(
  core: Core,
  machine: Machine,
  bmc: SimulatedBmc,
  record: Record,
  nodes: readonly [string, string],
  uuids: Map<string, string>,
  calls: Call[],
  story: Story,
): Promise<void> {
  const before = stateOf(bmc, machine);
  const from = record.exchanges.length;
  const ended = await Promise.all(
    calls.map(async (call) => {
      const id = idOf(call, before.subscriptions);
      const begun = Date.now();
      const outcome = await outcomeOf(core, call, nodes[call.node], argumentsOf(call, id, machine, bmc));
      return { call, id, ...outcome, durationMs: Date.now() - begun };
    }),
  );
  const met = record.exchanges.slice(from);
  if (story.quirks.some((name) => name.startsWith('tasks'))) await settle(bmc);
  const after = stateOf(bmc, machine);
  for (const each of ended) {
    const uuid = uuids.get(nodes[each.call.node]);
    const isDiscover = each.call.method === 'discover';
    const sent = met.filter(({ node }) => (isDiscover ? false : node === uuid));
    story.calls.push({ ...each, shared: calls.length > 1, before, after, sent, met });
  }
}

/** Reads until every task of the BMC has ended, so that its changes are made. */
async function settle(bmc: SimulatedBmc): Promise<void> {
  const headers = { Authorization: `Basic ${btoa(`operator:${PASSWORD}`)}` };
  for (let i = 0; i < 8; i++) {
    const read = fetch(`${bmc.url}/redfish/v1/TaskService/`, { headers });
    await read.then((response) => response.text()).catch(() => '');
  }
}

function idOf({ which }: Call, subscriptions: Held[]): string {
  if (which === 'missing') return 'none-such';
  return subscriptions[which % Math.max(1, subscriptions.length)]?.id ?? 'none-such';
}

function stateOf(bmc: SimulatedBmc, machine: Machine): State {
  return {
    subscriptions: subscriptionsAt(bmc),
    devices: devicesAt(bmc, machine.profile),
    eventsEnabled: bmc.documents.get('/redfish/v1/EventService')?.ServiceEnabled !== false,
  };
}

function argumentsOf(call: Call, id: string, machine: Machine, bmc: SimulatedBmc): JsonObject {
  switch (call.method) {
    case 'create_subscription':
      return {
        Destination: call.destination,
        ...(call.context === null ? {} : { Context: call.context }),
        ...(call.eventTypes ? { EventTypes: ['Alert'] } : {}),
        ...(call.secretHeader ? { HttpHeaders: [{ 'X-Listener': SECRET_HEADER }] } : {}),
        ...(call.ifExists === null ? {} : { if_exists: call.ifExists }),
      };
    case 'eject_vmedia':
      return call.bootDevice === null ? {} : { boot_device: call.bootDevice };
    case 'insert_vmedia':
      return {
        image_url: call.image,
        ...(call.bootDevice === null ? {} : { boot_device: call.bootDevice }),
        ...(call.replace ? { if_inserted: 'replace' } : {}),
        ...(call.account ? { credentials: { username: IMAGE_USER, password: IMAGE_PASSWORD } } : {}),
      };
    case 'get_subscription':
    case 'delete_subscription':
      return { id };
    case 'discover': {
      const {
        redfish_address: address,
        redfish_username: username,
        redfish_password: password,
      } = driverInfo(machine, bmc);
      return { address: address!, username: username!, password: password! };
    }
    default:
      return {};
  }
}

async function outcomeOf(
  core: Core,
  call: Call,
  node: string,
  args: JsonObject,
): Promise<Pick<Ended, 'result' | 'error'>> {
  const late = new AbortController();
  const timer = setTimeout(() => late.abort(new PassthruError('deadline_exceeded', 'too late')), DEADLINE_MS);
  try {
    return { result: await resultOf(core, call, node, args, late.signal), error: null };
  } catch (error) {
    if (!(error instanceof PassthruError)) throw error;
    return { result: undefined, error: toErrorRecord(error) };
  } finally {
    clearTimeout(timer);
  }
}

async function resultOf(
  core: Core,
  { method }: Call,
  node: string,
  args: JsonObject,
  signal: AbortSignal,
): Promise<Json | undefined> {
  const common = { method, arguments: args, httpMethod: null, idempotencyKey: null, caller, signal, deadline: null };
  const outcome =
    method === 'discover'
      ? await core.callDriverMethod({ ...common, driver: 'redfish' })
      : await core.callNodeMethod({ ...common, node, lockWait: 30_000 });
  if (outcome.kind === 'result') return outcome.result as Json;
  if (outcome.kind !== 'job') throw new Error(`${method} attaches`);
  for await (const job of core.jobs.watch(outcome.job.id, null, ANONYMOUS, signal)) {
    if (!isTerminal(job)) continue;
    if (job.error !== null) throw fromErrorRecord(job.error);
    return job.result as Json;
  }
  throw new Error('the watch ended before the job');
}
