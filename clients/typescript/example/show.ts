import { enumToJson, toJson } from '@bufbuild/protobuf';
import { type Value, ValueSchema } from '@bufbuild/protobuf/wkt';
import { type Client, Code, ConnectError, createClient, type Transport } from '@connectrpc/connect';
import { ErrorReasonSchema, errorDetail, JobStateSchema, NodeService, PassthruService } from 'passthru-client';

/** The maximum number of streams opened for one job. */
const MAX_STREAMS = 30;
/** The delay before each retry, in ms. */
const RETRY_DELAY = 500;

/** Lists a node's methods, calls two of them and watches a job across an interrupted stream, over any transport. */
export async function show(transport: Transport, node: string, print: (line: string) => void): Promise<void> {
  const client = createClient(PassthruService, transport);

  print('methods:');
  const { methods } = await client.listNodeMethods({ node });
  for (const { name, async, role } of methods) {
    print(`  ${name}, ${async ? 'asynchronous' : 'synchronous'}, role ${role}`);
  }

  const response = await client.callNodeMethod({ node, method: 'third_method_sync', arguments: { bar: 'meow' } });
  if (response.outcome.case !== 'result') throw new Error('third_method_sync is synchronous');
  print(`third_method_sync returned ${json(response.outcome.value)}`);

  await callLocked(client, createClient(NodeService, transport), node, print);

  const started = await client.callNodeMethod({ node, method: 'second_method', arguments: { bar: 'kazoo' } });
  if (started.outcome.case !== 'job') throw new Error('second_method is asynchronous');
  const job = started.outcome.value;
  print(`${job.method} started a job`);

  // The job holds the node, so a second call that does not wait for the lock is refused immediately.
  try {
    await client.callNodeMethod({ node, method: 'third_method_sync', arguments: { bar: 'meow' }, lockWait: {} });
  } catch (error) {
    const detail = errorDetail(error);
    if (detail === undefined) throw error;
    const { reason, lock } = detail;
    const name = enumToJson(ErrorReasonSchema, reason);
    print(`third_method_sync was refused: ${name}, ${lock?.holder} holds the node for ${lock?.method}`);
  }

  await watch(client, job.id, print);
}

/**
 * Locks the node, calls a method with the key of the lock, and unlocks the node. Calls without the key are refused
 * meanwhile.
 */
async function callLocked(
  client: Client<typeof PassthruService>,
  nodes: Client<typeof NodeService>,
  node: string,
  print: (line: string) => void,
): Promise<void> {
  // The duration ends the lock if this program does not.
  const locked = await nodes.lockNode({ node, reason: 'firmware check', duration: { seconds: 60n } });
  const { reservationKey } = locked;
  print(`locked the node: ${locked.node?.reservation?.reason}`);

  const call = { node, method: 'third_method_sync', arguments: { bar: 'meow' }, reservationKey };
  const response = await client.callNodeMethod(call);
  if (response.outcome.case !== 'result') throw new Error('third_method_sync is synchronous');
  print(`third_method_sync with the key returned ${json(response.outcome.value)}`);

  await nodes.unlockNode({ node, reservationKey });
  print('unlocked the node');
}

/**
 * Follows a job to its end. An interrupted stream is resumed after the last received revision. To demonstrate that, the
 * first stream is cancelled after its first message.
 */
async function watch(client: Client<typeof PassthruService>, jobId: string, print: (line: string) => void) {
  let afterRevision: bigint | undefined;
  for (let streams = 0; streams < MAX_STREAMS; streams++) {
    const controller = new AbortController();
    try {
      for await (const { job } of client.watchJob({ jobId, afterRevision }, { signal: controller.signal })) {
        if (job === undefined) continue;
        const state = enumToJson(JobStateSchema, job.state);
        if (afterRevision === undefined) {
          print(`job state: ${state}`);
          controller.abort();
        } else if (job.revision !== afterRevision + 1n) {
          throw new Error(`revision ${job.revision} came after ${afterRevision}`);
        }
        afterRevision = job.revision;
        if (job.endTime !== undefined) {
          print(`job resumed, each revision received once: ${state}, ${json(job.result!)}`);
        }
      }
      return;
    } catch (error) {
      if (!isInterrupted(error)) throw error;
      print('stream interrupted');
      await new Promise((resolve) => setTimeout(resolve, RETRY_DELAY));
    }
  }
  throw new Error('the service is unreachable');
}

/**
 * Returns whether the job can be resumed on a new stream: the connection broke or could not be established (the error
 * has no `ErrorDetail`), or the service is shutting down (`Unavailable`).
 */
function isInterrupted(error: unknown): boolean {
  if (!(error instanceof ConnectError)) return false;
  return error.code === Code.Unavailable || errorDetail(error) === undefined;
}

function json(value: Value): string {
  return JSON.stringify(toJson(ValueSchema, value));
}
