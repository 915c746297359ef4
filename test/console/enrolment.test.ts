import { fileURLToPath } from 'node:url';
import type { Browser, Page } from 'playwright-core';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { type Fleet, startFleet } from '../../src/sim/index.ts';
import { type RoleService, startRoleService } from '../auth/roleService.ts';
import { htpasswd } from '../auth/users.ts';
import { findChromium, startChromium } from '../clients/chromium.ts';
import { needs } from '../needs.ts';
import { everythingShown, expectAccessible, logInAs, type Visit, visit } from './visitor.ts';

const chromium = await findChromium();
const ADMIN = { name: 'test', role: 'admin' } as const;
const TRIAL = fileURLToPath(new URL('./trialDriver.ts', import.meta.url));
const { signal } = new AbortController();

describe('the enrolment of the console', needs(chromium === null ? 'Chromium' : null), () => {
  let browser: Browser;
  let service: RoleService;
  let fleet: Fleet;
  let shown: Visit;
  let page: Page;
  beforeAll(async () => {
    browser = await startChromium(chromium!);
    fleet = await startFleet();
    service = await startRoleService(
      `drivers: [ "${TRIAL}" ]\nnode_locked_retry_attempts: 0\ndestinations: { allow: [ 127.0.0.0/8 ] }\n`,
    );
    shown = await visit(browser, service.url);
    page = shown.page;
  });
  beforeEach(() => {
    shown.faults.length = 0;
  });
  afterEach(() => {
    expect(shown.faults).toEqual([]);
  });
  afterAll(async () => {
    await browser?.close();
    await service?.[Symbol.asyncDispose]();
    await fleet?.close();
  });

  const field = (name: string) => page.getByLabel(name, { exact: true });
  const button = (name: string) => page.getByRole('button', { name, exact: true });
  const title = (name: string) => page.getByRole('heading', { level: 1, name, exact: true });

  test('asks the BMC for what it is, and enrols the node that the form describes', async () => {
    await page.goto(`${service.url}/console/nodes`);
    await button('Enrol a node').click();
    await title('Enrol a node').waitFor();
    await field('name').fill('rack-7');
    await field('driver').selectOption('redfish');
    expect(await button('Ask the BMC').getAttribute('aria-disabled')).toBe('true');
    await page.getByText('Enter redfish_address first.').last().waitFor();
    await field('redfish_address').fill(fleet.bmcs[0]!.url);
    await field('redfish_username').fill('u');
    expect(await field('redfish_password').getAttribute('type')).toBe('password');
    await field('redfish_password').fill('p');
    await expectAccessible(page);
    await button('Ask the BMC').click();
    await page.getByText('The BMC has told what it is; see the fields above.').waitFor();
    expect(await field('redfish_system_id').inputValue()).toBe('/redfish/v1/Systems/437XR1138R2');
    expect(await field('redfish_password').inputValue()).toBe('p');
    await button('Enrol').click();
    await title('rack-7').waitFor();
    const node = await service.core.nodes.get('rack-7');
    expect(node).toMatchObject({
      driver: 'redfish',
      vendorInterface: 'redfish',
      driverInfo: {
        redfish_address: fleet.bmcs[0]!.url,
        redfish_username: 'u',
        redfish_system_id: '/redfish/v1/Systems/437XR1138R2',
      },
      properties: { vendor: 'Contoso', model: '3500' },
    });
    // With what was filled in, its methods reach the machine.
    await button('get_all_subscriptions').click();
    await button('Call').click();
    await page.getByRole('region', { name: 'Outcome', exact: true }).getByRole('tab', { name: 'Raw' }).waitFor();
  });

  test('shows what the BMC says when it cannot be asked', async () => {
    await page.goto(`${service.url}/console/nodes/new`);
    await field('driver').selectOption('redfish');
    await field('redfish_address').fill(fleet.bmcs[0]!.url);
    await field('redfish_username').fill('u');
    await field('redfish_password').fill('wrong');
    await button('Ask the BMC').click();
    await page.getByRole('alert').filter({ hasText: '401' }).waitFor();
  });

  test('shows at the fields what the service has against them', async () => {
    await page.goto(`${service.url}/console/nodes/new`);
    await button('Enrol').click();
    await page
      .locator('.field')
      .filter({ has: field('driver') })
      .getByText('must be given', { exact: true })
      .waitFor();
    await field('driver').selectOption('redfish');
    await field('redfish_address').fill('ftp://bmc');
    await button('Enrol').click();
    const address = page.locator('.field').filter({ has: field('redfish_address') });
    await address.locator('.fault').waitFor();
    await expect.poll(() => page.evaluate('document.activeElement.getAttribute("aria-invalid")')).toBe('true');
    await field('redfish_address').fill('https://10.0.0.1');
    await field('name').fill('rack-7');
    await button('Enrol').click();
    await page
      .locator('.field')
      .filter({ has: field('name') })
      .locator('.fault')
      .waitFor();
    await expectAccessible(page);
  });

  test('changes what is changed, and keeps the secrets that it does not show', async () => {
    const driverInfo = { redfish_address: 'https://10.0.0.2', redfish_password: 'a secret', redfish_username: 'u' };
    const { uuid } = await service.core.nodes.create(
      { name: 'rack-8', driver: 'redfish', driverInfo, properties: { cpus: 8, vendor: 'Dell' } },
      ADMIN,
    );
    await page.goto(`${service.url}/console/nodes/rack-8`);
    await title('rack-8').waitFor();
    await button('Edit').click();
    await title('Edit rack-8').waitFor();
    expect(await field('redfish_password').inputValue()).toBe('keep');
    await page.getByText('It has a value, which is not shown.', { exact: false }).waitFor();
    await field('name').fill('rack-8b');
    await field('description').fill('Moved');
    await field('redfish_username').fill('');
    await page.getByRole('group', { name: 'properties', exact: true }).getByLabel('cpus', { exact: true }).fill('16');
    await field('maintenance').selectOption('true');
    // What another changes meanwhile stays.
    await service.core.nodes.update('rack-8', () => ({ extra: { owner: 'ann' } }), ADMIN, signal);
    await button('Save').click();
    await title('rack-8b').waitFor();
    const node = await service.core.nodes.get(uuid);
    expect(node).toMatchObject({
      name: 'rack-8b',
      description: 'Moved',
      maintenance: true,
      properties: { cpus: 16, vendor: 'Dell' },
      extra: { owner: 'ann' },
    });
    expect(Object.keys(node.driverInfo).sort()).toEqual(['redfish_address', 'redfish_password']);
    expect(await everythingShown(page)).not.toContain('a secret');
  });

  test('replaces and removes secrets that it does not show, also those that the driver does not read', async () => {
    const driverInfo = {
      redfish_address: 'https://10.0.0.3',
      redfish_password: 'a secret',
      old_token: 'b',
      old_key: 'c',
    };
    const { uuid } = await service.core.nodes.create({ name: 'rack-10', driver: 'redfish', driverInfo }, ADMIN);
    await page.goto(`${service.url}/console/nodes/rack-10/edit`);
    await title('Edit rack-10').waitFor();
    await field('redfish_password').selectOption('Replace it');
    expect(await field('New redfish_password').getAttribute('type')).toBe('password');
    await field('New redfish_password').fill('new');
    await field('old_token').selectOption('Remove it');
    await field('old_key').selectOption('Replace it');
    await expectAccessible(page);
    await button('Save').click();
    await title('rack-10').waitFor();
    // Nothing was entered for what was to be replaced.
    const left = { redfish_address: 'https://10.0.0.3', redfish_password: 'new', old_key: 'c' };
    expect((await service.core.nodes.get(uuid)).driverInfo).toEqual(left);
    await page.goto(`${service.url}/console/nodes/rack-10/edit`);
    await field('redfish_password').selectOption('Remove it');
    await field('old_key').selectOption('Remove it');
    // Without a password the BMC can be asked; with one that is not shown it cannot.
    await expect.poll(() => button('Ask the BMC').getAttribute('title')).toBe(null);
    await button('Save').click();
    await title('rack-10').waitFor();
    expect((await service.core.nodes.get(uuid)).driverInfo).toEqual({ redfish_address: 'https://10.0.0.3' });
  });

  test('deletes a node when that is confirmed, and says why it cannot delete a locked one', async () => {
    await service.core.nodes.create({ name: 'rack-9', driver: 'fake-hardware' }, ADMIN);
    await page.goto(`${service.url}/console/nodes/rack-9`);
    await title('rack-9').waitFor();
    await service.core.nodes.lock('rack-9', { holder: 'conductor-b', lockWait: 0, caller: ADMIN, signal });
    try {
      await expect.poll(() => button('Delete').getAttribute('title')).toBe('The node is locked by conductor-b.');
      expect(await button('Edit').getAttribute('aria-disabled')).toBe('true');
    } finally {
      await service.core.nodes.unlock('rack-9', ADMIN, null);
    }
    await expect.poll(() => button('Delete').getAttribute('aria-disabled')).toBe(null);
    await button('Delete').click();
    const dialog = page.getByRole('dialog', { name: 'Delete rack-9?', exact: true });
    await expectAccessible(page);
    await page.keyboard.press('Escape');
    await dialog.waitFor({ state: 'detached' });
    await service.core.nodes.get('rack-9');
    await button('Delete').click();
    await dialog.getByRole('button', { name: 'Delete', exact: true }).click();
    await title('Nodes').waitFor();
    await expect(service.core.nodes.get('rack-9')).rejects.toThrow('rack-9');
  });

  test('is for admins: others read why', async () => {
    const roles = 'auth:\n  type: http_basic\n  http_basic_auth_user_file: users\n  roles: { olga: operator }\n';
    await using guarded = await startRoleService(roles, { users: htpasswd('olga') });
    await guarded.core.nodes.create({ name: 'rack-1', driver: 'fake-hardware' }, ADMIN);
    const { page: own, faults, close } = await logInAs(browser, guarded.url, 'olga');
    const reasonOf = (name: string) => own.getByRole('button', { name, exact: true }).getAttribute('title');
    await own.getByRole('link', { name: 'rack-1', exact: true }).waitFor();
    expect(await reasonOf('Enrol a node')).toBe('Requires the role admin.');
    await own.getByRole('link', { name: 'rack-1', exact: true }).click();
    await own.getByRole('button', { name: 'Edit', exact: true }).waitFor();
    expect(await reasonOf('Edit')).toBe('Requires the role admin.');
    expect(await reasonOf('Delete')).toBe('Requires the role admin.');
    await own.goto(`${guarded.url}/console/nodes/new`);
    const enrol = own.getByRole('button', { name: 'Enrol', exact: true });
    await enrol.waitFor();
    expect(await enrol.getAttribute('aria-disabled')).toBe('true');
    await own.getByText('Requires the role admin.', { exact: true }).waitFor();
    expect(faults).toEqual([]);
    await close();
  });

  test.each(['light', 'dark'] as const)('fits a window of 360 pixels, in %s colours', async (colorScheme) => {
    const viewport = { width: 360, height: 700 };
    const narrow = await visit(browser, service.url, 'nodes/new', { viewport, colorScheme });
    await narrow.page.getByLabel('driver', { exact: true }).selectOption('redfish');
    await narrow.page.getByLabel('redfish_address', { exact: true }).waitFor();
    expect(await narrow.page.evaluate('document.querySelector("main").scrollWidth')).toBeLessThanOrEqual(360);
    await expectAccessible(narrow.page);
    expect(narrow.faults).toEqual([]);
    await narrow.close();
  });
});
