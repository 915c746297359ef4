import type { Core } from '../src/core/core.ts';
import { type ErrorKind, type ErrorRecord, PassthruError, toErrorRecord } from '../src/core/errors.ts';
import type { Json, JsonObject } from '../src/core/json.ts';
import { type SimulatedBmc, startFleet } from '../src/sim/index.ts';
import { type BenchCore, startBenchCore } from './bmcCore.ts';

/** What became of many calls while a tenth of the requests to the BMCs failed. */
export interface ChaosReport {
  requests: number;
  /** Without an answer, or answered 503 or 401. */
  failedRequests: number;
  calls: number;
  done: number;
  /** Calls that ended as `outcome_unknown`, by what was found out afterwards. */
  unknown: Record<Found, number>;
  /** Calls that ended with nothing done, by the kind of their error. */
  notDone: Partial<Record<ErrorKind, number>>;
  /** Calls whose end does not tell what is so at the BMC. */
  untrue: string[];
  longestMs: number;
  /** What each call may take. */
  deadlineMs: number;
  /** Destinations with more than one subscription. */
  createdTwice: number;
  /** Sessions at the BMCs after the shutdown. */
  sessionsLeft: number;
  nodesLocked: number;
}

/** What an `outcome_unknown` says of what was asked for: it is so, it is not, or the BMC could not be asked. */
type Found = 'done' | 'undone' | 'not told';

const BMCS = 50;
const NODES_PER_BMC = 2;
const CALLS_PER_NODE = 10;
/** A hang at the BMC costs a call 1 s, and several may follow each other. */
const DEADLINE_MS = 30_000;
const SETTINGS = { connectionAttempts: 2, connectionRetryIntervalMs: 10, requestTimeoutMs: 1000 };
const SUBSCRIPTIONS = '/redfish/v1/EventService/Subscriptions';
const CD = '/redfish/v1/Systems/437XR1138R2/VirtualMedia/CD1';
const FLOPPY = CD.replace('CD1', 'Floppy1');
const caller = { name: 'chaos', role: 'admin' } as const;

/** Failures that say that nothing was changed. */
const NOT_DONE: ReadonlySet<string> = new Set([
  'bmc_unreachable',
  'bmc_timeout',
  'bmc_refused',
  'bmc_failed',
  'bmc_busy',
]);

/** How a call ended, and what is so at the BMC after it. */
interface Called {
  end: { result: Json } | { error: ErrorRecord };
  /** Whether what was asked for is so; null where another may have made it so. */
  fact: boolean | null;
  /** Whether a result, if it is one, is what the BMC holds. */
  right: boolean;
  /** How an unknown outcome is told that was found to be done, or not. */
  told?: { done: RegExp; undone: RegExp };
  /** Whether the BMC may rightly say that the subscription is not there. */
  mayBeAbsent?: boolean;
}

/**
 * 1,000 calls on 50 BMCs, two nodes each, while a tenth of their requests fail: connections reset, before and after the
 * request was carried out, answers of 503, hangs, sessions that end.
 * @param seed of the course of events
 */
export async function runChaos(seed: number): Promise<ChaosReport> {
  const fleet = await startFleet({ count: BMCS, seed, keepRequests: 10_000 });
  const bench = await startBenchCore(200, SETTINGS);
  const report: ChaosReport = {
    requests: 0,
    failedRequests: 0,
    calls: 0,
    done: 0,
    unknown: { done: 0, undone: 0, 'not told': 0 },
    notDone: {},
    untrue: [],
    longestMs: 0,
    deadlineMs: DEADLINE_MS,
    createdTwice: 0,
    sessionsLeft: 0,
    nodesLocked: 0,
  };
  try {
    for (const bmc of fleet.bmcs) disturb(bmc);
    const work = fleet.bmcs.flatMap((bmc, index) =>
      Array.from({ length: NODES_PER_BMC }, (_, half) => useNode(bench, bmc, { index, half, seed }, report)),
    );
    await Promise.all(work);
    report.nodesLocked = await countLocked(bench.core);
    // The BMCs go on failing while the sessions are deleted.
    await bench.core.shutdown(1000);
    for (const bmc of fleet.bmcs) {
      const destinations = subscriptions(bmc).map(({ destination }) => destination);
      report.createdTwice += destinations.length - new Set(destinations).size;
      report.sessionsLeft += bmc.sessions.length;
      report.requests += bmc.requestCount;
      report.failedRequests += bmc.requests.filter(({ status }) => [null, 401, 503].includes(status)).length;
    }
    return report;
  } finally {
    await bench.close();
    await fleet.close();
  }
}

/** Sets 9 % of requests to fail; sessions that are ended before 5 % of the calls make the rest. */
function disturb({ faults }: SimulatedBmc): void {
  faults.add({ kind: 'reset', probability: 0.02 });
  faults.add({ kind: 'reset', afterRead: true, probability: 0.015 });
  faults.add({ kind: 'status', status: 503, probability: 0.035 });
  faults.add({ kind: 'hang', probability: 0.01 });
  faults.add({ kind: 'hang', afterRead: true, probability: 0.01 });
}

async function useNode(
  bench: BenchCore,
  bmc: SimulatedBmc,
  { index, half, seed }: { index: number; half: number; seed: number },
  report: ChaosReport,
): Promise<void> {
  const random = seeded(seed * 1000 + index * NODES_PER_BMC + half + 1);
  const name = `n-${index}-${half}`;
  const driverInfo = { redfish_address: bmc.url, redfish_username: 'u', redfish_password: 'p' };
  await bench.core.nodes.create({ name, driver: 'redfish', driverInfo }, caller);
  /** Subscriptions of this node that are known to be there. */
  const mine: string[] = [];
  const ask = (method: string, args: JsonObject = {}) => endOf(bench, name, method, args);
  for (let i = 0; i < CALLS_PER_NODE; i++) {
    if (random() < 0.05) bmc.expireSessions();
    const choice = random();
    const begun = performance.now();
    let called: Called;
    if (choice < 0.25) called = await create(bmc, ask, `https://ev.example/${name}/${i}`, mine);
    else if (choice < 0.4) called = await createOnce(bmc, ask, `https://ev.example/${name}/once`);
    else if (choice < 0.55) called = await remove(bmc, ask, mine);
    else if (choice < 0.7) called = { end: await ask('get_all_subscriptions'), fact: null, right: true };
    else if (choice < 0.8) {
      const end = await ask('get_subscription', { id: '2' });
      called = { end, fact: null, right: 'result' in end && memberOf(end.result, 'Id') === '2' };
    } else called = await eject(bmc, ask, half);
    report.longestMs = Math.max(report.longestMs, performance.now() - begun);
    count(called, `${name} call ${i}`, report);
  }
}

type Ask = (method: string, args?: JsonObject) => Promise<Called['end']>;

const CREATE_TOLD = { done: /has a subscription/, undone: /lists no subscription/ };

async function create(bmc: SimulatedBmc, ask: Ask, destination: string, mine: string[]): Promise<Called> {
  const end = await ask('create_subscription', { Destination: destination });
  const made = subscriptions(bmc).filter((each) => each.destination === destination);
  mine.push(...made.map(({ id }) => id));
  const right = 'result' in end && made.length === 1 && memberOf(end.result, 'Id') === made[0]!.id;
  return { end, fact: made.length > 0, right, told: CREATE_TOLD };
}

/** Creates the subscription only where it is not there. */
async function createOnce(bmc: SimulatedBmc, ask: Ask, destination: string): Promise<Called> {
  const there = () => subscriptions(bmc).filter((each) => each.destination === destination);
  const before = there().length > 0;
  const end = await ask('create_subscription', { Destination: destination, if_exists: 'return' });
  const right = 'result' in end && there().length === 1 && memberOf(end.result, 'Id') === there()[0]!.id;
  return { end, fact: before ? null : there().length > 0, right, told: CREATE_TOLD };
}

/** Deletes the newest of the node's own, or the first of the BMC, which another node may delete at the same time. */
async function remove(bmc: SimulatedBmc, ask: Ask, mine: string[]): Promise<Called> {
  const own = mine.pop();
  const id = own ?? '1';
  const has = () => subscriptions(bmc).some((each) => each.id === id);
  const before = has();
  const end = await ask('delete_subscription', { id });
  if (own !== undefined && has()) mine.push(own);
  const told = { done: /never/, undone: /is still there; delete it again/ };
  return {
    end,
    fact: own === undefined ? null : !has(),
    right: !has(),
    told,
    mayBeAbsent: own === undefined || !before,
  };
}

/** One node of a BMC inserts and ejects, so that nobody else changes the device; the other ejects an empty one. */
async function eject(bmc: SimulatedBmc, ask: Ask, half: number): Promise<Called> {
  if (half === 0) bmc.documents.set(CD, { ...bmc.documents.get(CD)!, Inserted: true, Image: 'http://i.example/a' });
  const end = await ask('eject_vmedia', { boot_device: half === 0 ? 'cd' : 'floppy' });
  const empty = bmc.documents.get(half === 0 ? CD : FLOPPY)!.Inserted === false;
  const told = { done: /never/, undone: /still holds/ };
  return { end, fact: half === 0 ? empty : null, right: empty, told };
}

/** Counts a call by its end, and among the untrue ones when that is not so. */
function count({ end, fact, right, told, mayBeAbsent }: Called, name: string, report: ChaosReport): void {
  report.calls++;
  if ('result' in end) {
    report.done++;
    if (!right) report.untrue.push(`${name} is not as it says: ${JSON.stringify(end.result)}`);
    return;
  }
  const { kind, message } = end.error;
  let isTrue: boolean;
  if (kind === 'outcome_unknown') {
    const found = told?.done.test(message) ? 'done' : told?.undone.test(message) ? 'undone' : 'not told';
    report.unknown[found]++;
    isTrue =
      found === 'not told'
        ? /could not be asked|cannot be read/.test(message)
        : fact === null || fact === (found === 'done');
  } else {
    report.notDone[kind] = (report.notDone[kind] ?? 0) + 1;
    isTrue = (NOT_DONE.has(kind) && fact !== true) || (kind === 'subscription_not_found' && mayBeAbsent === true);
  }
  if (!isTrue) report.untrue.push(`${name}: ${kind}: ${message}`);
}

async function endOf(bench: BenchCore, node: string, method: string, args: JsonObject): Promise<Called['end']> {
  const late = new AbortController();
  const timer = setTimeout(() => late.abort(new PassthruError('deadline_exceeded', 'too late')), DEADLINE_MS);
  try {
    return { result: (await bench.call(node, method, args, late.signal)) as Json };
  } catch (error) {
    if (!(error instanceof PassthruError)) throw error;
    return { error: toErrorRecord(error) };
  } finally {
    clearTimeout(timer);
  }
}

async function countLocked(core: Core): Promise<number> {
  const nodes = await core.nodes.list({ limit: 1000, marker: null, sortKey: 'name', sortDirection: 'asc' });
  return nodes.filter(({ reservation }) => reservation !== null).length;
}

/** What is at the BMC: its subscriptions' ids by destination. */
function subscriptions(bmc: SimulatedBmc): { id: string; destination: string }[] {
  const members = bmc.documents.get(SUBSCRIPTIONS)!.Members as { '@odata.id': string }[];
  return members.map((member) => {
    const document = bmc.documents.get(member['@odata.id'])!;
    return { id: String(document.Id), destination: String(document.Destination) };
  });
}

function memberOf(value: Json, name: string): Json | undefined {
  return typeof value === 'object' && value !== null && !Array.isArray(value) ? value[name] : undefined;
}

/** The same numbers from 0 up to 1 for the same seed. */
function seeded(seed: number): () => number {
  let state = seed;
  return () => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    return state / 2 ** 32;
  };
}
