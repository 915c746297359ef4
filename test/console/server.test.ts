import { request } from 'node:http';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { type RoleService, startRoleService } from '../auth/roleService.ts';

let service: RoleService;
let without: RoleService;

beforeAll(async () => {
  service = await startRoleService('');
  without = await startRoleService('console: false\n');
});
afterAll(async () => {
  await service[Symbol.asyncDispose]();
  await without[Symbol.asyncDispose]();
});

interface Raw {
  status: number;
  headers: Record<string, string | string[] | undefined>;
  body: string;
}

/** Sends a path as it is: `fetch` would resolve its dots. */
function get(path: string, { method = 'GET', headers = {} }: { method?: string; headers?: object } = {}): Promise<Raw> {
  const { hostname, port } = new URL(service.url);
  return new Promise((resolve, reject) => {
    const sent = request({ hostname, port, path, method, headers: { ...headers } }, (response) => {
      const chunks: Buffer[] = [];
      response.on('data', (chunk) => chunks.push(chunk));
      response.on('end', () =>
        resolve({
          status: response.statusCode!,
          headers: response.headers,
          body: Buffer.concat(chunks).toString('latin1'),
        }),
      );
    });
    sent.on('error', reject);
    sent.end();
  });
}

async function scriptPath(): Promise<string> {
  const { body } = await get('/console/');
  return /src="(\/console\/assets\/[^"]+\.js)"/.exec(body)![1]!;
}

describe('the files of the console', () => {
  test('are served with headers that allow nothing but themselves', async () => {
    for (const path of ['/console/', '/console/nodes', await scriptPath(), '/console/assets/none.js']) {
      const { headers } = await get(path);
      const policy = String(headers['content-security-policy']);
      for (const part of ["default-src 'none'", "script-src 'self'", "style-src 'self'", "frame-ancestors 'none'"])
        expect(policy).toContain(part);
      expect(policy).not.toMatch(/unsafe|data:|blob:|\*|https?:/);
      expect(headers).toMatchObject({
        'x-content-type-options': 'nosniff',
        'x-frame-options': 'DENY',
        'referrer-policy': 'no-referrer',
        'cross-origin-resource-policy': 'same-origin',
      });
    }
  });

  test('contain no script or style inside the page', async () => {
    const { body } = await get('/console/');
    expect(body).not.toMatch(/<style|\sstyle=|\son\w+=|javascript:/i);
    expect([...body.matchAll(/<script\b([^>]*)>([\s\S]*?)<\/script>/g)].map(([, , content]) => content)).toEqual(['']);
  });

  test('are cached for good when their name has a hash of their content, and checked each time otherwise', async () => {
    expect((await get(await scriptPath())).headers['cache-control']).toBe('public, max-age=31536000, immutable');
    for (const path of ['/console/', '/console/nodes', '/console/icon.svg'])
      expect((await get(path)).headers['cache-control']).toBe('no-cache');
    expect((await get('/console/assets/none.js')).headers['cache-control']).toBe('no-store');
  });

  test('are sent compressed to those who accept it: the script of the first view has less than 200 kB', async () => {
    const path = await scriptPath();
    const whole = await get(path);
    const compressed = await get(path, { headers: { 'Accept-Encoding': 'br, gzip' } });
    expect(whole.headers['content-encoding']).toBeUndefined();
    expect(compressed.headers).toMatchObject({ 'content-encoding': 'gzip', vary: 'Accept-Encoding' });
    expect(compressed.body.length).toBeLessThan(200_000);
    expect(
      (await get(path, { headers: { 'Accept-Encoding': 'gzip;q=0' } })).headers['content-encoding'],
    ).toBeUndefined();
  });

  test('are what every address of the page shows, and HEAD has no body', async () => {
    const { body } = await get('/console/');
    for (const path of ['/console/nodes/rack.7', '/console/jobs/1?tab=result', '/console/no/such/page'])
      expect(await get(path)).toMatchObject({ status: 200, body });
    const head = await get('/console/', { method: 'HEAD' });
    expect(head).toMatchObject({ status: 200, body: '' });
    expect(head.headers['content-length']).toBe(String(body.length));
    expect(await get('/console')).toMatchObject({ status: 308, headers: { location: '/console/' } });
  });

  test.each([
    '/console/../package.json',
    '/console/../../etc/passwd',
    '/console/..%2f..%2fpackage.json',
    '/console/%2e%2e/%2e%2e/package.json',
    '/console/..\\..\\package.json',
    '/console/..%5c..%5cpackage.json',
    '/console//etc/passwd',
    '/console/assets/../../build.js',
    '/console/assets/../../../package.json',
    '/console/.gz',
    '/console/.vite/manifest.json',
    '/console/index.html%00.svg',
    '/console/assets/',
  ])('are the only files that a path can name: %s is not found', async (path) => {
    const { status, body } = await get(path);
    expect(status).toBe(404);
    expect(body).toBe('Not found.');
  });

  test('are read by GET and HEAD alone', async () => {
    for (const method of ['POST', 'PUT', 'DELETE', 'PATCH', 'OPTIONS'])
      expect(await get('/console/', { method })).toMatchObject({ status: 405, headers: { allow: 'GET, HEAD' } });
  });

  test('are not served under a foreign name while there is no authentication', async () => {
    expect((await get('/console/', { headers: { Host: 'rebound.example' } })).status).toBe(403);
  });

  test('are not served with console: false', async () => {
    const response = await fetch(`${without.url}/console/`);
    expect(response.status).toBe(404);
    expect(response.headers.get('content-type')).toContain('json');
    expect((await fetch(`${without.url}/v1/nodes`)).status).toBe(200);
  });

  test('leave the other paths to the API', async () => {
    expect((await get('/consoles')).headers['content-security-policy']).toBeUndefined();
    expect((await get('/v1/nodes')).headers['content-security-policy']).toBeUndefined();
  });
});
