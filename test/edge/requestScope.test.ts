import { createClient } from '@connectrpc/connect';
import { createConnectTransport, createGrpcTransport, createGrpcWebTransport } from '@connectrpc/connect-node';
import { afterAll, beforeAll, describe, expect, test, vi } from 'vitest';
import { PassthruService } from '../../gen/passthru/v1/passthru_pb.ts';
import { type ObservedService, startObserved } from '../observe/observedService.ts';

const MADE = /^req-[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/;
const GIVEN = 'req-11111111-2222-4333-8444-555555555555';
const CALL = '/v1/nodes/fake-1/vendor_passthru/';

let observed: ObservedService;
beforeAll(async () => {
  observed = await startObserved();
});
afterAll(() => observed[Symbol.asyncDispose]());

describe('a request over REST', () => {
  test('has its own id in the response, however it ends', async () => {
    const ids = [];
    for (const path of ['/v1/nodes', '/nowhere', '/v1/nodes/x', '/healthz', '/v1/nodes?limit=x']) {
      ids.push((await observed.send('GET', path)).headers.get('OpenStack-Request-Id'));
    }
    for (const id of ids) expect(id).toMatch(MADE);
    expect(new Set(ids).size).toBe(ids.length);
  });

  test("keeps the caller's id", async () => {
    const response = await observed.send('GET', '/v1/nodes', undefined, { 'X-OpenStack-Request-ID': GIVEN });
    expect(response.headers.get('OpenStack-Request-Id')).toBe(GIVEN);
  });

  test.each([
    'req-1',
    GIVEN.slice(4),
    `${GIVEN}0`,
    GIVEN.toUpperCase(),
    `${GIVEN}, ${GIVEN}`,
    `req-${'1'.repeat(4000)}`,
  ])('replaces a malformed id: %s', async (given) => {
    const response = await observed.send('GET', '/v1/nodes', undefined, { 'X-OpenStack-Request-ID': given });
    expect(response.headers.get('OpenStack-Request-Id')).toMatch(MADE);
  });
});

describe('a request over RPC', () => {
  const transports = {
    Connect: () => createConnectTransport({ baseUrl: observed.service.url, httpVersion: '1.1' }),
    'Connect over HTTP/2': () => createConnectTransport({ baseUrl: observed.service.url, httpVersion: '2' }),
    gRPC: () => createGrpcTransport({ baseUrl: observed.service.url }),
    'gRPC-Web': () => createGrpcWebTransport({ baseUrl: observed.service.url, httpVersion: '1.1' }),
  };

  test.each(Object.keys(transports) as (keyof typeof transports)[])(
    'has its id in the response header: %s',
    async (name) => {
      const client = createClient(PassthruService, transports[name]());
      const idOf = async (node: string, given: Record<string, string>) => {
        let id: string | null = null;
        const call = client.listNodeMethods(
          { node },
          {
            headers: given,
            onHeader: (header) => {
              id = header.get('openstack-request-id');
            },
          },
        );
        await call.catch((error) => {
          id ??= error.metadata.get('openstack-request-id');
        });
        return id;
      };
      expect(await idOf('fake-1', {})).toMatch(MADE);
      expect(await idOf('fake-1', { 'X-OpenStack-Request-ID': GIVEN })).toBe(GIVEN);
      expect(await idOf('absent', { 'X-OpenStack-Request-ID': GIVEN })).toBe(GIVEN);
    },
  );
});

describe('the log', () => {
  test('has the id on every line of a request, of the job that it starts, and of the BMC requests that a driver sends for it', async () => {
    const response = await observed.send(
      'POST',
      `${CALL}second_method`,
      { bar: 'kazoo' },
      { 'X-OpenStack-Request-ID': GIVEN },
    );
    const job = response.headers.get('Passthru-Job-Id')!;
    const ended = () => observed.lines.find((line) => line.msg === 'job ended' && line.job === job);
    await vi.waitUntil(() => ended());
    expect(ended()).toMatchObject({ request_id: GIVEN });
    expect(observed.lines).toContainEqual(expect.objectContaining({ msg: 'job accepted', job, request_id: GIVEN }));
    expect(observed.lines).toContainEqual(
      expect.objectContaining({ msg: 'REST request served', status: 202, request_id: GIVEN }),
    );

    const other = 'req-aaaaaaaa-2222-4333-8444-555555555555';
    await observed.send('GET', '/v1/nodes/rf-1/vendor_passthru/get_all_subscriptions', undefined, {
      'X-OpenStack-Request-ID': other,
    });
    const bmcRequests = observed.lines.filter((line) => line.msg === 'BMC request');
    expect(bmcRequests.length).toBeGreaterThan(0);
    for (const line of bmcRequests) expect(line).toMatchObject({ request_id: other });
  });

  test('has no id on lines outside of requests', async () => {
    expect(observed.lines.find((line) => line.msg === 'node enrolled')).not.toHaveProperty('request_id');
  });

  test('distinguishes concurrent requests', async () => {
    const from = observed.lines.length;
    const ids = Array.from(
      { length: 20 },
      (_, index) => `req-${String(index).padStart(8, '0')}-2222-4333-8444-555555555555`,
    );
    await Promise.all(
      ids.map((id, index) =>
        observed.send('GET', `/v1/drivers/fake-hardware/vendor_passthru/absent_${index}`, undefined, {
          'X-OpenStack-Request-ID': id,
        }),
      ),
    );
    const served = observed.lines.slice(from).filter((line) => line.msg === 'REST request served');
    expect(served.map((line) => line.request_id).sort()).toEqual(ids);
  });
});
