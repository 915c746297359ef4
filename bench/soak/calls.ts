// Lists, calls, jobs, and what goes wrong for their callers.
import { Code, createClient } from '@connectrpc/connect';
import { createConnectTransport } from '@connectrpc/connect-node';
import { JobService } from '../../gen/passthru/v1/job_pb.ts';
import { PassthruService } from '../../gen/passthru/v1/passthru_pb.ts';
import { basic, fails, NodeLocked, type SoakClient } from './client.ts';
import { type Operation, operation } from './operation.ts';

const MEOW = { bar: 'meow' };
const KAZOO = { bar: 'kazoo' };

/** When a caller that does not wait for the response leaves, in milliseconds. */
const LEAVES_AFTER = 50;

export const CALLS: readonly Operation[] = [
  operation(8, 'list methods', (client) =>
    client.rest('GET', `/v1/nodes/${client.fakeNode()}/vendor_passthru/methods`, [200]),
  ),
  operation(6, 'list nodes', (client) => client.rest('GET', '/v1/nodes/detail?limit=20', [200])),
  operation(3, 'list jobs', (client) => client.rest('GET', '/v1/jobs?limit=20', [200])),
  operation(3, 'health', (client) => client.rest('GET', '/healthz', [200])),
  operation(1, 'metrics', (client) => client.rest('GET', '/metrics', [200])),
  operation(10, 'call', (client) => client.call(client.fakeNode(), 'third_method_sync', MEOW, [200])),
  operation(8, 'call of a BMC', callBmc),
  operation(10, 'RPC call', (client) => client.rpc(PassthruService).callNodeMethod(third(client))),
  operation(8, 'RPC job, watched', watchRpcJob),
  operation(6, 'job, watched by SSE', async (client) => {
    const response = await eventsOf(client, await startJob(client), client.signal);
    await response.text();
  }),
  operation(4, 'job, watched by SSE and left', async (client) => {
    const left = new AbortController();
    const signal = AbortSignal.any([client.signal, left.signal]);
    const response = await eventsOf(client, await startJob(client), signal);
    await response.body!.getReader().read();
    left.abort();
  }),
  operation(4, 'call, left', leaveCall),
  operation(2, 'RPC call, left', (client) => {
    const call = client.rpc(PassthruService).callNodeMethod(third(client), { timeoutMs: LEAVES_AFTER });
    return fails([Code.DeadlineExceeded, Code.Canceled], call);
  }),
  operation(3, 'job, cancelled', async (client) => {
    const job = await startJob(client);
    // 400: it has just ended.
    await client.rest('DELETE', `/v1/jobs/${job}`, [200, 202, 400]);
  }),
  operation(3, 'idempotent job, twice', async (client) => {
    const [node, headers] = [client.fakeNode(), { 'Idempotency-Key': client.name('key') }];
    const first = await startJob(client, node, headers);
    const second = await startJob(client, node, headers);
    if (first !== second) throw new Error('the repeated call started another job');
  }),
  operation(5, '401', beStranger),
  operation(5, 'enrol, change and remove', enrolAndRemove),
  operation(4, 'bad requests', sendBadRequests),
];

function third(client: SoakClient) {
  return { node: client.fakeNode(), method: 'third_method_sync', arguments: MEOW };
}

async function callBmc(client: SoakClient): Promise<void> {
  const node = client.bmcNode();
  const path = `/v1/nodes/${node}/vendor_passthru`;
  if (client.random.chance(0.7)) await client.rest('GET', `${path}/get_all_subscriptions`, [200]);
  else {
    const destination = { Destination: `https://events.example/${client.name('subscription')}` };
    const { text } = await client.call(node, 'create_subscription', destination, [200]);
    // The node may be called by others in between: repeated until it is not, so that no subscription is left over.
    const remove = () => client.rest('DELETE', `${path}/delete_subscription?id=${JSON.parse(text).Id}`, [200, 409]);
    while ((await remove()).status === 409);
  }
}

async function watchRpcJob(client: SoakClient): Promise<void> {
  const request = { node: client.fakeNode(), method: 'second_method', arguments: KAZOO };
  const { outcome } = await client.rpc(PassthruService).callNodeMethod(request);
  if (outcome.case !== 'job') throw new Error(`no job but ${outcome.case}`);
  for await (const _ of client.rpc(PassthruService).watchJob({ jobId: outcome.value.id }));
  await client.rpc(JobService).getJob({ jobId: outcome.value.id });
}

/** Starts a job; returns its id. */
async function startJob(client: SoakClient, node = client.fakeNode(), headers: Record<string, string> = {}) {
  const started = await client.call(node, 'second_method', KAZOO, [202], headers);
  return started.headers.get('passthru-job-id')!;
}

async function eventsOf(client: SoakClient, job: string, signal: AbortSignal): Promise<Response> {
  const response = await client.fetch('GET', `/v1/jobs/${job}/events`, {}, signal);
  if (response.status !== 200) throw new Error(`events of a job: ${response.status}`);
  return response;
}

async function leaveCall(client: SoakClient): Promise<void> {
  const signal = AbortSignal.timeout(LEAVES_AFTER);
  const path = `/v1/nodes/${client.fakeNode()}/vendor_passthru/third_method_sync`;
  try {
    const response = await client.fetch('POST', path, { body: MEOW }, AbortSignal.any([client.signal, signal]));
    await response.text();
  } catch (error) {
    if (!signal.aborted) throw error;
    return;
  }
  throw new Error('the call ended before its caller left');
}

async function beStranger(client: SoakClient): Promise<void> {
  await client.rest('GET', '/v1/nodes', [401], { headers: {} });
  await client.rest('GET', '/v1/nodes', [401], { headers: basic(client.name('stranger'), 'wrong') });
  const stranger = createClient(PassthruService, createConnectTransport({ baseUrl: client.url, httpVersion: '1.1' }));
  const request = { node: 'f0', method: 'third_method_sync', arguments: {} };
  await fails([Code.Unauthenticated], stranger.callNodeMethod(request, { signal: client.signal }));
}

async function enrolAndRemove(client: SoakClient): Promise<void> {
  const name = client.name('n');
  const body = { name, driver: 'fake-hardware', extra: { text: 'x'.repeat(2000) } };
  const change = [{ op: 'replace', path: '/description', value: 'changed' }];
  try {
    await client.rest('POST', '/v1/nodes', [201], { body });
    await client.rest('PATCH', `/v1/nodes/${name}`, [200], { body: change });
    await client.call(name, 'third_method_sync', MEOW, [200]);
    await client.rest('DELETE', `/v1/nodes/${name}`, [204]);
  } catch (error) {
    throw error instanceof NodeLocked ? new Error('the node was locked, although no other knows it') : error;
  }
}

async function sendBadRequests(client: SoakClient): Promise<void> {
  await client.rest('POST', '/v1/nodes', [400], { body: '{"name": ' });
  await client.call(client.fakeNode(), 'no_such_method', {}, [400]);
  await client.rest('GET', '/v1/nodes/absent', [404]);
  const missing = { node: 'absent', method: 'third_method_sync', arguments: MEOW };
  await fails([Code.NotFound], client.rpc(PassthruService).callNodeMethod(missing));
}
