import { fileURLToPath } from 'node:url';
import type { Browser, Page } from 'playwright-core';
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { type RoleService, startRoleService } from '../auth/roleService.ts';
import { findChromium, startChromium } from '../clients/chromium.ts';
import { needs } from '../needs.ts';
import { HOSTILE } from './trialDriver.ts';
import { type Visit, visit } from './visitor.ts';

const chromium = await findChromium();
const ADMIN = { name: HOSTILE[0], role: 'admin' } as const;
const TRIAL = fileURLToPath(new URL('./trialDriver.ts', import.meta.url));
const { signal } = new AbortController();

describe('what machines and operators write', needs(chromium === null ? 'Chromium' : null), () => {
  let browser: Browser;
  let service: RoleService;
  let shown: Visit;
  let page: Page;
  beforeAll(async () => {
    browser = await startChromium(chromium!);
    service = await startRoleService(`drivers: [ "${TRIAL}" ]\nnode_locked_retry_attempts: 0\n`);
    const written = Object.fromEntries(HOSTILE.map((text) => [text, text]));
    await service.core.nodes.create(
      {
        name: 'hostile',
        driver: 'trial',
        description: HOSTILE.join(' '),
        properties: { vendor: HOSTILE[1], ...written },
        extra: { nested: [written] },
        driverInfo: { trial_address: HOSTILE[2], trial_password: 'one of its own' },
        maintenance: true,
        maintenanceReason: HOSTILE[7],
      },
      ADMIN,
    );
    shown = await visit(browser, service.url);
    page = shown.page;
  });
  afterAll(async () => {
    await browser?.close();
    await service?.[Symbol.asyncDispose]();
  });

  beforeEach(() => {
    shown.faults.length = 0;
  });

  const field = (name: string) => page.getByLabel(name, { exact: true });
  const button = (name: string) => page.getByRole('button', { name, exact: true });
  const outcome = () => page.getByRole('region', { name: 'Outcome', exact: true });
  const call = async (method: string, args: object) => {
    await page.goto(`${service.url}/console/nodes/hostile?method=${method}`);
    await page.getByRole('tab', { name: 'JSON', exact: true }).click();
    await field('Arguments as JSON').fill(JSON.stringify(args));
    await button('Call').click();
  };
  /** Expects that the page works, that nothing has run, and that no element has come from a text. */
  const expectUnharmed = async () => {
    await button('Log out').count();
    expect(shown.faults).toEqual([]);
    expect(await page.locator('img, svg, iframe, object, embed, body script, body style').count()).toBe(0);
    expect(await page.locator('a[href^="javascript" i]').count()).toBe(0);
    expect(await page.evaluate('({}).polluted')).toBeUndefined();
    expect(await page.getByRole('link', { name: 'Nodes', exact: true }).isVisible()).toBe(true);
  };

  test('in the fields of a node and its lock is shown as it is', async () => {
    const lock = { holder: 'conductor', reason: HOSTILE.join(' '), lockWait: 0, caller: ADMIN, signal };
    await service.core.nodes.lock('hostile', lock);
    try {
      await page.goto(`${service.url}/console/nodes`);
      await page.getByRole('link', { name: 'hostile', exact: true }).waitFor();
      await expectUnharmed();
      await page.goto(`${service.url}/console/nodes/hostile`);
      await page.getByText(HOSTILE[7], { exact: false }).first().waitFor();
      const facts = page.getByRole('region', { name: 'Properties', exact: true });
      // Every name of a member is there, whatever it is.
      for (const text of HOSTILE.filter((one) => one !== '__proto__'))
        await facts.getByText(`${text}: `, { exact: true }).first().waitFor();
      await expectUnharmed();
    } finally {
      await service.core.nodes.unlock('hostile', ADMIN, null);
    }
    await page.goto(`${service.url}/console/nodes/hostile/edit`);
    await field('description').waitFor();
    expect(await field('description').inputValue()).toBe(HOSTILE.join(' '));
    await expectUnharmed();
  });

  test.each(HOSTILE)('in a result, its keys and its tree is shown as it is: %s', async (text) => {
    await call('echo', { [text === '__proto__' ? 'constructor' : text]: text, list: [text, { deep: text }] });
    await outcome().getByText(JSON.stringify(text), { exact: true }).first().waitFor();
    await outcome().getByRole('tab', { name: 'Raw', exact: true }).click();
    const raw = await outcome().getByRole('tabpanel').locator('pre').textContent();
    expect(JSON.parse(raw!).list).toEqual([text, { deep: text }]);
    await expectUnharmed();
  });

  test.each(HOSTILE)('in the messages of a BMC, and in its transcript: %s', async (text) => {
    await call('fail', { text });
    const alert = outcome().getByRole('alert');
    await alert.waitFor();
    expect(await alert.textContent()).toContain(text);
    await expectUnharmed();
    await button('Show the transcript').click();
    const transcript = page.getByRole('region', { name: 'Transcript', exact: true });
    await transcript.getByRole('tab', { name: 'Raw', exact: true }).click();
    await transcript.locator('pre').waitFor();
    await expectUnharmed();
  });

  test('in an attachment does not run when it is shown or opened', async () => {
    await call('report', { text: HOSTILE.join('\n') });
    const link = outcome().getByRole('link', { name: 'Download', exact: true });
    await link.waitFor();
    // Whoever opens it gets a download, not a page of this origin.
    const downloading = page.waitForEvent('download');
    await page.evaluate(
      (url) => {
        // biome-ignore lint/suspicious/noExplicitAny: the types of the browser are not those of this program
        (globalThis as any).location.assign(url);
      },
      (await link.getAttribute('href'))!,
    );
    await (await downloading).cancel();
    await expectUnharmed();
  });

  test('in the address of the page is a text', async () => {
    const text = encodeURIComponent(HOSTILE[0]);
    for (const path of [
      `nodes/${text}`,
      `nodes/hostile?method=${text}&line=${text}`,
      `nodes?q=${text}&driver=${text}`,
    ]) {
      await page.goto(`${service.url}/console/${path}`);
      await page.getByRole('heading', { level: 1 }).waitFor();
      await expectUnharmed();
    }
    // A part of an address that is no UTF-8.
    await page.goto(`${service.url}/console/nodes/%ff`);
    await page.getByRole('link', { name: 'Nodes', exact: true }).waitFor();
    shown.faults.length = 0;
  });

  test('of any depth and size is shown', async () => {
    let deep: object = { bottom: 'reached' };
    for (let level = 0; level < 25; level++) deep = { down: deep };
    await call('echo', { deep, long: 'x'.repeat(100_000) });
    await outcome().getByRole('tab', { name: 'Raw', exact: true }).click();
    expect(await outcome().getByRole('tabpanel').locator('pre').textContent()).toContain('reached');
    expect(await page.evaluate('document.documentElement.scrollWidth')).toBe(1280);
    await expectUnharmed();
  });
});
