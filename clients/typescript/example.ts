// Lists a node's methods, calls two of them and follows a job through a broken stream.
//
//   node example.ts [URL [NODE [connect|grpc|grpc-web|browser]]]
import { enumToJson, toJson } from '@bufbuild/protobuf';
import { type Value, ValueSchema } from '@bufbuild/protobuf/wkt';
import { type Client, ConnectError, createClient, type Transport } from '@connectrpc/connect';
import { createConnectTransport, createGrpcTransport, createGrpcWebTransport } from '@connectrpc/connect-node';
import { createConnectTransport as createBrowserTransport } from '@connectrpc/connect-web';
import { ErrorReasonSchema, errorDetail, JobStateSchema, PassthruService } from 'passthru-client';

/** One client over any transport; `browser` is what a page uses, over fetch. */
const TRANSPORTS: Record<string, (baseUrl: string) => Transport> = {
  connect: (baseUrl) => createConnectTransport({ baseUrl, httpVersion: '1.1' }),
  grpc: (baseUrl) => createGrpcTransport({ baseUrl }),
  'grpc-web': (baseUrl) => createGrpcWebTransport({ baseUrl, httpVersion: '1.1' }),
  browser: (baseUrl) => createBrowserTransport({ baseUrl }),
};

/** How often a broken stream is taken up again, and the pause before, in milliseconds. */
const TRIES = 10;
const PAUSE = 200;

const [url = 'http://127.0.0.1:6385', node = 'fake-1', transport = 'connect'] = process.argv.slice(2);
const client = createClient(PassthruService, TRANSPORTS[transport]!(url));

console.log('methods:');
const { methods } = await client.listNodeMethods({ node });
for (const { name, async } of methods) console.log(`  ${name}, ${async ? 'asynchronous' : 'synchronous'}`);

const answered = await client.callNodeMethod({ node, method: 'third_method_sync', arguments: { bar: 'meow' } });
if (answered.outcome.case !== 'result') throw new Error('third_method_sync is synchronous');
console.log(`third_method_sync answered ${json(answered.outcome.value)}`);

const started = await client.callNodeMethod({ node, method: 'second_method', arguments: { bar: 'kazoo' } });
if (started.outcome.case !== 'job') throw new Error('second_method is asynchronous');
const job = started.outcome.value;
console.log(`${job.method} started a job`);

// The job holds the node: a second call is refused at once when it does not wait for the lock.
try {
  await client.callNodeMethod({ node, method: 'third_method_sync', arguments: { bar: 'meow' }, lockWait: {} });
} catch (error) {
  const detail = errorDetail(error);
  if (detail === undefined) throw error;
  const { reason, lock } = detail;
  const name = enumToJson(ErrorReasonSchema, reason);
  console.log(`third_method_sync was refused: ${name}, ${lock?.holder} holds the node for ${lock?.method}`);
}

await watch(client, job.id);

/**
 * Follows a job to its end. A stream that breaks is taken up again after the last revision that came; to show that, the
 * first one is broken after its first message.
 */
async function watch(client: Client<typeof PassthruService>, jobId: string): Promise<void> {
  let afterRevision: bigint | undefined;
  for (let left = TRIES; left > 0; left--) {
    const broken = new AbortController();
    try {
      for await (const { job } of client.watchJob({ jobId, afterRevision }, { signal: broken.signal })) {
        if (job === undefined) continue;
        const state = enumToJson(JobStateSchema, job.state);
        if (afterRevision === undefined) {
          console.log(`the job: ${state}`);
          broken.abort();
        } else if (job.revision !== afterRevision + 1n) {
          throw new Error(`revision ${job.revision} came after ${afterRevision}`);
        }
        afterRevision = job.revision;
        if (job.endTime !== undefined) {
          console.log(`the job, resumed, with every revision once: ${state}, ${json(job.result!)}`);
        }
      }
      return;
    } catch (error) {
      if (!(error instanceof ConnectError) || errorDetail(error) !== undefined) throw error;
      // Not the service's word: the connection broke.
      console.log('the stream broke');
      await new Promise((resolve) => setTimeout(resolve, PAUSE));
    }
  }
  throw new Error('the service cannot be reached');
}

function json(value: Value): string {
  return JSON.stringify(toJson(ValueSchema, value));
}
