import { once } from 'node:events';
import { type ClientHttp2Session, connect as connectHttp2 } from 'node:http2';
import { Code, ConnectError } from '@connectrpc/connect';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { Health } from '../../gen/grpc/health/v1/health_pb.ts';
import { ErrorReason } from '../../gen/passthru/v1/error_pb.ts';
import { PassthruService } from '../../gen/passthru/v1/passthru_pb.ts';
import { Access } from '../../src/auth/access.ts';
import { isWatch } from '../../src/auth/actions.ts';
import { ROUTES } from '../../src/rest/routes.ts';
import { CLIENTS, detailOf } from '../rpc/clients.ts';
import { startTestService, type TestService } from '../rpc/service.ts';

/** Accepts the name in a caller's token; callers without a token are `greedy`. */
const access = new Access({
  challenge: null,
  async authenticate({ authToken }) {
    return { name: authToken ?? 'greedy', role: 'admin' };
  },
  close: async () => {},
});
const ironic = { 'X-OpenStack-Ironic-API-Version': '1.80' };

let service: TestService;
beforeEach(async () => {
  service = await startTestService({ access, callLimits: { callsPerCaller: 2, watchesPerCaller: 1 } });
  for (const name of ['n1', 'n2']) await service.createNode(name);
});
afterEach(() => service[Symbol.asyncDispose]());

function show(token: string): Promise<Response> {
  return fetch(`${service.url}/v1/nodes`, { headers: { ...ironic, 'X-Auth-Token': token } });
}

/** Starts a call on `node` that runs until it is aborted. */
async function staying(node: string, token: string): Promise<AbortController> {
  const controller = new AbortController();
  const url = `${service.url}/v1/nodes/${node}/vendor_passthru?method=until_aborted`;
  const headers = { ...ironic, 'X-Auth-Token': token };
  fetch(url, { method: 'POST', headers, signal: controller.signal }).catch(() => {});
  await expect.poll(async () => (await service.core.nodes.get(node)).reservation).not.toBeNull();
  return controller;
}

describe('a caller at the maximum of concurrent calls', () => {
  let calls: AbortController[];
  beforeEach(async () => {
    calls = [await staying('n1', 'greedy'), await staying('n2', 'greedy')];
  });
  afterEach(() => {
    for (const call of calls) call.abort();
  });

  test('gets 429 with Retry-After over REST, while another caller is served', async () => {
    const response = await show('greedy');
    expect([response.status, response.headers.get('retry-after')]).toEqual([429, '1']);
    expect(await response.text()).toContain('This caller already has 2 concurrent calls');
    expect((await show('modest')).status).toBe(200);
  });

  test.each(Object.keys(CLIENTS))('gets RESOURCE_EXHAUSTED over %s', async (protocol) => {
    using client = CLIENTS[protocol]!(service.url);
    const error = ConnectError.from(
      await client.unary(PassthruService.method.listNodeMethods, { node: 'n1' }).catch((thrown: unknown) => thrown),
    );
    expect(error.code).toBe(Code.ResourceExhausted);
    expect(detailOf(error).reason).toBe(ErrorReason.RATE_LIMITED);
  });

  test('may call again when one of them has ended or was cancelled', async () => {
    calls[0]!.abort();
    await service.aborted;
    await expect.poll(async () => (await show('greedy')).status).toBe(200);
  });
});

test('streams are counted separately', async () => {
  const call = { node: 'n1', method: 'job_of_two_steps', lockWait: null, idempotencyKey: null };
  const outcome = await service.core.callNodeMethod({
    ...call,
    arguments: {},
    httpMethod: null,
    caller: { name: 'greedy', role: 'admin' },
    signal: new AbortController().signal,
    deadline: null,
  });
  const id = outcome.kind === 'job' ? outcome.job.id : '';
  const watcher = new AbortController();
  const watch = (signal?: AbortSignal) =>
    fetch(`${service.url}/v1/jobs/${id}/events`, { headers: { ...ironic, 'X-Auth-Token': 'greedy' }, signal });
  expect((await watch(watcher.signal)).status).toBe(200);
  expect((await watch()).status).toBe(429);
  expect((await show('greedy')).status).toBe(200);
  watcher.abort();
  await expect.poll(async () => (await watch(AbortSignal.timeout(5000))).status).toBe(200);
});

const STREAMS = ['/v1/nodes/events', '/v1/jobs/events', '/v1/events/stream'];

test.each(STREAMS)('GET %s counts as a stream', async (path) => {
  const watcher = new AbortController();
  const headers = { ...ironic, 'X-Auth-Token': 'greedy' };
  const watch = () => fetch(service.url + path, { headers, signal: watcher.signal });
  try {
    expect((await watch()).status).toBe(200);
    expect((await watch()).status).toBe(429);
    expect((await show('greedy')).status).toBe(200);
  } finally {
    watcher.abort();
  }
});

test('no other route is a stream', () => {
  const paths = ROUTES.filter(({ action }) => isWatch(action)).map(({ path }) => path);
  expect(paths.sort()).toEqual([...STREAMS, '/v1/jobs/:id/events'].sort());
});

describe('methods without authentication are counted by peer', () => {
  let session: ClientHttp2Session;
  beforeEach(() => {
    session = connectHttp2(service.url);
  });
  afterEach(() => session.destroy());

  test('a second health stream is refused', async () => {
    const watch = () => {
      const headers = { ':method': 'POST', 'content-type': 'application/grpc', te: 'trailers' };
      const stream = session.request({ ...headers, ':path': `/${Health.typeName}/Watch` });
      stream.end(Buffer.alloc(5));
      return stream;
    };
    const first = watch();
    await once(first, 'data');
    const [trailers] = await once(watch().resume(), 'trailers');
    expect(trailers['grpc-status']).toBe(String(Code.ResourceExhausted));
    const closed = once(first, 'close');
    first.close();
    await closed;
    const state = () => {
      const stream = watch();
      return Promise.race([once(stream, 'data').then(() => 'served'), once(stream, 'trailers').then(() => 'refused')]);
    };
    await expect.poll(state).toBe('served');
  });
});
