import type { Browser, Page } from 'playwright-core';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { type RoleService, startRoleService } from '../auth/roleService.ts';
import { findChromium, startChromium } from '../clients/chromium.ts';
import { needs } from '../needs.ts';
import { type Visit, visit } from './visitor.ts';

const chromium = await findChromium();
const ADMIN = { name: 'test', role: 'admin' } as const;
const { signal } = new AbortController();
const NODES = 10_000;
/** Those of a window of 800 pixels, and a few around them. */
const MOST_ROWS = 40;
/** Compressed, in bytes. */
const MOST_SCRIPT = 200_000;

// How long what is shown here takes: bench/console.ts.
describe('a console with many nodes', needs(chromium === null ? 'Chromium' : null), () => {
  let browser: Browser;
  let service: RoleService;
  let shown: Visit;
  beforeAll(async () => {
    browser = await startChromium(chromium!);
    const nodes = Array.from({ length: NODES }, (_, index) => ({ name: `n-${index}`, driver: 'fake-hardware' }));
    service = await startRoleService('nodes_file: nodes.yaml\n', { 'nodes.yaml': JSON.stringify({ nodes }) });
    shown = await visit(browser, service.url, 'nodes?sort=name');
    await shown.page.getByText('10,000 nodes', { exact: true }).waitFor();
  });
  afterAll(async () => {
    await browser?.close();
    await service?.[Symbol.asyncDispose]();
  });

  const rows = (page: Page) => page.locator('.body .row').count();

  test('makes only the rows in view, wherever it is scrolled to', async () => {
    const { page, faults } = shown;
    for (const place of [0, 0.25, 0.5, 1]) {
      const first = Math.round(place * (NODES - 1));
      await page.locator('.table').evaluate((table, share) => {
        const scrolled = table as unknown as { scrollTop: number; scrollHeight: number; clientHeight: number };
        scrolled.scrollTop = share * (scrolled.scrollHeight - scrolled.clientHeight);
      }, place);
      if (place === 0 || place === 1) await page.getByRole('link', { name: `n-${first}`, exact: true }).waitFor();
      else await page.locator(`[aria-rowindex="${first + 2}"]`).waitFor();
      expect(await rows(page)).toBeLessThan(MOST_ROWS);
    }
    expect(await page.getByRole('table', { name: 'Nodes' }).getAttribute('aria-rowcount')).toBe(String(NODES + 1));
    expect(faults).toEqual([]);
  });

  test('finds one of them, and is told of many changes at once', async () => {
    const { page, faults } = shown;
    const search = page.getByLabel('Search');
    await search.fill('n-9999');
    await page.getByText('1 of 10,000 nodes').waitFor();
    await search.fill('');
    for (let index = 0; index < 500; index++)
      await service.core.nodes.lock(`n-${index}`, { holder: `h-${index}`, lockWait: 0, caller: ADMIN, signal });
    await page.getByLabel('State').selectOption('Locked');
    await page.getByText('500 of 10,000 nodes').waitFor();
    expect(await rows(page)).toBeLessThan(MOST_ROWS);
    await page
      .getByRole('row', { name: /^n-0\b/ })
      .getByText('h-0')
      .waitFor();
    expect(faults).toEqual([]);
  });

  test('loads less than 200 kB of compressed script for its first view', async () => {
    const page = await browser.newPage();
    const scripts: Record<string, string>[] = [];
    page.on('response', (response) => {
      if (response.request().resourceType() === 'script') scripts.push(response.headers());
    });
    await page.goto(`${service.url}/console/`);
    await page.getByText('10,000 nodes', { exact: true }).waitFor();
    expect(scripts.length).toBeGreaterThan(0);
    for (const headers of scripts) expect(headers['content-encoding']).toBe('gzip');
    const bytes = scripts.reduce((sum, headers) => sum + Number(headers['content-length']), 0);
    expect(bytes).toBeLessThan(MOST_SCRIPT);
    await page.close();
  });
});
