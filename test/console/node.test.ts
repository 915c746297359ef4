import { fileURLToPath } from 'node:url';
import type { Browser } from 'playwright-core';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { type RoleService, startRoleService } from '../auth/roleService.ts';
import { htpasswd } from '../auth/users.ts';
import { findChromium, startChromium } from '../clients/chromium.ts';
import { needs } from '../needs.ts';
import { everythingShown, expectAccessible, logInAs, visit } from './visitor.ts';

const chromium = await findChromium();
const ADMIN = { name: 'test', role: 'admin' } as const;
const TRIAL = fileURLToPath(new URL('./trialDriver.ts', import.meta.url));
const { signal } = new AbortController();

describe('the page of a node', needs(chromium === null ? 'Chromium' : null), () => {
  let browser: Browser;
  let service: RoleService;
  beforeAll(async () => {
    browser = await startChromium(chromium!);
    service = await startRoleService(`drivers: [ "${TRIAL}" ]\nnode_locked_retry_attempts: 0\n`);
    await service.core.nodes.create(
      {
        name: 'bmc-1',
        driver: 'redfish',
        driverInfo: { redfish_address: 'https://10.0.7.3', redfish_password: 'a secret' },
        properties: { vendor: 'Dell', cpus: 8 },
        extra: { rack: { row: 7 } },
        description: 'By the door',
        maintenance: true,
        maintenanceReason: 'a new fan',
      },
      ADMIN,
    );
    await service.core.nodes.create({ name: 'trial-1', driver: 'trial' }, ADMIN);
    await service.core.nodes.create({ name: 'silent-1', driver: 'trial', vendorInterface: 'silent' }, ADMIN);
  });
  afterAll(async () => {
    await browser?.close();
    await service?.[Symbol.asyncDispose]();
  });

  test('shows its properties with secrets masked, from its row in the table, and by its name in the address', async () => {
    const { page, faults, close } = await visit(browser, service.url);
    await page.getByRole('link', { name: 'bmc-1', exact: true }).click();
    await page.getByRole('heading', { level: 1, name: 'bmc-1', exact: true }).waitFor();
    const properties = page.getByRole('region', { name: 'Properties', exact: true });
    for (const text of ['By the door', 'Yes: a new fan', 'https://10.0.7.3', '******', 'Dell', 'rack: '])
      await properties.getByText(text).first().waitFor();
    expect(await everythingShown(page)).not.toContain('a secret');
    await page.goto(`${service.url}/console/nodes/bmc-1`);
    await page.getByRole('heading', { level: 1, name: 'bmc-1', exact: true }).waitFor();
    expect(faults).toEqual([]);
    await close();
  });

  test('shows its lock with holder, caller, reason and time, as it is taken and released', async () => {
    const { page, faults, close } = await visit(browser, service.url, 'nodes/bmc-1');
    const lock = page.getByRole('region', { name: 'Lock', exact: true });
    await lock.getByText('Not locked').waitFor();
    await service.core.nodes.lock('bmc-1', {
      holder: 'conductor-b',
      reason: 'new firmware',
      lockWait: 0,
      caller: ADMIN,
      signal,
    });
    await lock.getByRole('definition').filter({ hasText: 'new firmware' }).waitFor();
    expect(await lock.getByRole('definition').allTextContents()).toEqual([
      'conductor-b',
      'test',
      'new firmware',
      expect.stringMatching(/\(\d+ s\)$/),
    ]);
    await service.core.nodes.unlock('bmc-1', ADMIN, null);
    await lock.getByText('Not locked').waitFor();
    expect(faults).toEqual([]);
    await close();
  });

  test('lists its methods with description, verbs, mode, lock and role', async () => {
    const { page, close } = await visit(browser, service.url, 'nodes/bmc-1');
    const item = page.getByRole('listitem').filter({ has: page.getByRole('button', { name: 'eject_vmedia' }) });
    await item.getByText('Eject a virtual media device', { exact: false }).waitFor();
    expect(await item.locator('.chip').allTextContents()).toEqual([
      'POST',
      'Asynchronous: starts a job',
      'Locks the node',
      'Role: operator',
    ]);
    await page.goto(`${service.url}/console/nodes/trial-1`);
    const report = page.getByRole('listitem').filter({ has: page.getByRole('button', { name: 'report' }) });
    await report.waitFor();
    expect(await report.locator('.chip').allTextContents()).toEqual([
      'GET',
      'Synchronous',
      'Takes no lock',
      'Returns a file',
      'Role: operator',
    ]);
    await close();
  });

  test('says that a vendor interface has no methods', async () => {
    const { page, close } = await visit(browser, service.url, 'nodes/silent-1');
    await page.getByText('The vendor interface silent has no methods.').waitFor();
    await close();
  });

  test('says that there is no such node, and that the node has been removed', async () => {
    const { page, close } = await visit(browser, service.url, 'nodes/no-such-node');
    await page.getByRole('alert').filter({ hasText: 'no-such-node' }).waitFor();
    await service.core.nodes.create({ name: 'short-lived', driver: 'trial' }, ADMIN);
    await page.goto(`${service.url}/console/nodes/short-lived`);
    await page.getByRole('button', { name: 'everything', exact: true }).waitFor();
    await service.core.nodes.delete('short-lived', ADMIN, signal);
    await page.getByText('This node has been removed.').waitFor();
    await close();
  });

  test('disables what the role does not allow, and says why', async () => {
    const roles =
      'auth:\n  type: http_basic\n  http_basic_auth_user_file: users\n  roles: { rita: reader, olga: operator }\n';
    await using guarded = await startRoleService(`${roles}drivers: [ "${TRIAL}" ]\n`, {
      users: htpasswd('rita', 'olga'),
    });
    await guarded.core.nodes.create({ name: 'trial-1', driver: 'trial' }, ADMIN);
    for (const [user, method, reason] of [
      ['rita', 'echo', 'Requires the role operator.'],
      ['olga', 'restricted', 'Requires the role admin.'],
    ] as const) {
      const { page, close } = await logInAs(browser, guarded.url, user, `nodes/trial-1?method=${method}`);
      const call = page.getByRole('button', { name: 'Call', exact: true });
      await call.waitFor();
      expect(await call.getAttribute('aria-disabled')).toBe('true');
      await page
        .getByRole('region', { name: `Call ${method}`, exact: true })
        .getByText(reason)
        .waitFor();
      await call.click({ force: true });
      expect(await page.getByRole('region', { name: 'Outcome', exact: true }).count()).toBe(0);
      if (user === 'olga') {
        await page.getByRole('button', { name: 'echo', exact: true }).click();
        await page.getByRole('region', { name: 'Call echo', exact: true }).waitFor();
        expect(await call.getAttribute('aria-disabled')).toBe(null);
      }
      await close();
    }
  });

  test.each(['light', 'dark'] as const)('fits a window of 360 pixels, in %s colours', async (colorScheme) => {
    const viewport = { width: 360, height: 700 };
    const { page, faults, close } = await visit(browser, service.url, 'nodes/trial-1?method=everything', {
      viewport,
      colorScheme,
    });
    await page.getByRole('button', { name: 'Call', exact: true }).waitFor();
    expect(await page.evaluate('document.documentElement.scrollWidth')).toBe(360);
    expect(await page.evaluate('document.querySelector("main").scrollWidth')).toBeLessThanOrEqual(360);
    await expectAccessible(page);
    expect(faults).toEqual([]);
    await close();
  });
});
