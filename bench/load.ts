import type { BenchServer } from './server.ts';

/** The measurements of one round of load. */
export interface Round {
  /** Responses per second. */
  rate: number;
  /** Processor time of the server per request, in µs. */
  cpuPerRequest: number;
  /** The 99th percentile of the response time, in ms. */
  p99: number;
}

/** The results of two servers, loaded in turn so that both see the same machine. */
export interface Comparison {
  ours: Round;
  theirs: Round;
}

const SECONDS = 2;
const ROUNDS = 5;

/**
 * Loads both servers in turn. Returns the medians over the rounds, without the first, which warms up.
 * @param concurrency the number of concurrent requests
 */
export async function compare(ours: Loaded, theirs: Loaded, concurrency: number = 32): Promise<Comparison> {
  const rounds: Comparison[] = [];
  for (let round = 0; round <= ROUNDS; round++) {
    const result = { ours: await load(ours, concurrency), theirs: await load(theirs, concurrency) };
    if (round > 0) rounds.push(result);
  }
  return { ours: median(rounds.map((round) => round.ours)), theirs: median(rounds.map((round) => round.theirs)) };
}

/** A server, and a function that sends it one request and throws on a wrong response. */
export interface Loaded {
  server: BenchServer;
  send(): Promise<void>;
}

async function load({ server, send }: Loaded, concurrency: number): Promise<Round> {
  const times: number[] = [];
  const before = await server.usage();
  const begun = performance.now();
  const end = begun + SECONDS * 1000;
  await Promise.all(
    Array.from({ length: concurrency }, async () => {
      for (let sent = performance.now(); sent < end; ) {
        await send();
        const now = performance.now();
        times.push(now - sent);
        sent = now;
      }
    }),
  );
  const seconds = (performance.now() - begun) / 1000;
  const after = await server.usage();
  times.sort((a, b) => a - b);
  return {
    rate: times.length / seconds,
    cpuPerRequest: (after.cpu - before.cpu) / times.length,
    p99: times[Math.floor(times.length * 0.99)] as number,
  };
}

function median(rounds: Round[]): Round {
  const middle = (key: keyof Round) =>
    rounds.map((round) => round[key]).sort((a, b) => a - b)[rounds.length >> 1] as number;
  return { rate: middle('rate'), cpuPerRequest: middle('cpuPerRequest'), p99: middle('p99') };
}
