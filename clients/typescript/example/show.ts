import { enumToJson, toJson } from '@bufbuild/protobuf';
import { type Value, ValueSchema } from '@bufbuild/protobuf/wkt';
import { type Client, Code, ConnectError, createClient, type Transport } from '@connectrpc/connect';
import { ErrorReasonSchema, errorDetail, JobStateSchema, PassthruService } from 'passthru-client';

/** How often a broken stream is taken up again, and the pause before, in milliseconds. */
const TRIES = 30;
const PAUSE = 500;

/** Lists a node's methods, calls two of them and follows a job through a broken stream, over any transport. */
export async function show(transport: Transport, node: string, print: (line: string) => void): Promise<void> {
  const client = createClient(PassthruService, transport);

  print('methods:');
  const { methods } = await client.listNodeMethods({ node });
  for (const { name, async } of methods) print(`  ${name}, ${async ? 'asynchronous' : 'synchronous'}`);

  const answered = await client.callNodeMethod({ node, method: 'third_method_sync', arguments: { bar: 'meow' } });
  if (answered.outcome.case !== 'result') throw new Error('third_method_sync is synchronous');
  print(`third_method_sync answered ${json(answered.outcome.value)}`);

  const started = await client.callNodeMethod({ node, method: 'second_method', arguments: { bar: 'kazoo' } });
  if (started.outcome.case !== 'job') throw new Error('second_method is asynchronous');
  const job = started.outcome.value;
  print(`${job.method} started a job`);

  // The job holds the node: a second call is refused at once when it does not wait for the lock.
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
 * Follows a job to its end. A stream that breaks is taken up again after the last revision that came; to show that, the
 * first one is broken after its first message.
 */
async function watch(client: Client<typeof PassthruService>, jobId: string, print: (line: string) => void) {
  let afterRevision: bigint | undefined;
  for (let left = TRIES; left > 0; left--) {
    const broken = new AbortController();
    try {
      for await (const { job } of client.watchJob({ jobId, afterRevision }, { signal: broken.signal })) {
        if (job === undefined) continue;
        const state = enumToJson(JobStateSchema, job.state);
        if (afterRevision === undefined) {
          print(`the job: ${state}`);
          broken.abort();
        } else if (job.revision !== afterRevision + 1n) {
          throw new Error(`revision ${job.revision} came after ${afterRevision}`);
        }
        afterRevision = job.revision;
        if (job.endTime !== undefined) {
          print(`the job, resumed, with every revision once: ${state}, ${json(job.result!)}`);
        }
      }
      return;
    } catch (error) {
      if (!isBroken(error)) throw error;
      print('the stream broke');
      await new Promise((resolve) => setTimeout(resolve, PAUSE));
    }
  }
  throw new Error('the service cannot be reached');
}

/**
 * Whether the job may be followed on another stream: the error is not the service's word, because the connection broke or
 * nobody listens, or the service says that it stops.
 */
function isBroken(error: unknown): boolean {
  if (!(error instanceof ConnectError)) return false;
  return error.code === Code.Unavailable || errorDetail(error) === undefined;
}

function json(value: Value): string {
  return JSON.stringify(toJson(ValueSchema, value));
}
