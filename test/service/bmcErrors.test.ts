import { Code, ConnectError, createClient } from '@connectrpc/connect';
import { createGrpcTransport } from '@connectrpc/connect-node';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { ErrorDetailSchema, ErrorReason } from '../../gen/passthru/v1/error_pb.ts';
import { PassthruService } from '../../gen/passthru/v1/passthru_pb.ts';
import { loadConfig } from '../../src/config/load.ts';
import type { JsonObject } from '../../src/core/json.ts';
import { silentLogger } from '../../src/core/logger.ts';
import { type Service, startService } from '../../src/service.ts';
import { type Fleet, QUIRKS, startFleet } from '../../src/sim/index.ts';
import { operator } from '../core/harness.ts';
import { selfSigned } from '../sim/selfSigned.ts';

// The errors over REST and gRPC for a BMC that lacks a service, is busy, or is not trusted.

let service: Service;
const fleets: Fleet[] = [];

beforeAll(async () => {
  const environment = {
    PASSTHRU_STORE: 'sqlite::memory:',
    PASSTHRU_LISTEN: '127.0.0.1:0',
    PASSTHRU_REDFISH_AUTH_TYPE: 'basic',
    PASSTHRU_REDFISH_CONNECTION_ATTEMPTS: '1',
  };
  service = await startService(loadConfig({ file: null, environment }), { log: silentLogger });
});

afterAll(async () => {
  await service.close();
  await Promise.all(fleets.map((fleet) => fleet.close()));
});

async function fleetWith(options: Parameters<typeof startFleet>[0]) {
  const fleet = await startFleet(options);
  fleets.push(fleet);
  return fleet.bmcs[0]!;
}

async function enrol(name: string, url: string, more: JsonObject = {}): Promise<void> {
  const driverInfo = { redfish_address: url, redfish_username: 'u', redfish_password: 'p', ...more };
  await service.core.nodes.create({ name, driver: 'redfish', driverInfo }, operator);
}

async function overRest(node: string, method: string, args: JsonObject) {
  const verb = method === 'get_all_subscriptions' ? 'GET' : 'POST';
  const response = await fetch(`${service.url}/v1/nodes/${node}/vendor_passthru/${method}`, {
    method: verb,
    headers: { 'X-OpenStack-Ironic-API-Version': '1.80', 'Content-Type': 'application/json' },
    ...(verb === 'POST' ? { body: JSON.stringify(args) } : {}),
  });
  const body = (await response.json()) as { error_message: string };
  return {
    status: response.status,
    faultcode: JSON.parse(body.error_message).faultcode,
    retryAfter: response.headers.get('Retry-After'),
  };
}

async function overGrpc(node: string, method: string, args: JsonObject) {
  const client = createClient(PassthruService, createGrpcTransport({ baseUrl: service.url }));
  const error = await client.callNodeMethod({ node, method, arguments: args }).then(
    () => null,
    (thrown) => ConnectError.from(thrown),
  );
  return { code: error?.code, reason: error?.findDetails(ErrorDetailSchema)[0]?.reason };
}

const PERMANENT = { status: 500, faultcode: 'Server', retryAfter: null };

test.each(['no-event-service', 'events-disabled'])(
  'a BMC without the required service (%s) is a permanent failure that clients do not retry',
  async (quirk) => {
    const { url } = await fleetWith({ quirks: [QUIRKS.get(quirk)!] });
    await enrol(quirk, url);
    const args = { Destination: 'https://192.0.2.1/events' };
    expect(await overRest(quirk, 'create_subscription', args)).toEqual(PERMANENT);
    expect(await overGrpc(quirk, 'create_subscription', args)).toEqual({
      code: Code.FailedPrecondition,
      reason: ErrorReason.BMC_UNSUPPORTED,
    });
  },
);

test('reports an untrusted BMC certificate as a permanent failure that clients do not retry', async () => {
  const { url } = await fleetWith({ tls: selfSigned() });
  await enrol('untrusted', url);
  expect(await overRest('untrusted', 'get_all_subscriptions', {})).toEqual(PERMANENT);
  expect(await overGrpc('untrusted', 'get_all_subscriptions', {})).toEqual({
    code: Code.FailedPrecondition,
    reason: ErrorReason.BMC_TLS_FAILED,
  });
});

test('reports a request that was not sent to a busy BMC as an error that clients may retry', async () => {
  const bmc = await fleetWith({});
  for (const index of [0, 1, 2, 3]) await enrol(`patient-${index}`, bmc.url);
  await enrol('impatient', bmc.url, { redfish_request_timeout: 1 });
  const call = (node: string, signal?: AbortSignal) => {
    const headers = { 'X-OpenStack-Ironic-API-Version': '1.80' };
    return fetch(`${service.url}/v1/nodes/${node}/vendor_passthru/get_all_subscriptions`, { headers, signal });
  };
  // Discovery is done and the password is known to be valid.
  await call('patient-0');
  const before = bmc.requestCount;
  bmc.faults.add({ kind: 'hang', match: { method: 'GET' } });
  const leaving = new AbortController();
  const held = Array.from({ length: 4 }, (_, index) => call(`patient-${index}`, leaving.signal).catch(() => {}));
  while (bmc.requestCount < before + 4) await new Promise((resolve) => setTimeout(resolve, 10));
  expect(await overRest('impatient', 'get_all_subscriptions', {})).toEqual({
    status: 503,
    faultcode: 'Server',
    retryAfter: '1',
  });
  expect(await overGrpc('impatient', 'get_all_subscriptions', {})).toEqual({
    code: Code.Unavailable,
    reason: ErrorReason.BMC_BUSY,
  });
  leaving.abort();
  await Promise.all(held);
});
