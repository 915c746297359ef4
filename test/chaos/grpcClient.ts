import { durationFromMs } from '@bufbuild/protobuf/wkt';
import { Code, ConnectError, createClient, type Transport } from '@connectrpc/connect';
import { createGrpcTransport } from '@connectrpc/connect-node';
import { ErrorDetailSchema, ErrorReason } from '../../gen/passthru/v1/error_pb.ts';
import { JobService, JobState } from '../../gen/passthru/v1/job_pb.ts';
import { NodeService } from '../../gen/passthru/v1/node_pb.ts';
import { PassthruService } from '../../gen/passthru/v1/passthru_pb.ts';
import { CALL_TIMEOUT, type ChaosClient, type Outcome, type SeenJob } from './chaosClient.ts';

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

const STATES: ReadonlyMap<JobState, string> = new Map([
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

  async cancel(url, job) {
    await createClient(JobService, transport(url)).cancelJob({ jobId: job }, { timeoutMs: CALL_TIMEOUT });
  },

  async hold(url, node, seconds) {
    const request = { node, duration: durationFromMs(seconds * 1000), lockWait: durationFromMs(500), reason: 'chaos' };
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

/** Locks a node. Throws when it was not locked. */
export async function lockNode(url: string, node: string): Promise<void> {
  await createClient(NodeService, transport(url)).lockNode({ node, holder: 'operator' }, { timeoutMs: CALL_TIMEOUT });
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
