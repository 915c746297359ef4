import { execFile } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import type { Browser, Page } from 'playwright-core';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { type Fleet, startFleet } from '../../src/sim/index.ts';
import { type RoleService, startRoleService } from '../auth/roleService.ts';
import { findChromium, startChromium } from '../clients/chromium.ts';
import { needs } from '../needs.ts';
import { slowSteps } from './trialDriver.ts';
import { expectAccessible, type Visit, visit } from './visitor.ts';

const chromium = await findChromium();
const ADMIN = { name: 'test', role: 'admin' } as const;
const TRIAL = fileURLToPath(new URL('./trialDriver.ts', import.meta.url));
const { signal } = new AbortController();
const run = promisify(execFile);

describe('a call of the console', needs(chromium === null ? 'Chromium' : null), () => {
  let browser: Browser;
  let service: RoleService;
  let fleet: Fleet;
  let shown: Visit;
  let page: Page;
  beforeAll(async () => {
    browser = await startChromium(chromium!);
    fleet = await startFleet();
    service = await startRoleService(`drivers: [ "${TRIAL}" ]\nredfish: { connection_attempts: 1 }\n`);
    const driverInfo = { redfish_address: fleet.bmcs[0]!.url, redfish_username: 'u', redfish_password: 'p' };
    await service.core.nodes.create({ name: 'bmc-1', driver: 'redfish', driverInfo }, ADMIN);
    await service.core.nodes.create({ name: 'trial-1', driver: 'trial' }, ADMIN);
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

  const open = async (node: string, method: string) => {
    await page.goto(`${service.url}/console/nodes/${node}?method=${method}`);
    await page.getByRole('region', { name: `Call ${method}`, exact: true }).waitFor();
  };
  const field = (name: string) => page.getByLabel(name, { exact: true });
  const button = (name: string) => page.getByRole('button', { name, exact: true });
  const call = () => button('Call').click();
  const outcome = () => page.getByRole('region', { name: 'Outcome', exact: true });
  const line = async (program: string) => {
    await page.getByRole('tab', { name: program, exact: true }).click();
    return page.getByRole('tabpanel', { name: program, exact: true }).locator('pre').textContent();
  };
  /** Returns the result as it is shown raw. */
  const rawResult = async () => {
    await outcome().getByRole('tab', { name: 'Raw', exact: true }).click();
    return JSON.parse((await outcome().getByRole('tabpanel').locator('pre').textContent())!);
  };

  test('has a form made from the schema: types, enums, required, defaults, help, objects, lists and maps', async () => {
    await open('trial-1', 'everything');
    await page.getByText('What it is called').waitFor();
    await page.getByText('How many. Default: 3').waitFor();
    await field('title').fill('Nine');
    await field('count').fill('9');
    await field('ratio').fill('1.50');
    await field('flag').selectOption('false');
    await field('mode').selectOption('fast');
    await button('Add tags').click();
    await field('tags 1').fill('a');
    await button('Add tags').click();
    await field('tags 2').fill('b');
    const account = page.getByRole('group', { name: 'account', exact: true });
    await account.getByLabel('username', { exact: true }).fill('ann');
    await account.getByLabel('password', { exact: true }).fill('hunter2');
    expect(await account.getByLabel('password', { exact: true }).getAttribute('type')).toBe('password');
    await field('Type of either').selectOption('number');
    await field('either').fill('7');
    const labels = page.getByRole('group', { name: 'labels', exact: true });
    await labels.getByRole('button', { name: 'Add a member', exact: true }).click();
    await labels.getByLabel('Name 1', { exact: true }).fill('shelf 1');
    await labels.getByLabel('shelf 1', { exact: true }).fill('x');
    await button('Add rows').click();
    const row = page.getByRole('group', { name: 'rows 1', exact: true });
    await row.getByLabel('slot', { exact: true }).fill('4');
    await row.getByLabel('kind', { exact: true }).selectOption('fan');
    await field('HTTP verb').selectOption('POST');
    await call();
    expect(await rawResult()).toEqual({
      title: 'Nine',
      count: 9,
      ratio: 1.5,
      flag: false,
      mode: 'fast',
      tags: ['a', 'b'],
      account: { username: 'ann', password: 'hunter2' },
      either: 7,
      labels: { 'shelf 1': 'x' },
      rows: [{ slot: 4, kind: 'fan' }],
    });
    // The lines for a shell tell the same, but no secret.
    for (const program of ['curl', 'grpcurl', 'baremetal']) {
      const text = await line(program);
      expect(text).toContain('Nine');
      expect(text).not.toContain('hunter2');
    }
    // Where a text is allowed as well as a number, it sends a text.
    await page.getByRole('tab', { name: 'passthru', exact: true }).click();
    await page.getByText('passthru cannot express this call.', { exact: true }).waitFor();
    // What is taken back is not given.
    await button('Remove rows 1').click();
    await field('flag').selectOption('Not given');
    await call();
    await expect.poll(rawResult).not.toHaveProperty('rows');
    expect(await rawResult()).not.toHaveProperty('flag');
  });

  test('shows what is wrong at the field, and calls nothing, until it is right', async () => {
    await open('trial-1', 'everything');
    const calls: string[] = [];
    const count = (request: { url(): string }) =>
      request.url().endsWith('/CallNodeMethod') && calls.push(request.url());
    page.on('request', count);
    await field('count').fill('nine');
    await button('Add rows').click();
    await call();
    const faultOf = async (name: string) => {
      const ids = await field(name).getAttribute('aria-describedby');
      return page.locator(`[id="${ids!.split(' ').at(-1)}"]`).textContent();
    };
    // The first of them has the focus.
    await expect.poll(() => page.evaluate('document.activeElement.getAttribute("aria-invalid")')).toBe('true');
    expect(await faultOf('title')).toBe('must be given');
    expect(await faultOf('count')).toBe('must be an integer, not a string');
    expect(await faultOf('slot')).toBe('must be given');
    await expectAccessible(page);
    expect(calls).toEqual([]);
    await field('title').fill('Two');
    await field('count').fill('2');
    await button('Remove rows 1').click();
    await call();
    await outcome().getByRole('tab', { name: 'Tree', exact: true }).waitFor();
    expect(calls).toHaveLength(1);
    page.off('request', count);
  });

  test('shows at the field what only the service finds wrong', async () => {
    await open('trial-1', 'refused');
    await field('even').fill('3');
    await call();
    await page
      .locator('.field')
      .filter({ has: field('even') })
      .getByText('must be even', { exact: true })
      .waitFor();
    await expect.poll(() => page.evaluate('document.activeElement.getAttribute("aria-invalid")')).toBe('true');
    await field('even').fill('4');
    await call();
    await outcome().getByText('The method has returned nothing.').waitFor();
  });

  test('takes the same arguments as JSON, and says why it cannot read them', async () => {
    await open('trial-1', 'everything');
    await field('title').fill('From the form');
    await page.getByRole('tab', { name: 'JSON', exact: true }).click();
    const json = field('Arguments as JSON');
    expect(JSON.parse(await json.inputValue())).toEqual({ title: 'From the form' });
    await json.fill('{"title": "From JSON", ');
    await page.getByText('This is no JSON', { exact: false }).first().waitFor();
    expect(await button('Call').getAttribute('aria-disabled')).toBe('true');
    await json.fill('{"title": "From JSON", "count": 100, "tags": ["x"]}');
    await call();
    await page.getByRole('listitem').filter({ hasText: 'count must be at most 9' }).waitFor();
    await json.fill('{"title": "From JSON", "count": 1, "tags": ["x"]}');
    await call();
    expect(await rawResult()).toMatchObject({ title: 'From JSON', count: 1, tags: ['x'] });
    await page.getByRole('tab', { name: 'Form', exact: true }).click();
    expect(await field('title').inputValue()).toBe('From JSON');
    expect(await field('tags 1').inputValue()).toBe('x');
  });

  test('takes arguments of any name, but one that the service does not', async () => {
    await open('trial-1', 'echo');
    for (const [index, name] of ['constructor', 'toString', '__proto__'].entries()) {
      await button('Add a member').click();
      await field(`Name ${index + 1}`).fill(name);
      await field(name).fill(String(index));
    }
    await call();
    const fault = page.getByText('must have another name than __proto__', { exact: true });
    await fault.waitFor();
    expect(await outcome().count()).toBe(0);
    await field('Name 3').fill('valueOf');
    await call();
    expect(await rawResult()).toEqual({ constructor: 0, toString: 1, valueOf: 2 });
    await page.getByRole('tab', { name: 'JSON', exact: true }).click();
    await field('Arguments as JSON').fill('{"a": {"__proto__": 1}}');
    await call();
    await page.getByRole('listitem').filter({ hasText: 'a.__proto__ must have another name than' }).waitFor();
    await field('Arguments as JSON').fill('{"a": {"constructor": 1}, "toString": "t"}');
    await call();
    await expect.poll(rawResult).toEqual({ a: { constructor: 1 }, toString: 't' });
  });

  test('has lines to copy that make the same call', async () => {
    await page.context().grantPermissions(['clipboard-read', 'clipboard-write']);
    await open('trial-1', 'everything');
    await field('title').fill("it's $(id)");
    await field('HTTP verb').selectOption('POST');
    const curl = (await line('curl'))!;
    await button('Copy curl').click();
    await page.getByText('Copied.').waitFor();
    expect(await page.evaluate('navigator.clipboard.readText()')).toBe(curl);
    const expected = { title: "it's $(id)", count: 3, mode: 'slow' };
    const resultOf = async (source: string) =>
      JSON.parse((await run('bash', ['--norc', '-c', source], { timeout: 30_000 })).stdout);
    expect(await resultOf(curl)).toEqual(expected);
    const passthru = (await line('passthru'))!;
    const main = fileURLToPath(new URL('../../src/main.js', import.meta.url));
    expect(await resultOf(`passthru() { '${process.execPath}' '${main}' "$@"; }; ${passthru}`)).toEqual(expected);
    // The address keeps what is shown, but no argument: it may be a secret.
    expect(new URL(page.url()).search).toBe('?method=everything&line=passthru');
  });

  test('shows its result as a tree that opens and closes by the keyboard, a long one in parts', async () => {
    await open('trial-1', 'many');
    await call();
    await outcome().getByText('5000 items').waitFor();
    await outcome().getByText('0: ', { exact: true }).waitFor();
    expect(await outcome().locator('details').count()).toBe(101);
    await outcome().getByRole('button', { name: 'Show 100 more', exact: true }).click();
    await expect.poll(() => outcome().locator('details').count()).toBe(201);
    await outcome().locator('summary').first().focus();
    await page.keyboard.press('Enter');
    await expect.poll(() => outcome().locator('details').count()).toBe(1);
    await expectAccessible(page);
  });

  test('downloads an attachment as the bytes that the machine sent', async () => {
    await open('trial-1', 'report');
    await field('text').fill('<script>alert(7)</script> é');
    await call();
    const downloading = page.waitForEvent('download');
    await outcome().getByRole('link', { name: 'Download', exact: true }).click();
    const download = await downloading;
    expect(readFileSync(await download.path(), 'utf8')).toBe('<script>alert(7)</script> é');
    expect(download.suggestedFilename()).not.toContain('/');
    await outcome().locator('pre').filter({ hasText: '<script>alert(7)</script> é' }).waitFor();
  });

  test('shows an error of the BMC in its own words, and its transcript', async () => {
    await open('bmc-1', 'create_subscription');
    await field('Destination').fill('https://listener.example/events');
    fleet.bmcs[0]!.faults.add({
      kind: 'status',
      status: 400,
      times: 1,
      match: { method: 'POST', path: '*/Subscriptions' },
      body: JSON.stringify({
        error: {
          code: 'Base.1.8.GeneralError',
          message: 'See ExtendedInfo',
          '@Message.ExtendedInfo': [
            { MessageId: 'Base.1.8.PropertyValueError', Message: 'No such <b>host</b>', Resolution: 'Name another.' },
          ],
        },
      }),
    });
    await call();
    const bmc = page.getByRole('region', { name: 'The BMC said', exact: false });
    await bmc.getByText('No such <b>host</b>').waitFor();
    await bmc.getByText('Base.1.8.PropertyValueError').waitFor();
    await bmc.getByText('Resolution: Name another.').waitFor();
    await expectAccessible(page);
    await button('Show the transcript').click();
    const transcript = page.getByRole('region', { name: 'Transcript', exact: true });
    await transcript.getByRole('tab', { name: 'Raw', exact: true }).click();
    await transcript.getByText('PropertyValueError', { exact: false }).waitFor();
    expect(await transcript.textContent()).not.toContain('"redfish_password": "p"');
  });

  test('keeps the transcript of a success when it is asked to', async () => {
    await open('bmc-1', 'get_all_subscriptions');
    await field('Keep the transcript, even of a success').check();
    await call();
    await button('Show the transcript').click();
    await page.getByRole('region', { name: 'Transcript', exact: true }).waitFor();
  });

  test('of a locked node says who holds it, and waits for its end when it is told to', async () => {
    await open('trial-1', 'restricted');
    await service.core.nodes.lock('trial-1', {
      holder: 'conductor-b',
      reason: 'new firmware',
      lockWait: 0,
      caller: ADMIN,
      signal,
    });
    try {
      await call();
      const conflict = page.getByRole('region', { name: 'trial-1 is locked. Nothing has been called.', exact: true });
      await conflict.getByRole('alert').waitFor();
      for (const text of ['conductor-b', 'test', 'new firmware'])
        await conflict.getByRole('definition').filter({ hasText: text }).first().waitFor();
      await expectAccessible(page);
      await button('Wait, then call').click();
      await conflict.getByText('Waiting until the node is free…').waitFor();
      await button('Stop waiting').click();
      await outcome().waitFor({ state: 'detached' });
      await call();
      await button('Wait, then call').click();
      await conflict.getByText('Waiting until the node is free…').waitFor();
    } finally {
      await service.core.nodes.unlock('trial-1', ADMIN, null);
    }
    await outcome().getByText('The method has returned nothing.').waitFor();
  });

  test('of an asynchronous method shows its job as it goes on, and its result or error', async () => {
    for (const [end, state, text] of [
      ['end', 'Succeeded', '"well"'],
      ['fail', 'Failed', 'The machine gave up'],
    ] as const) {
      await open('trial-1', 'slow');
      await call();
      await outcome().getByRole('status').filter({ hasText: 'Running' }).waitFor();
      await expect.poll(() => slowSteps.length).toBe(1);
      slowSteps.shift()!('progress');
      await outcome().getByText('half-way, nearly').waitFor();
      await expect.poll(() => slowSteps.length).toBe(1);
      slowSteps.shift()!(end);
      await outcome().getByRole('status').filter({ hasText: state }).waitFor();
      await outcome().getByText(text).waitFor();
    }
  });

  test('can be made by the keyboard alone', async () => {
    await page.goto(`${service.url}/console/nodes/trial-1`);
    const pressUntil = async (name: string) => {
      // Each step of the keyboard is one element: far fewer than this lead to any.
      for (let step = 0; step < 60; step++) {
        await page.keyboard.press('Tab');
        const focused = await page.evaluate(() => {
          // biome-ignore lint/suspicious/noExplicitAny: the types of the browser are not those of this program
          const { document } = globalThis as any;
          const { id, textContent } = document.activeElement;
          return document.querySelector(`label[for="${id}"]`)?.textContent ?? textContent;
        });
        if (focused === name) return;
      }
      throw new Error(`The keyboard does not lead to ${name}`);
    };
    await button('refused').waitFor();
    await pressUntil('refused');
    await page.keyboard.press('Enter');
    await field('even').waitFor();
    await pressUntil('even');
    await page.keyboard.type('8');
    await page.keyboard.press('Enter');
    await outcome().getByText('The method has returned nothing.').waitFor();
    await pressUntil('curl');
    await page.keyboard.press('ArrowRight');
    await page.keyboard.press('ArrowRight');
    await page.getByRole('tabpanel', { name: 'grpcurl', exact: true }).waitFor();
  });
});
