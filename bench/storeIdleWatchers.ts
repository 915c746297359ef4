import { once } from 'node:events';
import { connect } from 'node:net';
import { type Client, createClient } from '@connectrpc/connect';
import { createGrpcTransport, Http2SessionManager } from '@connectrpc/connect-node';
import { PassthruService } from '../gen/passthru/v1/passthru_pb.ts';
import { startReplica } from './replica.ts';

/** The memory of one idle watcher in a replica, in bytes. */
export interface IdleCost {
  protocol: 'gRPC' | 'Server-Sent Events';
  watchers: number;
  /** Of the process, which keeps freed memory for a while. */
  rss: number;
  /** Of live objects, buffers included. */
  live: number;
}

const COUNTS = [1_000, 5_000];

/** The number of streams on one HTTP/2 connection; each event stream has its own connection. */
const STREAMS = 500;

/** The number of concurrent calls. */
const CONCURRENCY = 32;

/**
 * Measures idle watchers: one replica on the database at `url` runs jobs that do not end, another has one watcher for each
 * job, by gRPC and then, in a new replica, by Server-Sent Events.
 */
export async function idleCosts(url: string): Promise<IdleCost[]> {
  const environment = {
    PASSTHRU_STORE: url,
    PASSTHRU_SECRETS_PLAIN: 'true',
    PASSTHRU_WORKERS_POOL_SIZE: '10000',
    PASSTHRU_FAKE_VENDOR_DELAY: '1h',
    PASSTHRU_SHUTDOWN_GRACE: '0s',
    // One caller at one address opens all streams.
    PASSTHRU_LIMITS_WATCHES_PER_CALLER: '100000',
    PASSTHRU_LIMITS_CONNECTIONS_PER_PEER: '100000',
    PASSTHRU_LIMITS_CONNECTIONS: '100000',
  };
  const runs = await startReplica(environment);
  const jobs = await startJobs(runs.url, COUNTS.at(-1)!);
  const costs: IdleCost[] = [];
  for (const protocol of ['gRPC', 'Server-Sent Events'] as const) {
    const watches = await startReplica(environment);
    const watch = protocol === 'gRPC' ? grpcWatchers(watches.url) : eventStreams(watches.url);
    // The first ones also load code, which is not their own cost.
    for (const id of jobs.slice(0, 50)) await watch(id);
    const before = await watches.usage();
    let watchers = 0;
    for (const count of COUNTS) {
      while (watchers < count) {
        const some = jobs.slice(watchers, Math.min(count, watchers + CONCURRENCY));
        await Promise.all(some.map(watch));
        watchers += some.length;
      }
      const { rss, live } = await watches.usage();
      costs.push({ protocol, watchers, rss: (rss - before.rss) / watchers, live: (live - before.live) / watchers });
    }
    await watches.stop();
  }
  await runs.stop();
  return costs;
}

/** Starts `count` jobs that do not lock their node. Returns their ids. */
async function startJobs(url: string, count: number): Promise<string[]> {
  const headers = { 'X-OpenStack-Ironic-API-Version': '1.80', 'Content-Type': 'application/json' };
  const body = JSON.stringify({ name: 'watched', driver: 'fake-hardware' });
  const created = await fetch(`${url}/v1/nodes`, { method: 'POST', headers, body });
  if (created.status !== 201) throw new Error(`creating the node returned ${created.status}`);
  const client = grpcClient(url);
  const jobs: string[] = [];
  await Promise.all(
    Array.from({ length: CONCURRENCY }, async (_, caller) => {
      for (let job = caller; job < count; job += CONCURRENCY) {
        const call = { node: 'watched', method: 'fourth_method_shared_lock', arguments: { bar: 'x' } };
        const { outcome } = await client.callNodeMethod(call);
        if (outcome.case !== 'job') throw new Error(`unexpected outcome ${outcome.case}`);
        jobs.push(outcome.value.id);
      }
    }),
  );
  return jobs;
}

type Watch = (id: string) => Promise<void>;

/** Resolves when the watcher has received the present state. */
function grpcWatchers(url: string): Watch {
  let client = grpcClient(url);
  let streams = 0;
  return async (jobId) => {
    if (++streams % STREAMS === 0) client = grpcClient(url);
    const events = client.watchJob({ jobId })[Symbol.asyncIterator]();
    await events.next();
    // Fails when the replica stops.
    events.next().catch(() => {});
  };
}

function eventStreams(url: string): Watch {
  const { hostname, port } = new URL(url);
  return async (id) => {
    const socket = connect(Number(port), hostname);
    socket.on('error', () => {});
    socket.write(`GET /v1/jobs/${id}/events HTTP/1.1\r\nHost: ${hostname}\r\n\r\n`);
    for (let response = ''; !response.includes('event: job'); ) response += (await once(socket, 'data'))[0];
  };
}

function grpcClient(baseUrl: string): Client<typeof PassthruService> {
  const sessionManager = new Http2SessionManager(baseUrl);
  return createClient(PassthruService, createGrpcTransport({ baseUrl, sessionManager }));
}
