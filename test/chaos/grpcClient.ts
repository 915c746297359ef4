import { durationFromMs } from '@bufbuild/protobuf/wkt';
import { Code, ConnectError, createClient, type Transport } from '@connectrpc/connect';
import { createGrpcTransport } from '@connectrpc/connect-node';
import { ErrorDetailSchema, ErrorReason } from '../../gen/passthru/v1/error_pb.ts';
import { EventService, EventTransport } from '../../gen/passthru/v1/event_pb.ts';
import { type Job, JobService, JobState } from '../../gen/passthru/v1/job_pb.ts';
import { type Node, NodeService } from '../../gen/passthru/v1/node_pb.ts';
import { PassthruService } from '../../gen/passthru/v1/passthru_pb.ts';
import { WatchMarker } from '../../gen/passthru/v1/watch_pb.ts';
import { CALL_TIMEOUT, type ChaosClient, type Outcome, type SeenJob, type Told } from './chaosClient.ts';

/** The reasons of calls without effect. */
const REFUSED: ReadonlySet<ErrorReason> = new Set([
  ErrorReason.NODE_LOCKED,
  ErrorReason.NO_FREE_WORKER,
  ErrorReason.SHUTTING_DOWN,
  ErrorReason.STORE_UNAVAILABLE,
  ErrorReason.NODE_NOT_FOUND,
  ErrorReason.INVALID_ARGUMENT,
  ErrorReason.RESERVATION_ENDED,
]);

/** The states of jobs, as in the store. */
export const STATES: ReadonlyMap<JobState, string> = new Map([
  [JobState.RUNNING, 'running'],
  [JobState.SUCCEEDED, 'succeeded'],
  [JobState.FAILED, 'failed'],
  [JobState.CANCELLED, 'cancelled'],
]);

const transports = new Map<string, Transport>();

function transport(url: string): Transport {
  let transport = transports.get(url);
  if (transport === undefined) {
    transport = createGrpcTransport({ baseUrl: url, idleConnectionTimeoutMs: 5000 });
    transports.set(url, transport);
  }
  return transport;
}

const nodes = (url: string) => createClient(NodeService, transport(url));

export const grpcClient: ChaosClient = {
  name: 'gRPC',

  async call(url, { node, method, args, key, reservationKey = '' }): Promise<Outcome> {
    const request = { node, method, arguments: args, idempotencyKey: key ?? '', reservationKey };
    try {
      const { outcome } = await createClient(PassthruService, transport(url)).callNodeMethod(request, {
        timeoutMs: CALL_TIMEOUT,
      });
      if (outcome.case === 'job') return { kind: 'job', id: outcome.value.id };
      const fields = outcome.case === 'result' && outcome.value.kind.case === 'structValue' ? outcome.value.kind : null;
      const id = fields?.value.fields.Id?.kind;
      return { kind: 'result', id: id?.case === 'stringValue' ? id.value : null };
    } catch (thrown) {
      const error = ConnectError.from(thrown);
      const [detail] = error.findDetails(ErrorDetailSchema);
      if (detail === undefined) return { kind: 'no response', reason: error.message };
      const reason = `reason ${detail.reason}: ${detail.message}`;
      return { kind: REFUSED.has(detail.reason) ? 'refused' : 'failed', reason };
    }
  },

  async *watch(url, job, after, signal): AsyncGenerator<SeenJob> {
    const request = { jobId: job, ...(after === null ? {} : { afterRevision: BigInt(after) }) };
    for await (const { job: seen } of createClient(PassthruService, transport(url)).watchJob(request, { signal })) {
      if (seen === undefined) throw new Error('the response has no job');
      yield { revision: Number(seen.revision), state: STATES.get(seen.state) ?? 'unknown' };
    }
  },

  async *watchMany(url, kind, driver, cursor, signal): AsyncGenerator<Told> {
    const messages =
      kind === 'job'
        ? createClient(JobService, transport(url)).watchJobs({ driver, cursor }, { signal })
        : nodes(url).watchNodes({ driver, cursor }, { signal });
    for await (const { cursor, event } of messages) {
      if (event.case === 'job') yield { cursor, event: { kind: 'job', item: event.value } };
      else if (event.case === 'node') yield { cursor, event: { kind: 'node', item: event.value } };
      else if (event.case === 'removedUuid') yield { cursor, event: { kind: 'removed', uuid: event.value } };
      else if (event.case === 'marker') {
        yield { cursor, event: { kind: event.value === WatchMarker.CURRENT ? 'current' : 'reset' } };
      } else throw new Error('a message of a watch is empty');
    }
  },

  async *watchEvents(url, cursor, signal) {
    for await (const told of createClient(EventService, transport(url)).watchEvents({ cursor }, { signal })) {
      const { update } = told;
      const marker = update.case === 'marker' && update.value === WatchMarker.RESET ? 'reset' : 'current';
      yield { kind: update.case === 'event' ? 'event' : marker, cursor: told.cursor };
    }
  },

  async cancel(url, job) {
    await createClient(JobService, transport(url)).cancelJob({ jobId: job }, { timeoutMs: CALL_TIMEOUT });
  },

  async hold(url, node, seconds, reason) {
    const request = { node, duration: durationFromMs(seconds * 1000), lockWait: durationFromMs(500), reason };
    const { reservationKey } = await nodes(url).lockNode(request, { timeoutMs: CALL_TIMEOUT });
    return reservationKey;
  },

  async renew(url, node, key, seconds) {
    const request = { node, reservationKey: key, duration: durationFromMs(seconds * 1000) };
    await nodes(url).renewLock(request, { timeoutMs: CALL_TIMEOUT });
  },

  async endHold(url, node, key) {
    await nodes(url).unlockNode({ node, reservationKey: key }, { timeoutMs: CALL_TIMEOUT });
  },
};

/** Sets the event source of a node, by push. */
export async function setEventSource(url: string, node: string): Promise<void> {
  const request = { node, transport: EventTransport.PUSH };
  await createClient(EventService, transport(url)).setEventSource(request, { timeoutMs: CALL_TIMEOUT });
}

/** Locks a node. Throws when it was not locked. */
export async function lockNode(url: string, node: string, holder: string): Promise<void> {
  await nodes(url).lockNode({ node, holder }, { timeoutMs: CALL_TIMEOUT });
}

/** Changes the description of a node. Throws when it may not have been changed. */
export async function describeNode(url: string, node: string, description: string): Promise<void> {
  const request = { node, values: { description }, updateMask: { paths: ['description'] } };
  await nodes(url).updateNode(request, { timeoutMs: CALL_TIMEOUT });
}

/** Removes a node. Throws when it may not have been removed. */
export async function removeNode(url: string, node: string): Promise<void> {
  await nodes(url).deleteNode({ node }, { timeoutMs: CALL_TIMEOUT });
}

/** Returns a node; null when it does not exist. */
export async function getNode(url: string, node: string): Promise<Node | null> {
  try {
    return (await nodes(url).getNode({ node }, { timeoutMs: CALL_TIMEOUT })).node ?? null;
  } catch (error) {
    if (ConnectError.from(error).code === Code.NotFound) return null;
    throw error;
  }
}

/** Returns a job. Throws when it does not exist. */
export async function getJob(url: string, id: string): Promise<Job> {
  const { job } = await createClient(JobService, transport(url)).getJob({ jobId: id }, { timeoutMs: CALL_TIMEOUT });
  if (job === undefined) throw new Error('the response has no job');
  return job;
}

/** Unlocks a node. Returns whether it is no longer locked. */
export async function unlockNode(url: string, node: string): Promise<boolean> {
  try {
    await createClient(NodeService, transport(url)).unlockNode({ node }, { timeoutMs: CALL_TIMEOUT });
    return true;
  } catch (error) {
    // Reserved by a call, not locked.
    return ConnectError.from(error).code === Code.FailedPrecondition;
  }
}

/** Enrols a node and returns its UUID. */
export async function enrolNode(url: string, name: string, driver: string, address: string): Promise<string> {
  const driverInfo = { redfish_address: address, redfish_username: 'u', redfish_password: 'p' };
  const { node } = await createClient(NodeService, transport(url)).createNode({ node: { name, driver, driverInfo } });
  if (node === undefined) throw new Error('the response has no node');
  return node.uuid;
}
