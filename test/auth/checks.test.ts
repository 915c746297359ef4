import { Code, ConnectError, createClient, type Interceptor, type Transport } from '@connectrpc/connect';
import { createConnectTransport, createGrpcTransport, createGrpcWebTransport } from '@connectrpc/connect-node';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { JobService } from '../../gen/passthru/v1/job_pb.ts';
import { NodeService } from '../../gen/passthru/v1/node_pb.ts';
import { PassthruService } from '../../gen/passthru/v1/passthru_pb.ts';
import { type ConfiguredService, startConfiguredService } from './guardedService.ts';
import { type Login, PROTOCOLS, Requests } from './requests.ts';
import { basic, htpasswd } from './users.ts';

const CONFIG = `auth:
  type: http_basic
  http_basic_auth_user_file: users
  roles: { rita: reader, otto: operator, olga: operator, anna: admin }
  rules:
    - { driver: test, method: echo, role: admin }
    - { method: nothing, role: reader }
    - { method: ping, role: admin }
`;

let service: ConfiguredService;
const written: string[] = [];
beforeAll(async () => {
  const write = (fields: object, message: string) => written.push(JSON.stringify({ ...fields, message }));
  const log = { debug: write, info: write, warn: write, error: write };
  service = await startConfiguredService(CONFIG, { users: htpasswd('rita', 'otto', 'olga', 'anna') }, log);
  await service.createNode('n1');
});
afterAll(() => service[Symbol.asyncDispose]());

async function send(who: Login, method: string, path: string, body?: unknown, headers?: Record<string, string>) {
  using requests = new Requests(service.url, who);
  return await requests.rest(method, path, body, headers);
}

describe('the order of the checks over REST', () => {
  const TOO_LARGE = JSON.stringify({ a: 'x'.repeat(1024 * 1024) });
  const call = '/v1/nodes/n1/vendor_passthru/echo';
  const noVersion = { 'x-openstack-ironic-api-version': '9.9' };

  test.each<[string, number, Login, string, string, unknown, Record<string, string>?]>([
    ['version before size', 406, {}, 'POST', call, TOO_LARGE, noVersion],
    ['version before the caller', 406, {}, 'GET', '/v1/nodes', undefined, noVersion],
    ['size before authentication', 413, {}, 'POST', call, TOO_LARGE],
    ['the caller before the body', 401, {}, 'POST', call, '{'],
    ['the caller before the path', 401, {}, 'GET', '/v1/nodes/%ff', undefined],
    ['the caller before an unknown path', 401, {}, 'GET', '/v1/no-such-thing', undefined],
    ['the caller before the verb', 401, {}, 'DELETE', '/v1/nodes', undefined],
    [
      'the body before the ident and the role',
      400,
      basic('rita'),
      'POST',
      '/v1/nodes/n1/vendor_passthru/until_aborted',
      '{',
    ],
    ['the query before the role', 400, basic('rita'), 'POST', '/v1/nodes?a=b', '{}'],
    ['the ident before the role', 400, basic('rita'), 'DELETE', '/v1/nodes/n%201', undefined],
    ['the role before the node', 403, basic('rita'), 'DELETE', '/v1/nodes/no-such-node', undefined],
    [
      'the role before the node of an old version',
      403,
      basic('rita'),
      'DELETE',
      '/v1/nodes/n1',
      undefined,
      { 'x-openstack-ironic-api-version': '1.1' },
    ],
    ['the node before the method', 404, basic('otto'), 'POST', '/v1/nodes/no-such-node/vendor_passthru/x', {}],
    ['the method before the rule', 400, basic('otto'), 'POST', '/v1/nodes/n1/vendor_passthru/x', {}],
    ['the verb before the rule', 400, basic('otto'), 'PUT', call, {}],
    ['the rule before the arguments', 403, basic('otto'), 'POST', call, { nonsense: 1 }],
    ['the arguments of a caller that the rule allows', 400, basic('anna'), 'POST', call, { nonsense: 1 }],
    ['a rule for a driver method', 403, basic('otto'), 'GET', '/v1/drivers/test/vendor_passthru/ping', undefined],
    ['a rule that gives a method to readers', 200, basic('rita'), 'POST', '/v1/nodes/n1/vendor_passthru/nothing', {}],
    ['no rule for another method', 403, basic('rita'), 'POST', '/v1/nodes/n1/vendor_passthru/until_aborted', {}],
  ])('%s: %i', async (_name, status, who, method, path, body, headers) => {
    expect((await send(who, method, path, body, headers)).status).toBe(status);
  });

  test('OPTIONS, which browsers send without credentials, succeeds', async () => {
    expect((await send({}, 'OPTIONS', '/v1/nodes')).status).toBe(200);
  });
});

describe.each(PROTOCOLS)('the order of the checks over %s', (protocol) => {
  const NAME = 'passthru.v1.PassthruService/CallNodeMethod';
  const malformed = Buffer.from([0xff, 0xff, 0xff]);

  async function status(who: Login, name: string, isStream: boolean, message: Buffer) {
    using requests = new Requests(service.url, who);
    return await requests.rpc(protocol, name, isStream, message);
  }

  test('size before authentication', async () => {
    expect(await status({}, NAME, false, Buffer.alloc(1024 * 1024 + 1))).toBe(Code.ResourceExhausted);
  });
  test.each([
    ['nobody', {}],
    ['a wrong password', basic('anna', 'x')],
  ])('authentication before decoding: %s', async (_name, who) => {
    expect(await status(who, NAME, false, malformed)).toBe(Code.Unauthenticated);
    expect(await status(who, 'passthru.v1.PassthruService/WatchJob', true, malformed)).toBe(Code.Unauthenticated);
  });
  test('decoding before the role', async () => {
    const code = await status(basic('rita'), NAME, false, malformed);
    expect([Code.InvalidArgument, Code.Internal]).toContain(code);
  });
});

const TRANSPORTS: Record<string, (url: string, who: Login) => Transport> = {
  gRPC: (baseUrl, who) => createGrpcTransport({ baseUrl, interceptors: [sending(who)] }),
  'gRPC-Web': (baseUrl, who) => createGrpcWebTransport({ baseUrl, httpVersion: '1.1', interceptors: [sending(who)] }),
  Connect: (baseUrl, who) => createConnectTransport({ baseUrl, httpVersion: '1.1', interceptors: [sending(who)] }),
};

function sending({ headers = {} }: Login): Interceptor {
  return (next) => (request) => {
    for (const [name, value] of Object.entries(headers)) request.header.set(name, value);
    return next(request);
  };
}

describe.each(Object.entries(TRANSPORTS))('over %s', (_name, transport) => {
  const clientOf = (who: Login) => {
    const made = transport(service.url, who);
    return {
      passthru: createClient(PassthruService, made),
      nodes: createClient(NodeService, made),
      jobs: createClient(JobService, made),
    };
  };
  const codeOf = (promise: Promise<unknown>) =>
    promise.then(
      () => null,
      (error) => ConnectError.from(error).code,
    );

  test('a refusal has the challenge, or the required role', async () => {
    const error = ConnectError.from(
      await clientOf({})
        .nodes.listNodes({})
        .catch((thrown) => thrown),
    );
    expect([error.code, error.metadata.get('www-authenticate')]).toEqual([
      Code.Unauthenticated,
      'Basic realm="Baremetal API"',
    ]);
    const denied = await clientOf(basic('rita'))
      .nodes.deleteNode({ node: 'n1' })
      .catch((thrown) => thrown);
    expect(denied.rawMessage).toBe('Role admin is required to remove a node; rita has role reader.');
  });

  test('an operator may cancel its own jobs, an admin all jobs', async () => {
    const [otto, olga, anna] = [clientOf(basic('otto')), clientOf(basic('olga')), clientOf(basic('anna'))];
    const started = await otto.passthru.callNodeMethod({ node: 'n1', method: 'job_of_two_steps' });
    const job = started.outcome.case === 'job' ? started.outcome.value : undefined;
    expect(job?.requestedBy).toBe('otto');
    const jobId = job!.id;
    expect(await codeOf(olga.jobs.cancelJob({ jobId }))).toBe(Code.PermissionDenied);
    expect((await send(basic('olga'), 'DELETE', `/v1/jobs/${jobId}`)).status).toBe(403);
    expect(await codeOf(otto.jobs.cancelJob({ jobId }))).toBe(null);
    const again = await otto.passthru.callNodeMethod({ node: 'n1', method: 'job_of_two_steps' });
    const second = again.outcome.case === 'job' ? again.outcome.value.id : '';
    expect(await codeOf(anna.jobs.cancelJob({ jobId: second }))).toBe(null);
  });

  test('an operator may unlock its own nodes, an admin all nodes', async () => {
    const [otto, olga, anna] = [clientOf(basic('otto')), clientOf(basic('olga')), clientOf(basic('anna'))];
    const { node } = await otto.nodes.lockNode({ node: 'n1', holder: 'olga' });
    expect(node?.reservation).toMatchObject({ holder: 'olga', requestedBy: 'otto' });
    expect(await codeOf(olga.nodes.unlockNode({ node: 'n1' }))).toBe(Code.PermissionDenied);
    expect(await codeOf(otto.nodes.unlockNode({ node: 'n1' }))).toBe(null);
    await otto.nodes.lockNode({ node: 'n1' });
    expect(await codeOf(anna.nodes.unlockNode({ node: 'n1' }))).toBe(null);
  });
});

test('the log contains no passwords and no credentials', async () => {
  const { headers } = basic('anna', 'Pa55-w0rd-marker');
  expect((await send({ headers }, 'GET', '/v1/nodes')).status).toBe(401);
  const marker = headers?.authorization?.slice('Basic '.length) as string;
  const log = written.join('\n');
  expect(log).toContain('REST request served');
  expect(log).not.toContain('Pa55-w0rd-marker');
  expect(log).not.toContain(marker);
});
