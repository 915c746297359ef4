import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { create, toBinary } from '@bufbuild/protobuf';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { CallNodeMethodRequestSchema } from '../../gen/passthru/v1/passthru_pb.ts';
import { PROTOCOLS, Requests } from '../auth/requests.ts';
import { basic, htpasswd } from '../auth/users.ts';
import { type ObservedService, startObserved } from './observedService.ts';

let folder: string;
let observed: ObservedService;
beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), 'passthru-audit-peer-'));
  writeFileSync(join(folder, 'users'), htpasswd('ann', 'rita'));
  observed = await startObserved({
    PASSTHRU_LISTEN: '[::]:0',
    PASSTHRU_AUTH_TYPE: 'http_basic',
    PASSTHRU_AUTH_DEFAULT_ROLE: 'admin',
    PASSTHRU_AUTH_HTTP_BASIC_AUTH_USER_FILE: join(folder, 'users'),
    PASSTHRU_AUTH_ROLES: 'rita=reader',
  });
});
afterAll(async () => {
  await observed[Symbol.asyncDispose]();
  rmSync(folder, { recursive: true });
});

/** Headers in which a caller claims another address. */
const CLAIMS = { 'x-forwarded-for': '203.0.113.9', forwarded: 'for=203.0.113.9', 'x-real-ip': '203.0.113.9' };

const CALL = '/v1/nodes/fake-1/vendor_passthru/third_method_sync';
const MESSAGE = toBinary(
  CallNodeMethodRequestSchema,
  create(CallNodeMethodRequestSchema, { node: 'fake-1', method: 'third_method_sync', arguments: { bar: 'meow' } }),
);

/** Returns the URL of the service, which listens on IPv6, with `host`. */
function urlBy(host: string): string {
  return `http://${host}:${new URL(observed.service.url).port}`;
}

test('records the peer of a 401, a 403 and a call over every protocol, regardless of the claims of the request', async () => {
  observed.records.length = 0;
  for (const proof of [{}, basic('rita'), basic('ann')]) {
    using requests = new Requests(urlBy('127.0.0.1'), { headers: { ...CLAIMS, ...proof.headers } });
    await requests.rest('POST', CALL, { bar: 'meow' });
    for (const protocol of PROTOCOLS) {
      await requests.rpc(protocol, 'passthru.v1.PassthruService/CallNodeMethod', false, Buffer.from(MESSAGE));
    }
  }
  const protocols = ['rest', 'connect', 'grpc', 'grpc-web'];
  expect(observed.records.map((record) => [record.caller, record.way, record.peer])).toEqual(
    [null, 'rita', 'ann'].flatMap((caller) => protocols.map((protocol) => [caller, protocol, '127.0.0.1'])),
  );
});

test.each([
  ['127.0.0.1', '127.0.0.1'],
  ['[::1]', '::1'],
])('over HTTP/1.1 to %s it is %s', async (host, peer) => {
  observed.records.length = 0;
  expect((await fetch(`${urlBy(host)}/v1/drivers`, { headers: CLAIMS })).status).toBe(401);
  expect(observed.records).toMatchObject([{ outcome: 'unauthenticated', peer }]);
});
