import { runGhz } from './ghz.ts';
import { runH2load } from './h2load.ts';
import { readCpu } from './machine.ts';
import type { Server } from './servers.ts';
import { type Load, sample, type Work } from './work.ts';
import { runWrk } from './wrk.ts';

/** The share of the server's core that may be idle before a row counts as not saturated. */
const IDLE = 0.05;

/** Warming up ends when a request takes at least this share of the processor time that it took before, or after so many turns. */
const WARM = 0.95;
const MAX_WARM_UPS = 6;

/** The share of it that others may take before a row counts as disturbed. */
const DISTURBANCE = 0.1;

/** A server with its load. */
export interface Party {
  name: string;
  server: Server;
  work: Work;
}

/** The measurements of one round. */
export interface Round {
  /** Responses per second. */
  rate: number;
  /** Processor time of the server per request, in µs. */
  cpu: number;
  /** The 99th percentile of the response times in ms; null where the tool gives none. */
  p99: number | null;
  /** The share of its core that the server used. */
  core: number;
  /** The share of that core that others used. */
  others: number;
}

/** The measurements of a party. */
export interface Row {
  group: string;
  party: string;
  tool: string;
  rounds: Round[];
  /** Medians. */
  rate: number;
  cpu: number;
  p99: number | null;
  core: number;
  others: number;
  /** Of the rate: the difference between the fastest and the slowest round, as a share of the median. */
  spread: number;
  /** Whether the server's core was busy, so that the rate is that of the server and not of the load. */
  saturated: boolean;
  /** Whether others took much of that core: rates are too low then, and differ from round to round. */
  disturbed: boolean;
  faults: string[];
}

export interface Plan {
  rounds: number;
  /** Of each round, and of each load before the first one, which lets V8 compile. */
  seconds: number;
  warmUp: number;
  /** For files of the load generators. */
  folder: string;
}

/** Loads the parties in turn, A B A B, so that all see the same machine. */
export async function measure(group: string, parties: Party[], plan: Plan): Promise<Row[]> {
  const rows = parties.map((party): Row => {
    const { name, work } = party;
    const none = { rate: 0, cpu: 0, p99: null, core: 0, others: 0, spread: 0, saturated: false, disturbed: false };
    return { group, party: name, tool: work.tool, rounds: [], ...none, faults: [] };
  });
  const loads: ((seconds: number) => Promise<Load>)[] = [];
  for (const party of parties) {
    const load = await warmUp(party, plan);
    await keepWarming(load, party.server, plan.warmUp);
    loads.push(load);
  }
  for (let round = 0; round < plan.rounds; round++) {
    for (const [index, load] of loads.entries()) {
      const row = rows[index]!;
      const { server } = parties[index]!;
      const before = readCpu(server.pids);
      const { requests, seconds, p99, faults } = await load(plan.seconds);
      const after = readCpu(server.pids);
      const used = after.server - before.server;
      const others = (after.core - before.core - used) / (after.at - before.at);
      row.rounds.push({ rate: requests / seconds, cpu: (used / requests) * 1e6, p99, core: used / seconds, others });
      row.faults.push(...faults);
    }
  }
  for (const row of rows) summarise(row);
  return rows;
}

/** Loads a server until more of it makes requests no cheaper: on one core V8's compilers take half a minute beside the load. */
async function keepWarming(load: (seconds: number) => Promise<Load>, server: Server, seconds: number): Promise<void> {
  let last = Number.POSITIVE_INFINITY;
  for (let turn = 0; turn < MAX_WARM_UPS; turn++) {
    const before = readCpu(server.pids);
    const { requests } = await load(seconds);
    const cost = (readCpu(server.pids).server - before.server) / requests;
    if (cost > last * WARM) return;
    last = cost;
  }
}

/** Sends one request, checks its response, and loads the server until it is warm. Returns the load for the rounds. */
async function warmUp(
  { name, server, work }: Party,
  { folder, warmUp: seconds }: Plan,
): Promise<(seconds: number) => Promise<Load>> {
  const { url } = server;
  const expected = await sample(url, work);
  if (expected.status >= 300 || (expected.grpcStatus ?? '0') !== '0') {
    throw new Error(`${name} returned ${expected.status} ${expected.grpcStatus ?? ''}: ${expected.body}`);
  }
  if (work.tool !== 'wrk') {
    const load = (time: number) =>
      work.tool === 'ghz' ? runGhz(url, work, time, folder) : runH2load(url, work, time, folder, expected);
    await load(seconds);
    return load;
  }
  const checked = await runWrk(url, work, seconds, folder, expected);
  if (checked.faults.length > 0) throw new Error(`${name}: ${checked.faults.join(', ')}`);
  return async (time) => {
    const load = await runWrk(url, work, time, folder, null);
    // Other responses than those that were compared would have another length.
    if (Math.abs((load.bytes / load.requests / checked.bytes) * checked.requests - 1) > 0.002) {
      load.faults.push('some responses had another length');
    }
    return load;
  };
}

function summarise(row: Row): void {
  const middle = (values: number[]) => values.toSorted((a, b) => a - b)[values.length >> 1] ?? 0;
  const { rounds } = row;
  const rates = rounds.map(({ rate }) => rate);
  row.rate = middle(rates);
  row.cpu = middle(rounds.map(({ cpu }) => cpu));
  row.p99 = rounds.some(({ p99 }) => p99 === null) ? null : middle(rounds.map(({ p99 }) => p99 ?? 0));
  row.core = middle(rounds.map(({ core }) => core));
  row.others = middle(rounds.map(({ others }) => others));
  row.spread = (Math.max(...rates) - Math.min(...rates)) / row.rate;
  row.saturated = middle(rounds.map(({ core, others }) => core + others)) >= 1 - IDLE;
  row.disturbed = row.others > DISTURBANCE;
}
