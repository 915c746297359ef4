import type { Browser } from 'playwright-core';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { type RoleService, startRoleService } from '../auth/roleService.ts';
import { findChromium, startChromium } from '../clients/chromium.ts';
import { needs } from '../needs.ts';
import { expectAccessible, type Visit, visit } from './visitor.ts';

const chromium = await findChromium();
const ADMIN = { name: 'test', role: 'admin' } as const;
const { signal } = new AbortController();
const FIRMWARE = { 'rack-10': '7.10', 'rack-2': '7.9', 'rack-1': '7.10' };

describe('the nodes of the console', needs(chromium === null ? 'Chromium' : null), () => {
  let browser: Browser;
  let service: RoleService;
  let shown: Visit;
  beforeAll(async () => {
    browser = await startChromium(chromium!);
    service = await startRoleService('fake: { vendor_delay: 200ms }\nnode_locked_retry_attempts: 0\n');
    for (const [name, firmware] of Object.entries(FIRMWARE))
      await service.core.nodes.create(
        { name, driver: 'fake-hardware', properties: { vendor: 'Dell', firmware } },
        ADMIN,
      );
    const driverInfo = { redfish_address: 'https://10.0.7.3', redfish_password: 'a secret' };
    await service.core.nodes.create(
      { name: 'bmc-1', driver: 'redfish', driverInfo, description: 'By the door', maintenance: true },
      ADMIN,
    );
  });
  afterAll(async () => {
    await browser?.close();
    await service?.[Symbol.asyncDispose]();
  });

  const names = ({ page }: Visit) => page.locator('.body .row a[href*="/nodes/"]').allTextContents();

  test('are listed, sorted as people count, and nothing of a secret is told', async () => {
    const bodies: string[] = [];
    shown = await visit(browser, service.url);
    shown.page.on(
      'response',
      (response) =>
        void response.text().then(
          (text) => bodies.push(text),
          () => {},
        ),
    );
    await shown.page.reload();
    await shown.page.getByText('4 nodes').waitFor();
    expect(await names(shown)).toEqual(['rack-10', 'rack-2', 'rack-1', 'bmc-1']);
    await shown.page.getByRole('button', { name: 'Name' }).click();
    await expect.poll(() => names(shown)).toEqual(['bmc-1', 'rack-1', 'rack-2', 'rack-10']);
    expect(shown.page.url()).toContain('sort=name');
    expect(bodies.join()).not.toContain('a secret');
    expect(shown.faults).toEqual([]);
    await expectAccessible(shown.page);
  });

  test('are found by any words of their name, address and description, which the address of the page keeps', async () => {
    const { page } = shown;
    await page.getByLabel('Search').fill('DOOR 10.0.7');
    await page.getByText('1 of 4 nodes').waitFor();
    expect(await names(shown)).toEqual(['bmc-1']);
    const link = await visit(browser, service.url, page.url().split('/console/')[1]);
    await link.page.getByText('1 of 4 nodes').waitFor();
    expect(await names(link)).toEqual(['bmc-1']);
    await link.close();
    await page.getByLabel('Search').fill('no such node');
    await page.getByText('No node matches.').waitFor();
    await page.getByLabel('Search').fill('');
  });

  test('are narrowed by driver and state', async () => {
    const { page } = shown;
    await page.getByLabel('Driver').selectOption('redfish');
    await expect.poll(() => names(shown)).toEqual(['bmc-1']);
    await page.getByLabel('Driver').selectOption('All');
    await page.getByLabel('State').selectOption('In maintenance');
    await expect.poll(() => names(shown)).toEqual(['bmc-1']);
    await page.getByLabel('State').selectOption('All');
    await expect.poll(() => names(shown)).toHaveLength(4);
  });

  test('are narrowed by firmware, which the address of the page keeps', async () => {
    const { page } = shown;
    const firmware = page.getByLabel('Firmware');
    expect(await firmware.getByRole('option').allTextContents()).toEqual(['All', '7.9', '7.10']);
    await firmware.selectOption('7.10');
    await expect.poll(() => names(shown)).toEqual(['rack-1', 'rack-10']);
    const link = await visit(browser, service.url, page.url().split('/console/')[1]);
    await link.page.getByText('2 of 4 nodes').waitFor();
    expect(await names(link)).toEqual(['rack-1', 'rack-10']);
    await link.close();
    // A node gets its version as it is entered.
    await service.core.nodes.update('rack-2', () => ({ properties: { firmware: '7.10' } }), ADMIN, signal);
    await expect.poll(() => names(shown)).toEqual(['rack-1', 'rack-2', 'rack-10']);
    await firmware.selectOption('All');
    await page.getByText('4 nodes', { exact: true }).waitFor();
  });

  test('show who locks them, with which method and since when, as it happens', async () => {
    const { page } = shown;
    await service.core.nodes.lock('rack-1', { holder: 'conductor-b', lockWait: 0, caller: ADMIN, signal });
    const row = page.getByRole('row', { name: /rack-1\b/ });
    await row.getByText('conductor-b').waitFor();
    expect(await row.locator('time').first().getAttribute('datetime')).toMatch(/^\d{4}-/);
    await page.getByLabel('State').selectOption('Locked');
    await expect.poll(() => names(shown)).toEqual(['rack-1']);
    await service.core.nodes.unlock('rack-1', ADMIN, null);
    await page.getByText('No node matches.').waitFor();
    await page.getByLabel('State').selectOption('All');
    const called = {
      node: 'rack-2',
      method: 'second_method',
      arguments: { bar: 'kazoo' },
      httpMethod: null,
      idempotencyKey: null,
      lockWait: 0,
      caller: ADMIN,
      signal,
      deadline: null,
    };
    await service.core.callNodeMethod(called);
    await page
      .getByRole('row', { name: /rack-2\b/ })
      .locator('.locked', { hasText: 'second_method' })
      .waitFor();
    await page
      .getByRole('row', { name: /rack-2\b/ })
      .getByText('Succeeded')
      .waitFor();
  });

  test('appear and disappear as they are enrolled and removed', async () => {
    const { page } = shown;
    await service.core.nodes.create({ name: 'rack-3', driver: 'fake-hardware' }, ADMIN);
    await page.getByRole('link', { name: 'rack-3' }).waitFor();
    await service.core.nodes.delete('rack-3', ADMIN, signal);
    await page.getByRole('link', { name: 'rack-3' }).waitFor({ state: 'detached' });
  });

  test('can be gone through by the keyboard alone', async () => {
    const { page } = shown;
    await page.getByRole('link', { name: 'bmc-1' }).focus();
    await page.keyboard.press('End');
    await expect.poll(() => page.evaluate('document.activeElement.textContent')).toBe('rack-10');
    await page.keyboard.press('ArrowUp');
    await expect.poll(() => page.evaluate('document.activeElement.textContent')).toBe('rack-2');
    expect(shown.faults).toEqual([]);
  });

  test.each(['light', 'dark'] as const)('fit a window of 360 pixels, in %s colours', async (colorScheme) => {
    const narrow = await visit(browser, service.url, '', { viewport: { width: 360, height: 700 }, colorScheme });
    await narrow.page.getByText('4 nodes').waitFor();
    expect(await narrow.page.evaluate('document.documentElement.scrollWidth')).toBe(360);
    await expectAccessible(narrow.page);
    await narrow.close();
  });
});
