import { once } from 'node:events';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import type { Browser, Page } from 'playwright-core';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { type RoleService, startRoleService } from '../auth/roleService.ts';
import { findChromium, startChromium } from '../clients/chromium.ts';
import { needs } from '../needs.ts';
import { visit } from './visitor.ts';

const chromium = await findChromium();
const ADMIN = { name: 'test', role: 'admin' } as const;
const LIST = '/passthru.v1.NodeService/ListNodes';

// Without authentication, where nothing but the origin tells a foreign page from an operator.
describe('a page of another origin', needs(chromium === null ? 'Chromium' : null), () => {
  let browser: Browser;
  let service: RoleService;
  let foreign: Server;
  let page: Page;
  let origin: string;
  /** The UUID of the only node. */
  let kept: string;
  beforeAll(async () => {
    browser = await startChromium(chromium!);
    service = await startRoleService('');
    kept = (await service.core.nodes.create({ name: 'kept-1', driver: 'fake-hardware' }, ADMIN)).uuid;
    foreign = createServer((_, response) => response.setHeader('Content-Type', 'text/html').end('<title>x</title>'));
    foreign.listen(0, '127.0.0.1');
    await once(foreign, 'listening');
    origin = `http://localhost:${(foreign.address() as AddressInfo).port}`;
    page = await (await browser.newContext()).newPage();
    await page.goto(origin);
  });
  afterAll(async () => {
    await browser?.close();
    foreign?.closeAllConnections();
    foreign?.close();
    await service?.[Symbol.asyncDispose]();
  });

  /** Sends a request as a script of the foreign page does; returns its status, or the name of the error. */
  const send = (path: string, options: object) =>
    page.evaluate(
      async ([url, init]) => {
        try {
          return String((await fetch(url as string, init as RequestInit)).status);
        } catch (error) {
          return (error as Error).name;
        }
      },
      [service.url + path, options] as const,
    );

  test.each([
    ['the page itself', '/console/', {}],
    ['a list over REST', '/v1/nodes', {}],
    ['the metrics', '/metrics', {}],
    ['a list over Connect', LIST, { method: 'POST', headers: { 'Content-Type': 'application/json' }, body: '{}' }],
    ['a list over gRPC-Web', LIST, { method: 'POST', headers: { 'Content-Type': 'application/grpc-web+proto' } }],
    ['a stream over REST', '/v1/nodes/events', {}],
  ])('cannot read %s', async (_, path, options) => {
    expect(await send(path, options)).toBe('TypeError');
  });

  test('cannot change anything by a request that a browser sends without asking', async () => {
    const body = JSON.stringify({ node: { name: 'planted', driver: 'fake-hardware' } });
    for (const type of ['text/plain', 'application/x-www-form-urlencoded', 'multipart/form-data']) {
      for (const path of ['/passthru.v1.NodeService/CreateNode', '/v1/nodes'])
        await send(path, { method: 'POST', mode: 'no-cors', headers: { 'Content-Type': type }, body });
    }
    await send('/passthru.v1.NodeService/CreateNode', { method: 'POST', mode: 'no-cors', body });
    const { nodes } = (await (await fetch(`${service.url}/v1/nodes`)).json()) as { nodes: { uuid: string }[] };
    expect(nodes.map(({ uuid }) => uuid)).toEqual([kept]);
  });

  test('cannot frame the console', async () => {
    const refused = page.waitForEvent('console', (message) => message.text().includes('frame-ancestors'));
    await page.evaluate((url) => {
      // biome-ignore lint/suspicious/noExplicitAny: this runs in the page
      const { document } = globalThis as any;
      const frame = document.createElement('iframe');
      frame.src = url;
      document.body.append(frame);
    }, `${service.url}/console/`);
    expect((await refused).text()).toMatch(/refused|violates/i);
    for (const frame of page.frames().slice(1)) expect(await frame.content()).not.toContain('passthru');
  });

  test('cannot take its script or picture', async () => {
    const html = await (await fetch(`${service.url}/console/`)).text();
    const script = /src="(\/console\/assets\/[^"]+\.js)"/.exec(html)![1]!;
    const load = (tag: string, url: string) =>
      page.evaluate(
        ([name, source]) =>
          new Promise((resolve) => {
            // biome-ignore lint/suspicious/noExplicitAny: this runs in the page
            const { document } = globalThis as any;
            const element = document.createElement(name);
            element.onload = () => resolve('loaded');
            element.onerror = () => resolve('refused');
            element.src = source;
            document.body.append(element);
          }),
        [tag, url] as const,
      );
    expect(await load('script', service.url + script)).toBe('refused');
    expect(await load('img', `${service.url}/console/icon.svg`)).toBe('refused');
  });

  test('that opens the console gets no hold of its window, and a console sets no cookie', async () => {
    const [opened] = await Promise.all([
      page.waitForEvent('popup'),
      page.evaluate((url) => {
        // biome-ignore lint/suspicious/noExplicitAny: this runs in the page
        (globalThis as any).opened = (globalThis as any).open(url);
      }, `${service.url}/console/`),
    ]);
    await opened.getByText('1 nodes').waitFor();
    await expect.poll(() => page.evaluate('opened.closed')).toBe(true);
    expect(await opened.evaluate('window.opener')).toBeNull();
    expect(await page.context().cookies()).toEqual([]);
    await opened.close();
    const { page: own, close } = await visit(browser, service.url);
    await own.getByText('1 nodes').waitFor();
    expect(await own.context().cookies()).toEqual([]);
    await close();
  });
});
