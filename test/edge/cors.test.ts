import { once } from 'node:events';
import { request as httpRequest } from 'node:http';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { startTestService, type TestService } from '../rpc/service.ts';

const CALL = '/passthru.v1.PassthruService/CallNodeMethod';

let service: TestService;

const origin = 'https://console.example.com';
const preflight = (path: string, from: string) =>
  fetch(service.url + path, {
    method: 'OPTIONS',
    headers: {
      Origin: from,
      'Access-Control-Request-Method': 'POST',
      'Access-Control-Request-Headers': 'x-grpc-web',
    },
  });

beforeEach(async () => {
  service = await startTestService({ corsOrigins: [origin] });
});
afterEach(() => service[Symbol.asyncDispose]());

test('a page of a configured origin may call and read the status of gRPC-Web', async () => {
  const { status, headers } = await preflight(CALL, origin);
  expect(status).toBe(204);
  expect(headers.get('access-control-allow-origin')).toBe(origin);
  expect(headers.get('access-control-allow-headers')).toMatch(/connect-timeout-ms.*x-grpc-web/i);
  const response = await fetch(service.url + CALL, {
    method: 'POST',
    headers: { 'Content-Type': 'application/json', Origin: origin },
    body: '{"node":"x","method":"y"}',
  });
  expect(response.headers.get('access-control-allow-origin')).toBe(origin);
  expect(response.headers.get('access-control-expose-headers')).toMatch(/grpc-status-details-bin/i);
});

test('a page of a foreign origin gets no CORS headers', async () => {
  const { headers } = await preflight(CALL, 'https://evil.example.com');
  expect(headers.get('access-control-allow-origin')).toBeNull();
});

test('a call from a foreign page is refused, also with DNS rebinding or without Origin', async () => {
  await service.createNode('n1');
  const { host, port } = new URL(service.url);
  const call = (headers: Record<string, string>) => {
    const sent = httpRequest(service.url + CALL, { method: 'POST', headers });
    sent.setHeader('Content-Type', 'application/json');
    sent.end('{"node": "n1", "method": "echo", "arguments": {"value": 1}}');
    return once(sent, 'response').then(([response]) => response.resume().statusCode);
  };
  expect(await call({ Origin: 'https://evil.example.com' })).toBe(403);
  const rebound = `evil.example.com:${port}`;
  expect(await call({ Host: rebound, Origin: `http://${rebound}` })).toBe(403);
  expect(await call({ Host: host, Origin: `http://${host}` })).toBe(200);
  expect(await call({ Host: rebound })).toBe(200);
  for (const site of ['cross-site', 'same-site']) expect(await call({ 'Sec-Fetch-Site': site })).toBe(403);
  for (const site of ['same-origin', 'none']) expect(await call({ 'Sec-Fetch-Site': site })).toBe(200);
});

test('REST responses carry CORS headers too', async () => {
  const response = await fetch(`${service.url}/v1/drivers`, { headers: { Origin: origin } });
  expect(response.headers.get('access-control-allow-origin')).toBe(origin);
  expect((await preflight('/v1/nodes', origin)).headers.get('access-control-allow-methods')).toContain('POST');
});
