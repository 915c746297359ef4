import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Browser, Page } from 'playwright-core';
import { build, type PreviewServer, preview } from 'vite';
import { afterAll, beforeAll, describe, expect, test, vi } from 'vitest';
import { basic, htpasswd } from '../auth/users.ts';
import { type Served, serve } from '../cli/run.ts';
import { needs } from '../needs.ts';
import { findChromium, startChromium } from './chromium.ts';
import { startCuttingProxy } from './cuttingProxy.ts';
import { OUTPUT, OUTPUT_UNCUT } from './output.ts';
import { BUILDS, cleanUp, NPM_EXAMPLE } from './programs.ts';

const chromium = await findChromium();

vi.setConfig({ testTimeout: 60_000 });

/** The last line that the page prints: `done`, or the error that a call threw. */
const ENDED = /^done$|^\w*Error: /m;
const CALL = '/passthru.v1.PassthruService/CallNodeMethod';
/** The node that is called by a page whose origin is not listed. */
const FOREIGN = '11111111-1111-4111-8111-111111111111';
const REQUEST_ID = /^req-[0-9a-f-]{36}$/;

describe('the typescript client in a page of another origin', needs(chromium === null ? 'Chromium' : null), () => {
  let folder: string;
  let pages: PreviewServer;
  let browser: Browser;
  /** An origin that the services list, and one that they do not: the same pages under another host name. */
  let listed: string;
  let unlisted: string;
  let service: Served;
  let guarded: Served;

  beforeAll(async () => {
    folder = mkdtempSync(join(tmpdir(), 'passthru-browser-'));
    await BUILDS.typescript();
    const built = { outDir: join(folder, 'pages'), emptyOutDir: true };
    await build({ root: NPM_EXAMPLE, configFile: false, logLevel: 'silent', build: built });
    pages = await preview({
      root: NPM_EXAMPLE,
      configFile: false,
      logLevel: 'silent',
      build: built,
      preview: { host: '127.0.0.1', port: 0 },
    });
    const { port } = pages.httpServer.address() as { port: number };
    listed = `http://localhost:${port}`;
    unlisted = `http://127.0.0.1:${port}`;
    const nodes = [
      ...['connect', 'grpc-web', 'headers'].map((name) => ({ name, driver: 'fake-hardware' })),
      { uuid: FOREIGN, name: 'foreign', driver: 'fake-hardware' },
    ];
    writeFileSync(join(folder, 'nodes.yaml'), JSON.stringify({ nodes }));
    writeFileSync(join(folder, 'users'), htpasswd('operator'));
    const settings = {
      PASSTHRU_NODES_FILE: join(folder, 'nodes.yaml'),
      PASSTHRU_FAKE_VENDOR_DELAY: '6s',
      PASSTHRU_HOST: 'replica-a',
      PASSTHRU_CORS_ORIGINS: JSON.stringify([listed]),
    };
    service = await serve([], settings);
    guarded = await serve([], {
      ...settings,
      PASSTHRU_AUTH_TYPE: 'http_basic',
      PASSTHRU_AUTH_DEFAULT_ROLE: 'admin',
      PASSTHRU_AUTH_HTTP_BASIC_AUTH_USER_FILE: join(folder, 'users'),
    });
    browser = await startChromium(chromium!);
  }, 120_000);

  afterAll(async () => {
    await browser?.close();
    await pages?.close();
    await service?.stop();
    await guarded?.stop();
    cleanUp();
    rmSync(folder, { recursive: true });
  });

  /** Opens the page and submits `fields`. Returns the page, and the lines that it prints to the console. */
  async function show(origin: string, fields: Record<string, string>): Promise<{ page: Page; logged: string[] }> {
    const page = await browser.newPage();
    const logged: string[] = [];
    page.on('console', (message) => logged.push(message.text()));
    await page.goto(origin);
    const { protocol, ...texts } = fields;
    for (const [name, text] of Object.entries(texts)) await page.locator(`[name=${name}]`).fill(text);
    if (protocol !== undefined) await page.locator('[name=protocol]').selectOption(protocol);
    await page.locator('button').click();
    return { page, logged };
  }

  const printed = (page: Page, text: RegExp) => page.locator('output').filter({ hasText: text }).waitFor();
  const output = (page: Page) => page.locator('output').textContent();

  describe.each(['connect', 'grpc-web'])('over %s', (protocol) => {
    test.concurrent('shows lists, calls, the holder of a lock and a watch across a broken connection', async ({
      onTestFinished,
    }) => {
      const proxy = await startCuttingProxy(service.url);
      onTestFinished(proxy.close);
      const { page, logged } = await show(listed, { service: `http://${proxy.address}`, node: protocol, protocol });
      await printed(page, /stream interrupted/);
      proxy.cutAfter(3);
      await printed(page, ENDED);
      expect(await output(page)).toBe(`${OUTPUT}done\n`);
      expect(proxy.cuts()).toBeGreaterThan(0);
      // The page can read the id of each request.
      expect(logged).toContainEqual(expect.stringMatching(/^ListNodeMethods req-[0-9a-f-]{36}$/));
    });

    test.concurrent('works through preflights with credentials, and reports missing credentials', async () => {
      const { authorization } = basic('operator').headers!;
      const fields = { service: guarded.url, node: protocol, protocol };
      const { page } = await show(listed, { ...fields, authorization: authorization! });
      await printed(page, ENDED);
      expect(await output(page)).toBe(`${OUTPUT_UNCUT}done\n`);
      const { page: anonymous } = await show(listed, fields);
      await printed(anonymous, ENDED);
      expect(await output(anonymous)).toMatch(/^methods:\nConnectError: \[unauthenticated\] /);
    });

    test('blocks a page of an unlisted origin: no response, and no call executed', async () => {
      const { page, logged } = await show(unlisted, { service: service.url, node: 'foreign', protocol });
      await printed(page, ENDED);
      expect(await output(page)).toBe('methods:\nConnectError: [unknown] Failed to fetch\n');
      expect(logged.join('\n')).toContain('blocked by CORS policy');
    });
  });

  test('blocks blind calls of a page of an unlisted origin', async () => {
    const page = await browser.newPage();
    await page.goto(unlisted);
    // A browser sends this request without a preflight. It hides the response from the page, but the service gets the
    // call.
    const call = (path: string, body: object) =>
      page.evaluate(async ({ url, body }) => (await fetch(url, { method: 'POST', mode: 'no-cors', body })).type, {
        url: `${service.url}${path}`,
        body: JSON.stringify(body),
      });
    const request = { method: 'second_method', arguments: { bar: 'kazoo' } };
    expect(await call(CALL, { node: 'foreign', ...request })).toBe('opaque');
    // Without the header for Ironic's API version, nodes are found only by UUID.
    const rest = `/v1/nodes/${FOREIGN}/vendor_passthru?method=second_method`;
    expect(await call(rest, { bar: 'kazoo' })).toBe('opaque');
    const { jobs } = (await (await fetch(`${service.url}/v1/jobs?node=${FOREIGN}`)).json()) as { jobs: unknown[] };
    expect(jobs).toEqual([]);
  });

  test('lets a page read response headers and error details, and send every accepted header', async () => {
    const page = await browser.newPage();
    await page.goto(listed);
    const post = (path: string, headers: Record<string, string>, body: object) =>
      page.evaluate(
        async ({ url, headers, body }) => {
          const response = await fetch(url, { method: 'POST', headers, body: JSON.stringify(body) });
          return {
            status: response.status,
            headers: Object.fromEntries(response.headers),
            text: await response.text(),
          };
        },
        { url: `${service.url}${path}`, headers: { 'Content-Type': 'application/json', ...headers }, body },
      );

    const failed = await post(CALL, { 'X-Auth-Token': 'a token' }, { node: 'headers', method: 'no_such_method' });
    expect(failed).toMatchObject({
      status: 400,
      headers: { 'openstack-request-id': expect.stringMatching(REQUEST_ID) },
    });
    const [detail] = JSON.parse(failed.text).details;
    expect(detail).toMatchObject({ type: 'passthru.v1.ErrorDetail', debug: { reason: 'ERROR_REASON_UNKNOWN_METHOD' } });

    const rest = '/v1/nodes/headers/vendor_passthru?method=second_method';
    const known = { 'Idempotency-Key': 'once', 'Passthru-Lock-Wait': '0', 'X-OpenStack-Ironic-API-Version': '1.38' };
    const started = await post(rest, known, { bar: 'kazoo' });
    expect(started).toMatchObject({
      status: 202,
      headers: { 'passthru-job-id': expect.any(String), location: expect.stringContaining('/v1/jobs/') },
    });
    expect((await post(rest, known, { bar: 'kazoo' })).headers['passthru-job-id']).toBe(
      started.headers['passthru-job-id'],
    );
  });
});
