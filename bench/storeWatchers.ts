import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { timestampMs } from '@bufbuild/protobuf/wkt';
import { Code, ConnectError, createClient } from '@connectrpc/connect';
import { createGrpcTransport, Http2SessionManager } from '@connectrpc/connect-node';
import { type Job, JobState } from '../gen/passthru/v1/job_pb.ts';
import { PassthruService, type WatchJobResponse } from '../gen/passthru/v1/passthru_pb.ts';
import { startReplica } from './replica.ts';

/** How late watchers receive the end of a job that another replica runs, in milliseconds. */
export interface Lateness {
  jobs: number;
  watchers: number;
  /** Jobs that ended per second. */
  rate: number;
  /** Calls and watches that were retried because the store timed out. */
  repeated: number;
  p50: number;
  p99: number;
  worst: number;
}

let repeated = 0;

const JOBS = 10_000;
const WATCHERS = 1_000;

/** The duration of a job in seconds: 50 jobs per second, which two replicas, their database and this load manage on two cores. */
const DURATION = 20;

/** The number of streams on one connection. */
const STREAMS = 100;

/**
 * Measures two replicas on the database at `url`: each watcher starts a job on its node through one replica, watches it
 * through the other until its end, and repeats. Lateness is the time from the job's `end_time`, which is taken before the
 * commit begins, to the last event at the watcher, by the clock of this machine.
 */
export async function lateness(url: string, folder: string): Promise<Lateness> {
  mkdirSync(folder, { recursive: true });
  const nodes = Array.from({ length: WATCHERS }, (_, index) => ({ name: `w-${index}`, driver: 'fake-hardware' }));
  writeFileSync(join(folder, 'nodes.yaml'), JSON.stringify({ nodes }));
  const environment = {
    PASSTHRU_STORE: url,
    PASSTHRU_SECRETS_PLAIN: 'true',
    PASSTHRU_WORKERS_POOL_SIZE: String(WATCHERS),
    PASSTHRU_FAKE_VENDOR_DELAY: `${DURATION}s`,
  };
  const runs = await startReplica({ ...environment, PASSTHRU_NODES_FILE: join(folder, 'nodes.yaml') });
  const watches = await startReplica(environment);
  const callers = clients(runs.url);
  const watchers = clients(watches.url);
  const late: number[] = [];
  const begun = performance.now();
  await Promise.all(
    nodes.map(async ({ name }, index) => {
      // Spreads the ends of the jobs.
      await delay((index / WATCHERS) * DURATION * 1000);
      for (let job = 0; job < JOBS / WATCHERS; job++) {
        const call = { node: name, method: 'second_method', arguments: { bar: 'x' } };
        const { outcome } = await retrying(() => client(callers, index).callNodeMethod(call));
        if (outcome.case !== 'job') throw new Error(`unexpected outcome ${outcome.case}`);
        const { id } = outcome.value;
        const last = await retrying(() => lastEvent(client(watchers, index).watchJob({ jobId: id })));
        const now = performance.timeOrigin + performance.now();
        if (last?.state !== JobState.SUCCEEDED || last.endTime === undefined)
          throw new Error('the job did not succeed');
        late.push(now - timestampMs(last.endTime));
      }
    }),
  );
  const seconds = (performance.now() - begun) / 1000;
  await runs.stop();
  await watches.stop();
  late.sort((a, b) => a - b);
  const at = (part: number) => late[Math.min(late.length - 1, Math.floor(late.length * part))]!;
  return {
    jobs: late.length,
    watchers: WATCHERS,
    rate: late.length / seconds,
    repeated,
    p50: at(0.5),
    p99: at(0.99),
    worst: at(1),
  };
}

/** Retries `step` while the store is unavailable, as callers do. */
async function retrying<T>(step: () => Promise<T>): Promise<T> {
  for (;;) {
    try {
      return await step();
    } catch (error) {
      if (!RETRIED.includes(ConnectError.from(error).code)) throw error;
      repeated++;
      await delay(100);
    }
  }
}

/** `Aborted`: a call whose acceptance was not reported still holds the node. */
const RETRIED = [Code.Unavailable, Code.Aborted];

async function lastEvent(events: AsyncIterable<WatchJobResponse>): Promise<Job | undefined> {
  let last: Job | undefined;
  for await (const { job } of events) last = job;
  return last;
}

function clients(url: string) {
  return Array.from({ length: WATCHERS / STREAMS }, () => {
    const sessionManager = new Http2SessionManager(url);
    return createClient(PassthruService, createGrpcTransport({ baseUrl: url, sessionManager }));
  });
}

function client<C>(all: C[], index: number): C {
  return all[index % all.length] as C;
}
