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
import { BUILDS, cleanUp, NPM_EXAMPLE } from './programs.ts';
import { SHOWN, SHOWN_UNCUT } from './shown.ts';

const chromium = await findChromium();

vi.setConfig({ testTimeout: 60_000 });

/** How a page's program ends: by itself, or with what a call threw. */
const ENDED = /^done$|^\w*Error: /m;
const CALL = '/passthru.v1.PassthruService/CallNodeMethod';
/** A node that a page calls whose origin is not listed. */
const FOREIGN = '11111111-1111-4111-8111-111111111111';
const REQUEST_ID = /^req-[0-9a-f-]{36}$/;

describe('the typescript client in a page of another origin', needs(chromium === null ? 'Chromium' : null), () => {
  let folder: string;
  let pages: PreviewServer;
  let browser: Browser;
  /** The origin that the services list, and one that they do not: the same pages, by another name. */
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
      PASSTHRU_FAKE_VENDOR_DELAY: '3s',
      PASSTHRU_HOST: 'replica-a',
      PASSTHRU_CORS_ORIGINS: JSON.stringify([listed]),
    };
    service = await serve([], settings);
    guarded = await serve([], {
      ...settings,
      PASSTHRU_AUTH_TYPE: 'http_basic',
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

  /** Opens the page and lets it show `fields`; answers the page, and what it prints in the console. */
  async function show(origin: string, fields: Record<string, string>): Promise<{ page: Page; told: string[] }> {
    const page = await browser.newPage();
    const told: string[] = [];
    page.on('console', (message) => told.push(message.text()));
    await page.goto(origin);
    const { protocol, ...texts } = fields;
    for (const [name, text] of Object.entries(texts)) await page.locator(`[name=${name}]`).fill(text);
    if (protocol !== undefined) await page.locator('[name=protocol]').selectOption(protocol);
    await page.locator('button').click();
    return { page, told };
  }

  const printed = (page: Page, text: RegExp) => page.locator('output').filter({ hasText: text }).waitFor();
  const output = (page: Page) => page.locator('output').textContent();

  describe.each(['connect', 'grpc-web'])('over %s', (protocol) => {
    test.concurrent('shows lists, calls, the holder of a lock and a watch across a broken connection', async ({
      onTestFinished,
    }) => {
      const proxy = await startCuttingProxy(service.url);
      onTestFinished(proxy.close);
      const { page, told } = await show(listed, { service: `http://${proxy.address}`, node: protocol, protocol });
      await printed(page, /the stream broke/);
      proxy.cutAfter(3);
      await printed(page, ENDED);
      expect(await output(page)).toBe(`${SHOWN}done\n`);
      expect(proxy.cuts()).toBeGreaterThan(0);
      // The page can read what the service calls each request.
      expect(told).toContainEqual(expect.stringMatching(/^ListNodeMethods req-[0-9a-f-]{36}$/));
    });

    test.concurrent('works through preflights with credentials, and reports missing credentials', async () => {
      const { authorization } = basic('operator').headers!;
      const fields = { service: guarded.url, node: protocol, protocol };
      const { page } = await show(listed, { ...fields, authorization: authorization! });
      await printed(page, ENDED);
      expect(await output(page)).toBe(`${SHOWN_UNCUT}done\n`);
      const { page: anonymous } = await show(listed, fields);
      await printed(anonymous, ENDED);
      expect(await output(anonymous)).toMatch(/^methods:\nConnectError: \[unauthenticated\] /);
    });

    test('blocks a page of an unlisted origin: no response, and no call executed', async () => {
      const { page, told } = await show(unlisted, { service: service.url, node: 'foreign', protocol });
      await printed(page, ENDED);
      expect(await output(page)).toBe('methods:\nConnectError: [unknown] Failed to fetch\n');
      expect(told.join('\n')).toContain('blocked by CORS policy');
    });
  });

  test('blocks blind calls of a page of an unlisted origin', async () => {
    const page = await browser.newPage();
    await page.goto(unlisted);
    // What a browser sends without asking first: it keeps the answer from the page, not the call from the service.
    const call = (path: string, body: object) =>
      page.evaluate(async ({ url, body }) => (await fetch(url, { method: 'POST', mode: 'no-cors', body })).type, {
        url: `${service.url}${path}`,
        body: JSON.stringify(body),
      });
    const request = { method: 'second_method', arguments: { bar: 'kazoo' } };
    expect(await call(CALL, { node: 'foreign', ...request })).toBe('opaque');
    // Without a header for Ironic's version nodes have UUIDs alone.
    const rest = `/v1/nodes/${FOREIGN}/vendor_passthru?method=second_method`;
    expect(await call(rest, { bar: 'kazoo' })).toBe('opaque');
    const { jobs } = (await (await fetch(`${service.url}/v1/jobs?node=${FOREIGN}`)).json()) as { jobs: unknown[] };
    expect(jobs).toEqual([]);
  });

  test('lets a page read response headers and error details, and send every accepted header', async () => {
    const page = await browser.newPage();
    await page.goto(listed);
    const ask = (path: string, headers: Record<string, string>, body: object) =>
      page.evaluate(
        async ({ url, headers, body }) => {
          const answer = await fetch(url, { method: 'POST', headers, body: JSON.stringify(body) });
          return { status: answer.status, headers: Object.fromEntries(answer.headers), text: await answer.text() };
        },
        { url: `${service.url}${path}`, headers: { 'Content-Type': 'application/json', ...headers }, body },
      );

    const failed = await ask(CALL, { 'X-Auth-Token': 'a token' }, { node: 'headers', method: 'no_such_method' });
    expect(failed).toMatchObject({
      status: 400,
      headers: { 'openstack-request-id': expect.stringMatching(REQUEST_ID) },
    });
    const [detail] = JSON.parse(failed.text).details;
    expect(detail).toMatchObject({ type: 'passthru.v1.ErrorDetail', debug: { reason: 'ERROR_REASON_UNKNOWN_METHOD' } });

    const rest = '/v1/nodes/headers/vendor_passthru?method=second_method';
    const known = { 'Idempotency-Key': 'once', 'Passthru-Lock-Wait': '0', 'X-OpenStack-Ironic-API-Version': '1.38' };
    const started = await ask(rest, known, { bar: 'kazoo' });
    expect(started).toMatchObject({
      status: 202,
      headers: { 'passthru-job-id': expect.any(String), location: expect.stringContaining('/v1/jobs/') },
    });
    expect((await ask(rest, known, { bar: 'kazoo' })).headers['passthru-job-id']).toBe(
      started.headers['passthru-job-id'],
    );
  });
});
