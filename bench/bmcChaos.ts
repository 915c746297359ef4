import type { Core } from '../src/core/core.ts';
import { type ErrorKind, type ErrorRecord, PassthruError, toErrorRecord } from '../src/core/errors.ts';
import type { Json, JsonObject } from '../src/core/json.ts';
import { type SimulatedBmc, startFleet } from '../src/sim/index.ts';
import { type BenchCore, startBenchCore } from './bmcCore.ts';

/** The outcome of many calls while a tenth of the requests to the BMCs failed. */
export interface ChaosReport {
  requests: number;
  /** Requests without a response, or with 503 or 401. */
  failedRequests: number;
  calls: number;
  done: number;
  /** Calls that ended as `outcome_unknown`, by what was found afterwards. */
  unknown: Record<Found, number>;
  /** Calls that ended with nothing done, by the kind of their error. */
  notDone: Partial<Record<ErrorKind, number>>;
  /** Calls whose reported result differs from the state of the BMC. */
  untrue: string[];
  longestMs: number;
  /** Time limit of each call. */
  deadlineMs: number;
  /** Destinations with more than one subscription. */
  createdTwice: number;
  /** Sessions after the shutdown, at BMCs that failed no request of it. */
  sessionsLeft: number;
  /** BMCs with sessions after the shutdown that failed requests of it. */
  failedLogouts: number;
  nodesLocked: number;
}

/** What an `outcome_unknown` reports about the change: done, not done, or that it could not be checked. */
type Found = 'done' | 'undone' | 'unchecked';

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

/** Kinds of errors after which nothing was changed. */
const NOT_DONE: ReadonlySet<string> = new Set([
  'bmc_unreachable',
  'bmc_timeout',
  'bmc_refused',
  'bmc_failed',
  'bmc_busy',
]);

/** The outcome of a call, and the state of the BMC after it. */
interface Called {
  end: { result: Json } | { error: ErrorRecord };
  /** Whether the change was made; null if another node may have made it. */
  changed: boolean | null;
  /** Whether the result matches the state of the BMC. */
  matches: boolean;
  /** The wording of an unknown outcome whose change was found to be done, or not done. */
  wording?: { done: RegExp; undone: RegExp };
  /** Whether the subscription may turn out not to exist. */
  mayBeAbsent?: boolean;
}

/**
 * Makes 1,000 calls on 50 BMCs with two nodes each, while a tenth of their requests fail: connections reset before and
 * after the request was carried out, 503, hangs, sessions that end.
 * @param seed determines the sequence of faults
 */
export async function runChaos(seed: number): Promise<ChaosReport> {
  const fleet = await startFleet({ count: BMCS, seed, keepRequests: 10_000 });
  const bench = await startBenchCore(200, SETTINGS);
  const report: ChaosReport = {
    requests: 0,
    failedRequests: 0,
    calls: 0,
    done: 0,
    unknown: { done: 0, undone: 0, unchecked: 0 },
    notDone: {},
    untrue: [],
    longestMs: 0,
    deadlineMs: DEADLINE_MS,
    createdTwice: 0,
    sessionsLeft: 0,
    failedLogouts: 0,
    nodesLocked: 0,
  };
  try {
    const endHangs = fleet.bmcs.map(disturb);
    const work = fleet.bmcs.flatMap((bmc, index) =>
      Array.from({ length: NODES_PER_BMC }, (_, half) => useNode(bench, bmc, { index, half, seed }, report)),
    );
    await Promise.all(work);
    report.nodesLocked = await countLocked(bench.core);
    // The BMCs keep failing while the sessions are deleted, but hang no longer: a hang takes 1.5 s of the 5 s for a logout,
    // which a busy machine may need for the rest.
    for (const end of endHangs) end();
    const before = fleet.bmcs.map(({ requestCount }) => requestCount);
    await bench.core.shutdown(1000);
    for (const [index, bmc] of fleet.bmcs.entries()) {
      const destinations = subscriptions(bmc).map(({ destination }) => destination);
      report.createdTwice += destinations.length - new Set(destinations).size;
      // A logout does not repeat a login, and gives up after three tries of another request.
      const failed = bmc.requests.slice(before[index]).some(({ status }) => status === null || status === 503);
      if (!failed) report.sessionsLeft += bmc.sessions.length;
      else if (bmc.sessions.length > 0) report.failedLogouts++;
      report.requests += bmc.requestCount;
      report.failedRequests += bmc.requests.filter(({ status }) => [null, 401, 503].includes(status)).length;
    }
    return report;
  } finally {
    await bench.close();
    await fleet.close();
  }
}

/** Makes 9 % of requests fail; sessions that end before 5 % of the calls make up the rest. Returns what ends the hangs. */
function disturb({ faults }: SimulatedBmc): () => void {
  faults.add({ kind: 'reset', probability: 0.02 });
  faults.add({ kind: 'reset', afterRead: true, probability: 0.015 });
  faults.add({ kind: 'status', status: 503, probability: 0.035 });
  const hangs = [false, true].map((afterRead) => faults.add({ kind: 'hang', afterRead, probability: 0.01 }));
  return () => hangs.forEach((hang) => void faults.remove(hang));
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
  /** Subscriptions of this node that are known to exist. */
  const created: string[] = [];
  const call = (method: string, args: JsonObject = {}) => endOf(bench, name, method, args);
  for (let i = 0; i < CALLS_PER_NODE; i++) {
    if (random() < 0.05) bmc.expireSessions();
    const choice = random();
    const begun = performance.now();
    let called: Called;
    if (choice < 0.25) called = await create(bmc, call, `https://ev.example/${name}/${i}`, created);
    else if (choice < 0.4) called = await createOnce(bmc, call, `https://ev.example/${name}/once`);
    else if (choice < 0.55) called = await remove(bmc, call, created);
    else if (choice < 0.7) called = { end: await call('get_all_subscriptions'), changed: null, matches: true };
    else if (choice < 0.8) {
      const end = await call('get_subscription', { id: '2' });
      called = { end, changed: null, matches: 'result' in end && memberOf(end.result, 'Id') === '2' };
    } else called = await eject(bmc, call, half);
    report.longestMs = Math.max(report.longestMs, performance.now() - begun);
    count(called, `${name} call ${i}`, report);
  }
}

type Call = (method: string, args?: JsonObject) => Promise<Called['end']>;

const CREATE_WORDING = { done: /has a subscription/, undone: /lists no subscription/ };

async function create(bmc: SimulatedBmc, call: Call, destination: string, created: string[]): Promise<Called> {
  const end = await call('create_subscription', { Destination: destination });
  const made = subscriptions(bmc).filter((each) => each.destination === destination);
  created.push(...made.map(({ id }) => id));
  const matches = 'result' in end && made.length === 1 && memberOf(end.result, 'Id') === made[0]!.id;
  return { end, changed: made.length > 0, matches, wording: CREATE_WORDING };
}

/** Creates the subscription unless it exists. */
async function createOnce(bmc: SimulatedBmc, call: Call, destination: string): Promise<Called> {
  const existing = () => subscriptions(bmc).filter((each) => each.destination === destination);
  const before = existing().length > 0;
  const end = await call('create_subscription', { Destination: destination, if_exists: 'return' });
  const matches = 'result' in end && existing().length === 1 && memberOf(end.result, 'Id') === existing()[0]!.id;
  return { end, changed: before ? null : existing().length > 0, matches, wording: CREATE_WORDING };
}

/** Deletes the node's newest subscription, or else the BMC's first, which another node may delete concurrently. */
async function remove(bmc: SimulatedBmc, call: Call, created: string[]): Promise<Called> {
  const own = created.pop();
  const id = own ?? '1';
  const has = () => subscriptions(bmc).some((each) => each.id === id);
  const before = has();
  const end = await call('delete_subscription', { id });
  if (own !== undefined && has()) created.push(own);
  const wording = { done: /never/, undone: /still exists; delete it again/ };
  return {
    end,
    changed: own === undefined ? null : !has(),
    matches: !has(),
    wording,
    mayBeAbsent: own === undefined || !before,
  };
}

/** Ejects a device. The first node of a BMC inserts media into it before; the second uses another, empty device. */
async function eject(bmc: SimulatedBmc, call: Call, half: number): Promise<Called> {
  if (half === 0) bmc.documents.set(CD, { ...bmc.documents.get(CD)!, Inserted: true, Image: 'http://i.example/a' });
  const end = await call('eject_vmedia', { boot_device: half === 0 ? 'cd' : 'floppy' });
  const empty = bmc.documents.get(half === 0 ? CD : FLOPPY)!.Inserted === false;
  const wording = { done: /never/, undone: /still contains/ };
  return { end, changed: half === 0 ? empty : null, matches: empty, wording };
}

/** Counts a call by its outcome, and reports a difference from the BMC's state. */
function count({ end, changed, matches, wording, mayBeAbsent }: Called, name: string, report: ChaosReport): void {
  report.calls++;
  if ('result' in end) {
    report.done++;
    if (!matches) report.untrue.push(`${name} differs from its result: ${JSON.stringify(end.result)}`);
    return;
  }
  const { kind, message } = end.error;
  let isTrue: boolean;
  if (kind === 'outcome_unknown') {
    const found = wording?.done.test(message) ? 'done' : wording?.undone.test(message) ? 'undone' : 'unchecked';
    report.unknown[found]++;
    isTrue =
      found === 'unchecked'
        ? /could not be (checked|read)|cannot be read/.test(message)
        : changed === null || changed === (found === 'done');
  } else {
    report.notDone[kind] = (report.notDone[kind] ?? 0) + 1;
    isTrue = (NOT_DONE.has(kind) && changed !== true) || (kind === 'subscription_not_found' && mayBeAbsent === true);
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
  const { items: nodes } = await core.nodes.list({ limit: 1000, marker: null, sortKey: 'name', sortDirection: 'asc' });
  return nodes.filter(({ reservation }) => reservation !== null).length;
}

/** Returns the ids and destinations of the BMC's subscriptions. */
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

/** Returns a generator of numbers from 0 up to 1 that repeats for the same seed. */
function seeded(seed: number): () => number {
  let state = seed;
  return () => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    return state / 2 ** 32;
  };
}
