import { fileURLToPath } from 'node:url';
import type { Browser } from 'playwright-core';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { type Fleet, startFleet } from '../../src/sim/index.ts';
import { type RoleService, startRoleService } from '../auth/roleService.ts';
import { htpasswd } from '../auth/users.ts';
import { findChromium, startChromium } from '../clients/chromium.ts';
import { needs } from '../needs.ts';
import { received } from './trialDriver.ts';
import { expectAccessible, logInAs } from './visitor.ts';

const chromium = await findChromium();
const ADMIN = { name: 'test', role: 'admin' } as const;
const TRIAL = fileURLToPath(new URL('./trialDriver.ts', import.meta.url));

describe('the drivers of the console', needs(chromium === null ? 'Chromium' : null), () => {
  let browser: Browser;
  let service: RoleService;
  let fleet: Fleet;
  beforeAll(async () => {
    browser = await startChromium(chromium!);
    fleet = await startFleet();
    service = await startRoleService(
      `drivers: [ "${TRIAL}" ]\ndestinations: { allow: [ 127.0.0.0/8 ] }\n` +
        'auth:\n  type: http_basic\n  http_basic_auth_user_file: users\n  roles: { ann: admin, olga: operator, rita: reader }\n',
      { users: htpasswd('ann', 'olga', 'rita') },
    );
    await service.core.nodes.create({ name: 'trial-1', driver: 'trial' }, ADMIN);
  });
  afterAll(async () => {
    await browser?.close();
    await service?.[Symbol.asyncDispose]();
    await fleet?.close();
  });

  test('are listed, and have their own methods called by the same form as those of a node', async () => {
    received.length = 0;
    const { page, faults, close } = await logInAs(browser, service.url, 'olga', 'drivers');
    const row = page.getByRole('row').filter({ has: page.getByRole('link', { name: 'trial', exact: true }) });
    await expect
      .poll(() => row.getByRole('cell').allTextContents())
      .toEqual(['trial', 'trial, silent', expect.any(String)]);
    await expectAccessible(page);
    await row.getByRole('link').click();
    await page.getByRole('heading', { level: 1, name: 'trial', exact: true }).waitFor();
    await page.getByRole('region', { name: 'Keys of driver_info' }).getByText('trial_password').waitFor();
    const method = page
      .getByRole('listitem')
      .filter({ has: page.getByRole('button', { name: 'of_driver', exact: true }) });
    // It has no lock to take.
    await expect
      .poll(() => method.locator('.chip').allTextContents())
      .toEqual(['GET, POST', 'Synchronous', 'Role: operator']);
    await method.getByRole('button').click();
    await page.getByLabel('text', { exact: true }).fill('from the form');
    await page.getByLabel('number', { exact: true }).fill('5');
    await page.getByLabel('HTTP verb', { exact: true }).selectOption('POST');
    await page.getByRole('button', { name: 'Call', exact: true }).click();
    await page.getByRole('region', { name: 'Outcome', exact: true }).getByText('"from the form"').waitFor();
    const expected = { method: 'of_driver', httpMethod: 'POST', arguments: { text: 'from the form', number: 5 } };
    expect(received).toEqual([expected]);
    expect(new URL(page.url()).search).toBe('?method=of_driver');
    await page.getByRole('link', { name: 'Nodes with this driver' }).click();
    await page.getByRole('link', { name: 'trial-1', exact: true }).click();
    // And back from a node.
    await page.getByRole('definition').getByRole('link', { name: 'trial', exact: true }).click();
    await page.getByRole('button', { name: 'of_driver', exact: true }).waitFor();
    expect(faults).toEqual([]);
    await close();
  });

  test('show what the machine says, and no secret that was entered', async () => {
    const { page, faults, close } = await logInAs(browser, service.url, 'ann', 'drivers/redfish?method=discover');
    await page.getByLabel('address', { exact: true }).fill(fleet.bmcs[0]!.url);
    await page.getByLabel('username', { exact: true }).fill('u');
    await page.getByLabel('password', { exact: true }).fill('hunter2');
    await page.getByRole('button', { name: 'Call', exact: true }).click();
    await page.getByRole('alert').filter({ hasText: '401' }).waitFor();
    const line = page.getByRole('tabpanel', { name: 'curl', exact: true });
    await line.getByText('"password":"<secret>"').waitFor();
    expect(await page.locator('body').textContent()).not.toContain('hunter2');
    expect(page.url()).not.toContain('hunter2');
    await page.getByLabel('password', { exact: true }).fill('p');
    await page.getByRole('button', { name: 'Call', exact: true }).click();
    await page.getByRole('region', { name: 'Outcome', exact: true }).getByText('systems: ').waitFor();
    expect(faults).toEqual([]);
    await close();
  });

  test('disable what the role does not allow, and say why', async () => {
    for (const [user, method, reason] of [
      ['rita', 'of_driver', 'Requires the role operator.'],
      ['olga', 'restricted_of_driver', 'Requires the role admin.'],
      ['ann', 'restricted_of_driver', null],
    ] as const) {
      const { page, close } = await logInAs(browser, service.url, user, `drivers/trial?method=${method}`);
      const call = page.getByRole('button', { name: 'Call', exact: true });
      await call.waitFor();
      expect(await call.getAttribute('aria-disabled')).toBe(reason === null ? null : 'true');
      await call.click({ force: true });
      const region = page.getByRole('region', { name: `Call ${method}`, exact: true });
      await region.getByText(reason ?? 'The method has returned nothing.').waitFor();
      if (reason !== null) expect(await page.getByRole('region', { name: 'Outcome', exact: true }).count()).toBe(0);
      await close();
    }
  });

  test('say that one has no methods, and that there is no such driver', async () => {
    const { page, close } = await logInAs(browser, service.url, 'ann', 'drivers/fake-hardware');
    await page.getByText('The driver fake-hardware has no methods of its own.', { exact: false }).waitFor();
    await page.goto(`${service.url}/console/drivers/no-such`);
    await page.getByRole('alert').filter({ hasText: 'no-such' }).waitFor();
    await close();
  });
});
