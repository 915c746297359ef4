import type { Browser } from 'playwright-core';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { type RoleService, startRoleService } from '../auth/roleService.ts';
import { htpasswd } from '../auth/users.ts';
import { findChromium, startChromium } from '../clients/chromium.ts';
import { needs } from '../needs.ts';
import { expectAccessible, logInAs, type Visit } from './visitor.ts';

const chromium = await findChromium();
const ADMIN = { name: 'ann', role: 'admin' } as const;
const OLGA = { name: 'olga', role: 'operator' } as const;
const { signal } = new AbortController();
/** Would run, and be noticed as a dialog, if it were taken for markup. */
const HOSTILE = '<img src=x onerror="alert(1)"><script>alert(2)</script>';

describe('the locks of the console', needs(chromium === null ? 'Chromium' : null), () => {
  let browser: Browser;
  let service: RoleService;
  let ann: Visit;
  beforeAll(async () => {
    browser = await startChromium(chromium!);
    service = await startRoleService(
      'fake: { vendor_delay: 1h }\n' +
        'auth:\n  type: http_basic\n  http_basic_auth_user_file: users\n  roles: { ann: admin, olga: operator, rita: reader }\n',
      { users: htpasswd('ann', 'olga', 'rita') },
    );
    for (const name of ['held-1', 'held-2', 'called-1'])
      await service.core.nodes.create({ name, driver: 'fake-hardware' }, ADMIN);
    ann = await logInAs(browser, service.url, 'ann', 'locks');
    await ann.page.getByText('No node is locked.').waitFor();
  });
  afterAll(async () => {
    await browser?.close();
    await service?.[Symbol.asyncDispose]();
  });

  const lock = (node: string, holder: string, reason: string, duration: number | null = null) =>
    service.core.nodes.lock(node, { holder, reason, duration, lockWait: 0, caller: ADMIN, signal });

  test('appear with who holds which node, why, for how long and until when', async () => {
    const { page, faults } = ann;
    await lock('held-1', 'night shift', HOSTILE, 3_600_000);
    await lock('held-2', 'conductor-b', '');
    const held = page.getByRole('row', { name: /^held-1\b/ });
    for (const text of ['night shift', 'ann', HOSTILE]) await held.getByText(text, { exact: true }).waitFor();
    await held.getByText(/^(59 min|1 h)/).waitFor();
    await page
      .getByRole('row', { name: /^held-2\b/ })
      .getByText('On release')
      .waitFor();
    const told = await held.locator('time').first().textContent();
    // It counts.
    await expect.poll(() => held.locator('time').first().textContent()).not.toBe(told);
    const called = await service.core.callNodeMethod({
      ...{ node: 'called-1', method: 'second_method', arguments: { bar: 'kazoo' }, httpMethod: null },
      ...{ idempotencyKey: null, lockWait: 0, caller: ADMIN, signal, deadline: null },
    });
    if (called.kind !== 'job') throw new TypeError('second_method is asynchronous');
    const row = page.getByRole('row', { name: /^called-1\b/ });
    await row.getByText('With its call').waitFor();
    expect(await row.getByRole('link', { name: 'second_method' }).getAttribute('href')).toContain(called.job.id);
    const release = row.getByRole('button', { name: 'Release called-1' });
    expect(await release.getAttribute('aria-disabled')).toBe('true');
    expect(await release.getAttribute('title')).toContain('cancel the job');
    await expectAccessible(page);
    await service.core.jobs.cancel(called.job.id, ADMIN);
    await row.waitFor({ state: 'detached' });
    expect(faults).toEqual([]);
  });

  test('are found by node, holder and reason, which the address of the page keeps', async () => {
    const { page } = ann;
    await page.getByRole('searchbox', { name: 'Search' }).fill('NIGHT');
    await page.getByText('1 of 2 locks').waitFor();
    expect(page.url()).toContain('?q=NIGHT');
    await page.getByRole('searchbox', { name: 'Search' }).fill('');
    await page.getByText('2 locks').waitFor();
  });

  test('are not released by readers, nor by operators when another took them', async () => {
    const rita = await logInAs(browser, service.url, 'rita', 'locks');
    const disabled = rita.page.getByRole('button', { name: 'Release held-1' });
    await disabled.waitFor();
    expect(await disabled.getAttribute('aria-disabled')).toBe('true');
    expect(await disabled.getAttribute('title')).toBe('Requires the role operator.');
    await rita.close();
    const olga = await logInAs(browser, service.url, 'olga', 'locks');
    const foreign = olga.page.getByRole('button', { name: 'Release held-1' });
    await foreign.waitFor();
    expect(await foreign.getAttribute('aria-disabled')).toBe('true');
    expect(await foreign.getAttribute('title')).toBe('Only ann or an admin may do this.');
    // Under whichever holder, it is her own.
    await service.core.nodes.lock('called-1', { holder: 'night shift', lockWait: 0, caller: OLGA, signal });
    await olga.page.getByRole('button', { name: 'Release called-1' }).click();
    await olga.page.getByRole('dialog').getByRole('button', { name: 'Release' }).click();
    await olga.page.getByRole('row', { name: /^called-1\b/ }).waitFor({ state: 'detached' });
    expect((await service.core.nodes.get('called-1')).reservation).toBeNull();
    expect(olga.faults).toEqual([]);
    await olga.close();
    expect((await service.core.nodes.get('held-1')).reservation?.holder).toBe('night shift');
  });

  test('are released by the keyboard alone, after a question', async () => {
    const { page, faults } = ann;
    await page.getByRole('button', { name: 'Release held-1' }).focus();
    await page.keyboard.press('Enter');
    await page.getByRole('dialog', { name: 'Release held-1 from night shift?' }).waitFor();
    await expectAccessible(page);
    await page.keyboard.press('Escape');
    await page.getByRole('dialog').waitFor({ state: 'detached' });
    expect((await service.core.nodes.get('held-1')).reservation).not.toBeNull();
    await page.getByRole('button', { name: 'Release held-1' }).focus();
    await page.keyboard.press('Enter');
    await page.getByRole('dialog').getByRole('button', { name: 'Release' }).focus();
    await page.keyboard.press('Enter');
    await page.getByRole('row', { name: /^held-1\b/ }).waitFor({ state: 'detached' });
    expect((await service.core.nodes.get('held-1')).reservation).toBeNull();
    expect(faults).toEqual([]);
  });

  test.each(['light', 'dark'] as const)('fit a window of 360 pixels, in %s colours', async (colorScheme) => {
    const narrow = { viewport: { width: 360, height: 700 }, colorScheme };
    const { page, close } = await logInAs(browser, service.url, 'ann', 'locks', narrow);
    await page.getByRole('button', { name: 'Release held-2' }).click();
    await page.getByRole('dialog', { name: 'Release held-2 from conductor-b?' }).waitFor();
    expect(await page.evaluate('document.documentElement.scrollWidth')).toBe(360);
    await expectAccessible(page);
    await close();
  });
});
