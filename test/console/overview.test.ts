import type { Browser } from 'playwright-core';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { type Fleet, startFleet } from '../../src/sim/index.ts';
import { type RoleService, startRoleService } from '../auth/roleService.ts';
import { findChromium, startChromium } from '../clients/chromium.ts';
import { needs } from '../needs.ts';
import { expectAccessible, type Visit, visit } from './visitor.ts';

const chromium = await findChromium();
const ADMIN = { name: 'test', role: 'admin' } as const;
const { signal } = new AbortController();
const SETTINGS = 'host: console-test\nsecrets: { plain: true }\nnode_locked_retry_attempts: 0\n';

describe('the overview of the console', needs(chromium === null ? 'Chromium' : null), () => {
  let browser: Browser;
  let fleet: Fleet;
  let service: RoleService;
  let shown: Visit;
  beforeAll(async () => {
    browser = await startChromium(chromium!);
    fleet = await startFleet();
    service = await startRoleService(SETTINGS);
    const create = (name: string, properties: Record<string, string>, driverInfo = {}, driver = 'fake-hardware') =>
      service.core.nodes.create({ name, driver, properties, driverInfo }, ADMIN);
    await create('fake-1', { vendor: 'Dell', firmware: '7.10' });
    await create('fake-2', { vendor: 'Dell', firmware: '7.20' });
    await create('fake-3', { vendor: 'Dell', firmware: '7.20' });
    const driverInfo = { redfish_address: fleet.bmcs[0]!.url, redfish_username: 'u', redfish_password: 'p' };
    await create('rf-1', { vendor: 'Contoso' }, driverInfo, 'redfish');
    await service.core.nodes.lock('fake-3', { holder: 'test', lockWait: 0, caller: ADMIN, signal });
    shown = await visit(browser, service.url, 'overview');
  });
  afterAll(async () => {
    await browser?.close();
    await service?.[Symbol.asyncDispose]();
    await fleet?.close();
  });

  const call = (node: string, method: string, args = {}) =>
    service.core.callNodeMethod({
      ...{ node, method, arguments: args, httpMethod: null, idempotencyKey: null, lockWait: 0 },
      ...{ caller: ADMIN, signal, deadline: null },
    });

  /** Returns the groups of nodes by `title`, with how many each has. */
  const groups = (title: string) =>
    shown.page.getByRole('region', { name: title, exact: true }).getByRole('listitem').allTextContents();

  test('counts the nodes by driver, vendor, firmware and state, and leads to them', async () => {
    const { page } = shown;
    await page.getByRole('heading', { name: '4 nodes' }).waitFor();
    expect(await groups('Driver')).toEqual(['fake-hardware3', 'redfish1']);
    expect(await groups('Vendor')).toEqual(['Dell3', 'Contoso1']);
    expect(await groups('Firmware (properties.firmware)')).toEqual(['7.202', '7.101', 'Not entered1']);
    expect(await groups('State')).toEqual(['Locked1', 'Not locked3', 'Last call failed0', 'In maintenance0']);
    await page.getByRole('link', { name: 'Contoso' }).click();
    await page.getByText('1 of 4 nodes').waitFor();
    await page.getByRole('link', { name: 'rf-1' }).waitFor();
    await page.goBack();
    await page.getByRole('link', { name: '7.20' }).click();
    await page.getByText('2 of 4 nodes').waitFor();
    await page.goBack();
  });

  test('counts the asynchronous calls of the last hour from the jobs', async () => {
    await call('fake-1', 'second_method', { bar: 'kazoo' });
    const chart = shown.page.getByRole('figure').filter({ has: shown.page.getByText('Asynchronous calls') });
    await chart.getByText('Began: 1 in this hour').waitFor();
    await chart.getByText('Failed: 0 in this hour').waitFor();
    await chart.getByText('Counted from the jobs that the service keeps.').waitFor();
    fleet.bmcs[0]!.faults.add({ kind: 'status', status: 400, match: { path: '*/VirtualMedia' } });
    await call('rf-1', 'eject_vmedia');
    await chart.getByText('Began: 2 in this hour').waitFor();
    await chart.getByText('Failed: 1 in this hour').waitFor();
  });

  test('shows the calls, locks and the latency of BMCs of the time before it was opened, then goes on', async () => {
    const overview = await visit(browser, service.url);
    await call('rf-1', 'get_all_subscriptions');
    await expect(call('fake-3', 'third_method_sync', { bar: 'meow' })).rejects.toThrow('locked');
    const { page, faults } = overview;
    const legend = (title: string) =>
      page
        .getByRole('figure')
        .filter({ has: page.getByRole('heading', { name: title }) })
        .getByRole('listitem')
        .allTextContents();
    await page.getByRole('link', { name: 'Overview' }).click();
    await page.getByText('Calls: 4 in this hour').waitFor();
    expect(await legend('All calls')).toEqual(['Calls: 4 in this hour', 'Failed: 1 in this hour']);
    await expect.poll(() => legend('Locks')).toEqual(['Locked nodes: 1', 'Tries to lock that failed: 1 in this hour']);
    expect(await legend('Requests to BMCs')).toEqual([
      expect.stringMatching(/^On average: [\d,.]+ ms$/),
      expect.stringMatching(/^95 % took at most: [\d,.]+ ms$/),
    ]);
    await page
      .getByText(/^Counted by console-test alone, since /)
      .first()
      .waitFor();
    expect(await page.locator('canvas').count()).toBe(4);
    await expectAccessible(page);
    await call('rf-1', 'get_all_subscriptions');
    await page.getByText('Calls: 5 in this hour').waitFor();
    await service.core.nodes.unlock('fake-3', ADMIN);
    await page.getByText('Locked nodes: 0').waitFor();
    expect(faults).toEqual([]);
    await overview.close();
  });

  test.each(['light', 'dark'] as const)('fits a window of 360 pixels, in %s colours', async (colorScheme) => {
    const narrow = await visit(browser, service.url, 'overview', {
      ...{ viewport: { width: 360, height: 700 }, colorScheme },
    });
    await narrow.page.getByRole('heading', { name: '4 nodes' }).waitFor();
    expect(await narrow.page.evaluate('document.documentElement.scrollWidth')).toBe(360);
    await expectAccessible(narrow.page);
    await narrow.close();
  });
});
