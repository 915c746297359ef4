import { once } from 'node:events';
import { request } from 'node:http';
import { connect as connectHttp2 } from 'node:http2';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { isLocalAuthority } from '../../src/net/listenAddress.ts';
import { startTestService, type TestService } from '../rpc/service.ts';

test.each([
  'localhost',
  'LOCALHOST:6385',
  '127.0.0.1',
  '127.1.2.3:80',
  '[::1]',
  '[::1]:6385',
  '[0:0:0:0:0:0:0:1]',
  '[::ffff:127.0.0.1]',
  '',
  undefined,
])('%s is a local name', (authority) => expect(isLocalAuthority(authority)).toBe(true));

test.each([
  'evil.example.com:6385',
  'localhost.evil.example.com',
  '127.0.0.1.evil.example.com',
  '127.evil.example.com',
  '128.0.0.1',
  '127.0.0.1@evil.example.com',
  '[::2]',
  '[::1',
  'localhost:',
  'localhost:x',
  'localhost.',
  'local host',
  '127.1',
  '0x7f.0.0.1',
  '2130706433',
  'localhost:99999',
  '::1',
])('%s is not a local name', (authority) => expect(isLocalAuthority(authority)).toBe(false));

describe('a service without authentication', () => {
  let service: TestService;
  beforeEach(async () => {
    service = await startTestService({ localNamesOnly: true });
  });
  afterEach(() => service[Symbol.asyncDispose]());

  const paths = ['/', '/healthz', '/v1/nodes', '/v1/jobs/x/events', '/passthru.v1.NodeService/ListNodes'];

  test.each(paths)('refuses %s under a foreign name, whatever the verb', async (path) => {
    const host = `evil.example.com:${new URL(service.url).port}`;
    for (const method of ['GET', 'POST', 'OPTIONS']) {
      const sent = request(service.url + path, { method, headers: { Host: host } }).end();
      const [response] = await once(sent, 'response');
      expect(response.statusCode).toBe(403);
      const body = JSON.parse((await response.setEncoding('utf8').toArray()).join(''));
      expect(body.code).toBe('permission_denied');
      expect(JSON.parse(body.error_message).faultstring).toContain('must be addressed as localhost');
    }
    const session = connectHttp2(service.url);
    const [headers] = await once(session.request({ ':path': path, ':authority': host }).resume(), 'response');
    expect(headers[':status']).toBe(403);
    session.destroy();
  });

  test('refuses a foreign name before and after a request to its own address', async () => {
    const port = new URL(service.url).port;
    const statuses: number[] = [];
    for (const name of [
      'evil.example.com',
      '127.0.0.1',
      'evil.example.com',
      'localhost',
      'localhost.evil.example.com',
    ]) {
      const sent = request(`${service.url}/v1`, { headers: { Host: `${name}:${port}` } }).end();
      const [response] = await once(sent, 'response');
      response.resume();
      statuses.push(response.statusCode);
    }
    expect(statuses).toEqual([403, 200, 403, 200, 403]);
  });

  test('serves requests to its own address', async () => {
    expect((await fetch(`${service.url}/v1/nodes`)).status).toBe(200);
    expect((await fetch(`http://localhost:${new URL(service.url).port}/v1/nodes`)).status).toBe(200);
  });
});
