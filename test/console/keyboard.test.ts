import { fileURLToPath } from 'node:url';
import type { Browser, Page } from 'playwright-core';
import { afterAll, beforeAll, describe, expect, test, vi } from 'vitest';
import { type Fleet, startFleet } from '../../src/sim/index.ts';
import { type RoleService, startRoleService } from '../auth/roleService.ts';
import { htpasswd, passwordOf } from '../auth/users.ts';
import { findChromium, startChromium } from '../clients/chromium.ts';
import { needs } from '../needs.ts';
import { expectReachable, focused, tabTo } from './keys.ts';
import { expectAccessible, logInAs, type Visit, visit } from './visitor.ts';

// It goes through whole pages key by key, and checks every page four times.
vi.setConfig({ testTimeout: 180_000 });

const chromium = await findChromium();
const ADMIN = { name: 'ann', role: 'admin' } as const;
const TRIAL = fileURLToPath(new URL('./trialDriver.ts', import.meta.url));
const { signal } = new AbortController();

/** Every page, and what it shows when it is there. */
const PAGES = (job: string): readonly [path: string, heading: string][] => [
  ['nodes', 'Nodes'],
  ['nodes/new', 'Enrol a node'],
  ['nodes/trial-1?method=everything', 'trial-1'],
  ['nodes/rf-1/edit', 'Edit rf-1'],
  ['jobs', 'Jobs'],
  [`jobs/${job}`, 'second_method'],
  ['locks', 'Locks'],
  ['drivers', 'Drivers'],
  ['drivers/trial?method=of_driver', 'trial'],
  ['events', 'Events'],
  ['events/sources', 'Event sources'],
  ['events/sources/rf-1', 'Event source of rf-1'],
  ['overview', 'Overview'],
  ['no-such-page', 'There is no such page'],
];

describe('the console', needs(chromium === null ? 'Chromium' : null), () => {
  let browser: Browser;
  let service: RoleService;
  let fleet: Fleet;
  let ann: Visit;
  let page: Page;
  let job: string;
  beforeAll(async () => {
    browser = await startChromium(chromium!);
    fleet = await startFleet();
    service = await startRoleService(
      `drivers: [ "${TRIAL}" ]\nnode_locked_retry_attempts: 0\nfake: { vendor_delay: 1h }\n` +
        'secrets: { plain: true }\nevents: { listen: "127.0.0.1:0", test_timeout: 20s }\n' +
        'auth:\n  type: http_basic\n  http_basic_auth_user_file: users\n  roles: { ann: admin }\n',
      { users: htpasswd('ann') },
    );
    const { nodes } = service.core;
    const driverInfo = { redfish_address: fleet.bmcs[0]!.url, redfish_username: 'u', redfish_password: 'p' };
    await nodes.create({ name: 'rf-1', driver: 'redfish', driverInfo }, ADMIN);
    for (const name of ['trial-1', 'trial-2']) await nodes.create({ name, driver: 'trial' }, ADMIN);
    for (const name of ['fake-1', 'fake-2']) await nodes.create({ name, driver: 'fake-hardware' }, ADMIN);
    await nodes.lock('trial-2', { holder: 'conductor-b', reason: 'new fan', lockWait: 0, caller: ADMIN, signal });
    const outcome = await service.core.callNodeMethod({
      ...{ node: 'fake-1', method: 'second_method', arguments: { bar: 'kazoo' }, httpMethod: null },
      ...{ idempotencyKey: null, lockWait: 0, caller: ADMIN, signal, deadline: null, recording: 'failures' },
    });
    if (outcome.kind !== 'job') throw new TypeError('second_method is not asynchronous');
    job = outcome.job.id;
    ann = await logInAs(browser, service.url, 'ann', 'nodes');
    page = ann.page;
    await title('Nodes');
  });
  afterAll(async () => {
    expect(ann.faults).toEqual([]);
    await browser?.close();
    await service?.[Symbol.asyncDispose]();
    await fleet?.close();
  });

  const title = (name: string) => page.getByRole('heading', { level: 1, name, exact: true }).waitFor();
  const open = async (path: string, heading: string) => {
    await page.goto(`${service.url}/console/${path}`);
    await page.getByRole('heading', { level: 1, name: heading }).first().waitFor();
    // What is read with the page.
    await expect.poll(() => page.getByText(/^Loading/).count()).toBe(0);
  };
  const press = (key: string) => page.keyboard.press(key);
  const type = (text: string) => page.keyboard.type(text);
  /** Goes to a control by Tab, and presses it. */
  const activate = async (name: string | RegExp) => {
    await tabTo(page, name);
    await press('Enter');
  };
  /** Goes to a choice by Tab, and types the beginning of an option. */
  const choose = async (name: string, option: string) => {
    await tabTo(page, name);
    await type(option);
  };

  /** Closes the dialog that is open, and opens it at once, which the page does before the next event of the browser. */
  const openAgain = async (opener: string, closer: string, first = closer) => {
    const dialog = page.getByRole('dialog');
    const button = await page
      .getByRole('button', { name: opener, exact: true, includeHidden: true })
      .first()
      .elementHandle();
    const shown = await dialog.getByRole('button', { name: closer, exact: true }).elementHandle();
    const settled = await page.evaluate(
      async ([first, second]) => {
        const { document, requestAnimationFrame } = globalThis as unknown as {
          document: { querySelectorAll(selector: string): ArrayLike<unknown> };
          requestAnimationFrame(callback: (time: number) => void): void;
        };
        const openDialogs = () => document.querySelectorAll('dialog[open]').length;
        const counts: number[] = [];
        for (const click of [second!, first!]) {
          (click as unknown as { click(): void }).click();
          // React has drawn by then; the browser has not had its turn.
          for (let step = 0; step < 20; step++) await null;
          counts.push(openDialogs());
        }
        for (let frame = 0; frame < 3; frame++) await new Promise(requestAnimationFrame);
        return [...counts, openDialogs()];
      },
      [button, shown],
    );
    expect(settled).toEqual([0, 1, 1]);
    await expect.poll(async () => (await focused(page))?.name).toBe(`button ${first}`);
    await press('Escape');
    await dialog.waitFor({ state: 'detached' });
    expect((await focused(page))?.name).toBe(`button ${opener}`);
  };

  test('is logged in to, and left, by keys alone', async () => {
    const { page: own, faults, close } = await visit(browser, service.url);
    const enter = async (name: string, text: string) => {
      await tabTo(own, name);
      await own.keyboard.press('Control+A');
      await own.keyboard.type(text);
    };
    await own.getByLabel('User name').waitFor();
    await expectReachable(own);
    await enter('User name', 'ann');
    await enter('Password', 'wrong');
    await own.keyboard.press('Enter');
    await own.getByRole('alert').waitFor();
    await enter('User name', 'ann');
    await enter('Password', passwordOf('ann'));
    await tabTo(own, 'Log in');
    await own.keyboard.press('Enter');
    await own.getByRole('heading', { level: 1, name: 'Nodes' }).waitFor();
    await tabTo(own, 'Log out');
    await own.keyboard.press('Enter');
    await own.getByLabel('User name').waitFor();
    expect(faults).toEqual([]);
    await close();
  });

  test('lets every control of every page be reached, shows the focus, and keeps it nowhere', async () => {
    for (const [path, heading] of PAGES(job)) {
      await open(path, heading);
      await expectReachable(page);
    }
  });

  test('has its nodes searched, filtered, sorted and opened by keys alone', async () => {
    await open('nodes', 'Nodes');
    await page.getByRole('link', { name: 'trial-1', exact: true }).waitFor();
    // The first key leads past the navigation.
    await tabTo(page, 'Skip to the content');
    await press('Enter');
    await tabTo(page, 'Search');
    await type('trial');
    await page.getByText('2 of 5 nodes').waitFor();
    await choose('State', 'Not');
    await page.getByText('1 of 5 nodes').waitFor();
    await activate(/^Name/);
    const header = page.getByRole('columnheader', { name: 'Name' });
    await expect.poll(() => header.getAttribute('aria-sort')).toBe('ascending');
    await tabTo(page, 'State', 'Shift+Tab');
    await press('Home');
    await page.getByText('2 of 5 nodes').waitFor();
    await tabTo(page, 'trial-1');
    await press('ArrowDown');
    await expect.poll(async () => (await focused(page))?.name).toBe('a trial-2');
    await press('Home');
    await expect.poll(async () => (await focused(page))?.name).toBe('a trial-1');
    await press('Enter');
    await title('trial-1');
  });

  test('has a method called by keys alone: form, lists, verb, views, lines', async () => {
    await open('nodes/trial-1', 'trial-1');
    await activate('everything');
    await page.getByRole('region', { name: 'Call everything', exact: true }).waitFor();
    await tabTo(page, 'title');
    await type('Keys');
    await activate('Add tags');
    await tabTo(page, 'tags 1', 'Shift+Tab');
    await type('a');
    await activate('Remove tags 1');
    // What was left is gone: the focus is on what stands for the list.
    await expect.poll(async () => (await focused(page))?.name).toBe('button Add tags');
    await press('Enter');
    await tabTo(page, 'tags 1', 'Shift+Tab');
    await type('b');
    await choose('HTTP verb', 'POST');
    await tabTo(page, 'Keep the transcript, even of a success');
    await press('Space');
    await activate('Call');
    const outcome = page.getByRole('region', { name: 'Outcome', exact: true });
    await outcome.getByText('"Keys"').waitFor();
    await tabTo(page, 'Tree');
    await press('ArrowRight');
    await expect.poll(async () => (await focused(page))?.name).toBe('button Raw');
    expect(JSON.parse((await outcome.getByRole('tabpanel').locator('pre').textContent())!)).toMatchObject({
      title: 'Keys',
      tags: ['b'],
    });
    await tabTo(page, 'curl');
    for (const program of ['baremetal', 'grpcurl', 'passthru']) {
      await press('ArrowRight');
      await expect.poll(async () => (await focused(page))?.name).toBe(`button ${program}`);
    }
    await page.context().grantPermissions(['clipboard-read', 'clipboard-write']);
    await activate('Copy passthru');
    await page.getByText('Copied.').waitFor();
    // The same as JSON.
    await tabTo(page, 'Form', 'Shift+Tab');
    await press('ArrowRight');
    await tabTo(page, 'Arguments as JSON');
    // Tab leaves a text of several lines too.
    await press('Tab');
    expect((await focused(page))?.name).toBe('select HTTP verb');
    await expectReachable(page);
  });

  test('has a node enrolled, edited and deleted by keys alone', async () => {
    await open('nodes', 'Nodes');
    await activate('Enrol a node');
    await title('Enrol a node');
    await tabTo(page, 'name');
    await type('by-keys');
    await choose('driver', 'redfish');
    await tabTo(page, 'redfish_address');
    await type('https://10.0.0.9');
    await tabTo(page, 'redfish_password');
    await type('p');
    await activate('Enrol');
    await title('by-keys');
    await activate('Edit');
    await title('Edit by-keys');
    await choose('redfish_password', 'Remove');
    await tabTo(page, 'description');
    await type('Typed');
    await press('Enter');
    await title('by-keys');
    expect(await service.core.nodes.get('by-keys')).toMatchObject({ description: 'Typed' });
    expect((await service.core.nodes.get('by-keys')).driverInfo).toEqual({ redfish_address: 'https://10.0.0.9' });
    await activate('Delete');
    const dialog = page.getByRole('dialog', { name: 'Delete by-keys?', exact: true });
    await dialog.waitFor();
    await expectReachable(page);
    await press('Escape');
    await dialog.waitFor({ state: 'detached' });
    expect((await focused(page))?.name).toBe('button Delete');
    await press('Enter');
    await dialog.waitFor();
    await activate('Back');
    await dialog.waitFor({ state: 'detached' });
    expect((await focused(page))?.name).toBe('button Delete');
    await press('Enter');
    await openAgain('Delete', 'Back');
    await press('Enter');
    await dialog.waitFor();
    await activate('Delete');
    await title('Nodes');
  });

  test('has a lock released by keys alone, and the dialog gives the focus back', async () => {
    await open('locks', 'Locks');
    await activate('Release trial-2');
    const dialog = page.getByRole('dialog', { name: 'Release trial-2 from conductor-b?', exact: true });
    await dialog.waitFor();
    await expectReachable(page);
    await press('Escape');
    await dialog.waitFor({ state: 'detached' });
    expect((await focused(page))?.name).toBe('button Release trial-2');
    await press('Enter');
    await openAgain('Release trial-2', 'Back');
    await press('Enter');
    await dialog.waitFor();
    await activate('Release');
    await page.getByRole('row', { name: /trial-2/ }).waitFor({ state: 'detached' });
  });

  test('has jobs filtered, opened and cancelled by keys alone', async () => {
    await open('jobs', 'Jobs');
    await choose('State', 'Running');
    await activate('second_method on fake-1');
    await title('second_method on fake-1');
    await activate('Cancel second_method on fake-1');
    await page.getByRole('status').getByText('Cancelled').waitFor();
    // The button is gone: the next key leads on from its place.
    await press('Tab');
    expect((await focused(page))?.name).not.toBe('a Skip to the content');
    await activate('Show the exchanges with the machine');
  });

  test('has an event source set, tested and deleted, and its events read by keys alone', async () => {
    await open('events', 'Events');
    await activate('Event sources');
    await title('Event sources');
    await tabTo(page, 'Set the source of a node');
    await type('rf-1');
    await press('Enter');
    await title('Event source of rf-1');
    await choose('Transport', 'Push');
    await tabTo(page, 'Warning');
    await press('Space');
    await press('Space');
    await activate('Set');
    await page.getByRole('status').getByText('Active').waitFor();
    await activate('Test');
    await page.getByText(/^The test event arrived/).waitFor();
    await activate('Events');
    await title('Events');
    fleet.bmcs[0]!.events.send({ message: 'It burns', severity: 'Critical' });
    await page.getByRole('button', { name: 'It burns' }).waitFor();
    await choose('Severity', 'Critical');
    await tabTo(page, 'Origin');
    await activate('Pause');
    await press('Enter');
    await activate('It burns');
    const event = page.getByRole('dialog', { name: 'It burns' });
    await event.waitFor();
    await expectReachable(page);
    await activate('Show it as the BMC sent it');
    await event.getByRole('region', { name: 'As the BMC sent it' }).waitFor();
    await expectReachable(page);
    await press('Escape');
    await event.waitFor({ state: 'detached' });
    expect((await focused(page))?.name).toBe('button It burns');
    await press('Enter');
    await openAgain('It burns', 'Close', 'Show it as the BMC sent it');
    await open('events/sources/rf-1', 'Event source of rf-1');
    await activate('Delete');
    const dialog = page.getByRole('dialog', { name: 'Delete the event source of rf-1?' });
    await dialog.waitFor();
    await press('Escape');
    await dialog.waitFor({ state: 'detached' });
    expect((await focused(page))?.name).toBe('button Delete');
    await press('Enter');
    // Until it is there, the only Delete is the button that opens it.
    await dialog.waitFor();
    await activate('Delete');
    await page.getByText('The event source is deleted.').waitFor();
  });

  test('has a method of a driver called, and the overview followed, by keys alone', async () => {
    await open('overview', 'Overview');
    await tabTo(page, 'trial');
    await press('Enter');
    await title('Nodes');
    await activate('Drivers');
    await title('Drivers');
    await activate('trial');
    await title('trial');
    await activate('of_driver');
    await tabTo(page, 'text');
    await type('x');
    await press('Enter');
    await page.getByRole('region', { name: 'Outcome', exact: true }).getByText('"x"').waitFor();
  });

  describe.each(['light', 'dark'] as const)('in %s colours', (colorScheme) => {
    test.each([1280, 360])('has no fault that axe finds on any page, and fits a window of %i pixels', async (width) => {
      const options = { viewport: { width, height: 800 }, colorScheme };
      const login = await visit(browser, service.url, 'nodes', options);
      await login.page.getByLabel('User name').waitFor();
      await expectAccessible(login.page);
      await login.close();
      const { page: own, faults, close } = await logInAs(browser, service.url, 'ann', 'nodes', options);
      await own.getByRole('link', { name: 'rf-1', exact: true }).waitFor();
      for (const [path, heading] of PAGES(job)) {
        await own.goto(`${service.url}/console/${path}`);
        await own.getByRole('heading', { level: 1, name: heading }).first().waitFor();
        await expect.poll(() => own.getByText(/^Loading/).count()).toBe(0);
        await expectAccessible(own);
        expect(await own.evaluate('document.documentElement.scrollWidth'), path).toBe(width);
        expect(await own.evaluate('document.querySelector("main").scrollWidth'), path).toBeLessThanOrEqual(width);
      }
      expect(faults).toEqual([]);
      await close();
    });
  });
});
