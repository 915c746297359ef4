import type { Browser } from 'playwright-core';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { type Fleet, type SimulatedBmc, sendEvents, startFleet } from '../../src/sim/index.ts';
import { type RoleService, startRoleService } from '../auth/roleService.ts';
import { htpasswd } from '../auth/users.ts';
import { findChromium, startChromium } from '../clients/chromium.ts';
import { needs } from '../needs.ts';
import { expectAccessible, logInAs, type Visit } from './visitor.ts';

const chromium = await findChromium();
const ADMIN = { name: 'ann', role: 'admin' } as const;
/** Would run, and be noticed as a dialog, if it were taken for markup. */
const HOSTILE = '<img src=x onerror="alert(1)"><script>alert(2)</script>';
const FAN = '/redfish/v1/Chassis/1/ThermalSubsystem/Fans/3';

describe('the events of the console', needs(chromium === null ? 'Chromium' : null), () => {
  let browser: Browser;
  let fleet: Fleet;
  let bmc: SimulatedBmc;
  let service: RoleService;
  let ann: Visit;
  beforeAll(async () => {
    browser = await startChromium(chromium!);
    fleet = await startFleet();
    [bmc] = fleet.bmcs as [SimulatedBmc];
    service = await startRoleService(
      'secrets: { plain: true }\nevents: { listen: "127.0.0.1:0", test_timeout: 20s }\n' +
        'auth:\n  type: http_basic\n  http_basic_auth_user_file: users\n  roles: { ann: admin, rita: reader }\n',
      { users: htpasswd('ann', 'rita') },
    );
    const driverInfo = { redfish_address: bmc.url, redfish_username: 'u', redfish_password: 'p' };
    await service.core.nodes.create({ name: 'rf-1', driver: 'redfish', driverInfo }, ADMIN);
    await service.core.nodes.create({ name: 'fake-1', driver: 'fake-hardware' }, ADMIN);
    ann = await logInAs(browser, service.url, 'ann', 'events/sources');
    await ann.page.getByText('No node has an event source.').waitFor();
  });
  afterAll(async () => {
    await browser?.close();
    await service?.[Symbol.asyncDispose]();
    await fleet?.close();
  });

  test('come from sources, which operators set, and which show how far they are', async () => {
    const { page, faults } = ann;
    await expectAccessible(page);
    await page.getByLabel('Set the source of a node').fill('rf-1');
    await page.keyboard.press('Enter');
    await page.getByRole('heading', { name: 'Event source of rf-1', level: 1 }).waitFor();
    await page.getByRole('status').getByText('no event source').waitFor();
    await page.getByLabel('Transport').selectOption('Push (the BMC posts)');
    await page.getByRole('button', { name: 'Set', exact: true }).click();
    await page.getByRole('status').getByText('Active').waitFor();
    await page.getByText(/: Arrived after \d+ ms$/).waitFor();
    await expectAccessible(page);
    expect(faults).toEqual([]);
  });

  test('are proven by a test event', async () => {
    const { page } = ann;
    await page.getByRole('button', { name: 'Test', exact: true }).click();
    await page.getByText(/^The test event arrived after \d+ ms\.$/).waitFor();
    await page.getByRole('link', { name: 'Event sources' }).click();
    const row = page.getByRole('row', { name: /^rf-1\b/ });
    await row.getByText('Active').waitFor();
    await row.getByText(/^Arrived after/).waitFor();
  });

  test('keep what is entered for a new source while the page reads again whether there is one', async () => {
    const { page, faults, close } = await logInAs(browser, service.url, 'ann', 'events/sources/fake-1');
    await page.getByLabel('Registries').fill('ResourceEvent');
    for (let readings = 0; readings < 2; readings++)
      await page.waitForResponse((response) => response.url().endsWith('/GetEventSource'));
    expect(await page.getByLabel('Registries').inputValue()).toBe('ResourceEvent');
    expect(await page.evaluate('document.activeElement.name')).toBe('registryPrefixes');
    expect(faults).toEqual([]);
    await close();
  });

  test('are refused for a node whose hardware has none, and the page says why', async () => {
    const { page, faults, close } = await logInAs(browser, service.url, 'ann', 'events/sources/fake-1');
    await page.getByRole('button', { name: 'Set', exact: true }).click();
    await page.getByRole('alert').getByText('fake-hardware').waitFor();
    expect(faults).toEqual([]);
    await close();
  });

  test('are shown as they arrive, and a text in them is no markup', async () => {
    const { page, faults } = ann;
    await page.getByRole('link', { name: 'Events', exact: true }).first().click();
    await page.getByRole('row', { name: /rf-1/ }).first().waitFor();
    bmc.events.send({ message: HOSTILE, severity: 'Critical', origin: FAN });
    await page.getByRole('button', { name: HOSTILE }).click();
    const dialog = page.getByRole('dialog', { name: HOSTILE });
    await dialog.getByText(FAN, { exact: true }).waitFor();
    await dialog.getByRole('button', { name: 'Show it as the BMC sent it' }).click();
    await dialog.getByRole('region', { name: 'As the BMC sent it' }).getByText('OriginOfCondition').waitFor();
    await expectAccessible(page);
    await page.keyboard.press('Escape');
    await dialog.waitFor({ state: 'detached' });
    expect(faults).toEqual([]);
  });

  test('are narrowed by node, severity, message and origin, which the address of the page keeps', async () => {
    const { page } = ann;
    bmc.events.send({ message: 'All is well', severity: 'OK' });
    await page.getByRole('button', { name: 'All is well' }).waitFor();
    const critical = page.getByRole('button', { name: HOSTILE });
    const well = page.getByRole('button', { name: 'All is well' });
    await page.getByLabel('Severity').selectOption('Critical');
    await well.waitFor({ state: 'detached' });
    await critical.waitFor();
    bmc.events.send({ message: 'It burns', severity: 'Critical' });
    await page.getByRole('button', { name: 'It burns' }).waitFor();
    await page.getByLabel('Origin').fill('/redfish/v1/Chassis/1');
    await page.keyboard.press('Enter');
    await page.getByRole('button', { name: 'It burns' }).waitFor({ state: 'detached' });
    await critical.waitFor();
    await page.getByLabel('Message or registry').fill('NoSuchRegistry');
    await page.keyboard.press('Enter');
    await page.getByText('No event matches.').waitFor();
    const { searchParams } = new URL(page.url());
    expect(Object.fromEntries(searchParams)).toEqual({
      ...{ severity: 'critical', origin: '/redfish/v1/Chassis/1', message: 'NoSuchRegistry' },
    });
    await page.getByLabel('Message or registry').fill('');
    await page.keyboard.press('Enter');
    await critical.waitFor();
    await page.getByLabel('Node').fill('no-such-node');
    await page.keyboard.press('Enter');
    await page.getByRole('alert').getByText('no-such-node').waitFor();
    await page.getByLabel('Node').fill('rf-1');
    await page.keyboard.press('Enter');
    await critical.waitFor();
    expect(await page.getByRole('alert').count()).toBe(0);
  });

  test('stand still while paused', async () => {
    const { page } = ann;
    // What is not read yet when the page pauses counts as newer.
    await page.getByText(/^1 events$/).waitFor();
    await page.getByRole('button', { name: 'Pause' }).click();
    bmc.events.send({ message: 'While paused', severity: 'Critical', origin: FAN });
    await page.getByText('Paused: 1 newer').waitFor();
    expect(await page.getByRole('button', { name: 'While paused' }).count()).toBe(0);
    await page.getByRole('button', { name: 'Go on' }).click();
    await page.getByRole('button', { name: 'While paused' }).waitFor();
    expect(ann.faults).toEqual([]);
  });

  test('are read further back when asked', async () => {
    const { page, faults } = ann;
    await sendEvents([bmc], { count: 700, patient: true, event: { message: 'One of many', severity: 'OK' } });
    const stored = async () => {
      const everything = { nodes: [], minSeverity: null, messages: [], origin: null, before: null, since: null };
      const { events } = await service.core.events.list({ ...everything, limit: 1000, until: null, withRaw: false });
      return events.length;
    };
    // Each has been acknowledged, and so is stored.
    await expect.poll(() => bmc.events.waiting).toBe(0);
    const all = await stored();
    expect(all).toBeGreaterThan(700);
    await page.goto(`${service.url}/console/events`);
    await page.getByText('500 events', { exact: true }).waitFor();
    await page.getByRole('button', { name: 'Show older events' }).click();
    await page.getByText(`${all} events`, { exact: true }).waitFor();
    await page.getByRole('button', { name: 'Show older events' }).click();
    await page.getByRole('button', { name: 'Show older events' }).waitFor({ state: 'detached' });
    expect(faults).toEqual([]);
  });

  test('are only looked at by readers', async () => {
    const { page, close } = await logInAs(browser, service.url, 'rita', 'events/sources/rf-1');
    for (const name of ['Test', 'Set', 'Delete']) {
      const button = page.getByRole('button', { name, exact: true });
      await button.waitFor();
      expect(await button.getAttribute('aria-disabled')).toBe('true');
      expect(await button.getAttribute('title')).toBe('Requires the role operator.');
    }
    await expectAccessible(page);
    await close();
  });

  test('end with their source, which the keyboard alone can delete', async () => {
    const { page, faults, close } = await logInAs(browser, service.url, 'ann', 'events/sources/rf-1');
    await page.getByRole('button', { name: 'Delete', exact: true }).focus();
    await page.keyboard.press('Enter');
    const question = page.getByRole('dialog', { name: 'Delete the event source of rf-1?' });
    await question.getByRole('button', { name: 'Delete' }).focus();
    await page.keyboard.press('Enter');
    await page.getByText('The event source is deleted.').waitFor();
    expect(faults).toEqual([]);
    await close();
  });

  test.each(['light', 'dark'] as const)('fit a window of 360 pixels, in %s colours', async (colorScheme) => {
    const narrow = { viewport: { width: 360, height: 700 }, colorScheme };
    const { page, close } = await logInAs(browser, service.url, 'ann', 'events', narrow);
    await page.getByRole('row', { name: /rf-1/ }).first().waitFor();
    expect(await page.evaluate('document.documentElement.scrollWidth')).toBe(360);
    await expectAccessible(page);
    await page.getByRole('link', { name: 'Event sources' }).click();
    await page.getByText(/^\d+ sources$/).waitFor();
    expect(await page.evaluate('document.documentElement.scrollWidth')).toBe(360);
    await expectAccessible(page);
    await close();
  });
});
