import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Browser } from 'playwright-core';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { type Fleet, startFleet } from '../../src/sim/index.ts';
import { type RoleService, startRoleService } from '../auth/roleService.ts';
import { htpasswd } from '../auth/users.ts';
import { serve } from '../cli/run.ts';
import { findChromium, startChromium } from '../clients/chromium.ts';
import { needs } from '../needs.ts';
import { expectAccessible, logInAs, visit } from './visitor.ts';

const chromium = await findChromium();
const ADMIN = { name: 'ann', role: 'admin' } as const;
const OLGA = { name: 'olga', role: 'operator' } as const;
const { signal } = new AbortController();
/** How many the page reads by itself. */
const NEWEST_JOBS = 1000;
/** Would run, and be noticed as a dialog, if it were taken for markup. */
const HOSTILE = '<img src=x onerror="alert(1)"><script>alert(2)</script>';

/** Calls a method of a node, which is asynchronous; returns its job's id. */
async function begin({ core }: RoleService, node: string, method: string, args = {}, recording = 'failures' as const) {
  const outcome = await core.callNodeMethod({
    ...{ node, method, arguments: args, httpMethod: null, idempotencyKey: null, lockWait: 30_000 },
    ...{ caller: ADMIN, signal, deadline: null, recording },
  });
  if (outcome.kind !== 'job') throw new TypeError(`${method} is not asynchronous`);
  return outcome.job.id;
}

describe('the jobs of the console', needs(chromium === null ? 'Chromium' : null), () => {
  let browser: Browser;
  let fleet: Fleet;
  let service: RoleService;
  beforeAll(async () => {
    browser = await startChromium(chromium!);
    fleet = await startFleet();
    service = await startRoleService(
      'fake: { vendor_delay: 1h }\nsecrets: { plain: true }\n' +
        'auth:\n  type: http_basic\n  http_basic_auth_user_file: users\n  roles: { ann: admin, olga: operator, rita: reader }\n',
      { users: htpasswd('ann', 'olga', 'rita') },
    );
    for (const name of ['fake-1', 'fake-2']) await service.core.nodes.create({ name, driver: 'fake-hardware' }, ADMIN);
    const driverInfo = { redfish_address: fleet.bmcs[0]!.url, redfish_username: 'u', redfish_password: 'p' };
    await service.core.nodes.create({ name: 'rf-1', driver: 'redfish', driverInfo }, ADMIN);
  });
  afterAll(async () => {
    await browser?.close();
    await service?.[Symbol.asyncDispose]();
    await fleet?.close();
  });

  test('are listed as they begin, report progress and end; a link of the table shows what its sender saw', async () => {
    const { page, faults, close } = await logInAs(browser, service.url, 'ann', 'jobs');
    await page.getByText('There are no jobs.').waitFor();
    const first = await begin(service, 'fake-1', 'second_method', { bar: 'kazoo' });
    await begin(service, 'fake-2', 'log_passthrough');
    await page.getByText('2 jobs').waitFor();
    const row = page.getByRole('row', { name: /second_method on fake-1/ });
    await row.getByText('Running').waitFor();
    await page.getByLabel('Method').selectOption('second_method');
    await page.getByText('1 of 2 jobs').waitFor();
    await page.getByLabel('State').selectOption('Failed');
    await page.getByText('No job matches.').waitFor();
    await page.getByLabel('State').selectOption('Running');
    await page.getByLabel('Node').fill('FAKE-1');
    await row.waitFor();
    const { searchParams } = new URL(page.url());
    expect(Object.fromEntries(searchParams)).toEqual({ method: 'second_method', state: 'running', node: 'FAKE-1' });
    await expectAccessible(page);
    await service.core.jobs.cancel(first, ADMIN);
    await page.getByText('No job matches.').waitFor();
    await page.getByLabel('Node').fill('');
    await page.getByLabel('State').selectOption('Cancelled');
    await row.getByText('Cancelled').waitFor();
    expect(faults).toEqual([]);
    await close();
  });

  test('are cancelled by operators, and readers are told why they cannot', async () => {
    const job = await begin(service, 'fake-1', 'second_method', { bar: 'kazoo' });
    const rita = await logInAs(browser, service.url, 'rita', `jobs/${job}`);
    const disabled = rita.page.getByRole('button', { name: 'Cancel second_method on fake-1' });
    await disabled.waitFor();
    expect(await disabled.getAttribute('aria-disabled')).toBe('true');
    expect(await disabled.getAttribute('title')).toContain('operator');
    await disabled.click({ force: true });
    await expectAccessible(rita.page);
    expect(rita.faults).toEqual([]);
    await rita.close();
    expect((await service.core.jobs.get(job, ADMIN)).state).toBe('running');
    // That of another caller is for an admin; an operator's own is not disabled.
    const olga = await logInAs(browser, service.url, 'olga', `jobs/${job}`);
    const foreign = olga.page.getByRole('button', { name: 'Cancel second_method on fake-1' });
    await foreign.waitFor();
    expect(await foreign.getAttribute('aria-disabled')).toBe('true');
    expect(await foreign.getAttribute('title')).toBe('Only ann or an admin may do this.');
    await service.core.nodes.create({ name: 'fake-3', driver: 'fake-hardware' }, ADMIN);
    const own = await service.core.callNodeMethod({
      ...{ node: 'fake-3', method: 'second_method', arguments: { bar: 'kazoo' }, httpMethod: null, lockWait: 0 },
      ...{ idempotencyKey: null, caller: OLGA, signal, deadline: null },
    });
    if (own.kind !== 'job') throw new TypeError('second_method is asynchronous');
    await olga.page.goto(`${service.url}/console/jobs/${own.job.id}`);
    await olga.page.getByRole('button', { name: 'Cancel second_method on fake-3' }).click();
    await olga.page.getByRole('status').getByText('Cancelled').waitFor();
    await olga.close();
    const { page, faults, close } = await logInAs(browser, service.url, 'ann', `jobs/${job}`);
    await page.getByText('Node locked for this call').waitFor();
    await page.getByRole('button', { name: 'Cancel second_method on fake-1' }).focus();
    await page.keyboard.press('Enter');
    await page.getByRole('status').getByText('Cancelled').waitFor();
    expect(await page.getByRole('button', { name: /^Cancel/ }).count()).toBe(0);
    expect(faults).toEqual([]);
    await close();
  });

  test('that failed show what the BMC said, and each request to it', async () => {
    const said = {
      MessageId: 'Base.1.0.ActionNotSupported',
      Message: HOSTILE,
      Severity: 'Critical',
      Resolution: 'Wait.',
    };
    fleet.bmcs[0]!.faults.add({
      ...{ kind: 'status', status: 400, match: { path: '*/VirtualMedia' } },
      body: JSON.stringify({ error: { code: 'Base.1.0.GeneralError', '@Message.ExtendedInfo': [said] } }),
    });
    const job = await begin(service, 'rf-1', 'eject_vmedia');
    const { page, faults, close } = await logInAs(browser, service.url, 'ann', `jobs/${job}`);
    await page.getByRole('status').getByText('Failed').waitFor();
    const bmc = page.getByRole('region', { name: 'The BMC said' });
    for (const text of [HOSTILE, 'Base.1.0.ActionNotSupported', 'Critical', 'Resolution: Wait.'])
      await bmc.getByText(text).waitFor();
    await page.getByRole('button', { name: 'Show the exchanges with the machine' }).click();
    const timeline = page.getByRole('list', { name: 'Timeline' });
    await timeline
      .getByText(/^GET \/redfish\/v1\S* → 200/)
      .first()
      .waitFor();
    await timeline.getByText(/^Ended after/).waitFor();
    await timeline.getByText(/^GET/).first().click();
    await timeline.getByRole('region', { name: 'Exchange 1' }).waitFor();
    await expectAccessible(page);
    expect(faults).toEqual([]);
    await close();
  });

  test.each(['light', 'dark'] as const)('fit a window of 360 pixels, in %s colours', async (colorScheme) => {
    const job = await begin(service, 'fake-2', 'fourth_method_shared_lock', { bar: 'woof' });
    const narrow = { viewport: { width: 360, height: 700 }, colorScheme };
    const { page, close } = await logInAs(browser, service.url, 'ann', 'jobs?state=running', narrow);
    await page.getByRole('link', { name: 'fourth_method_shared_lock on fake-2' }).waitFor();
    expect(await page.evaluate('document.documentElement.scrollWidth')).toBe(360);
    await expectAccessible(page);
    await page.getByRole('link', { name: 'fourth_method_shared_lock on fake-2' }).click();
    await page.getByText('No lock: the method runs beside other calls').waitFor();
    expect(await page.evaluate('document.documentElement.scrollWidth')).toBe(360);
    await expectAccessible(page);
    await service.core.jobs.cancel(job, ADMIN);
    await page.getByRole('status').getByText('Cancelled').waitFor();
    await close();
  });
});

describe('many jobs of the console', needs(chromium === null ? 'Chromium' : null), () => {
  test('are read further back when asked, those of a state by themselves', async () => {
    await using service = await startRoleService('fake: { vendor_delay: 0s }\n');
    await service.core.nodes.create({ name: 'fake-1', driver: 'fake-hardware' }, ADMIN);
    const count = NEWEST_JOBS + 250;
    for (let index = 0; index < count; index++)
      await begin(service, 'fake-1', 'fourth_method_shared_lock', { bar: 'woof' });
    const browser = await startChromium(chromium!);
    try {
      const { page, faults } = await visit(browser, service.url, 'jobs');
      await page.getByText('1,000 jobs', { exact: true }).waitFor();
      await page.getByLabel('State').selectOption('Failed');
      await page.getByRole('button', { name: 'Show older jobs' }).click();
      // None of the older ones has failed, and all have been looked at.
      await page.getByRole('button', { name: 'Show older jobs' }).waitFor({ state: 'detached' });
      await page.getByText('No job matches.').waitFor();
      await page.getByLabel('State').selectOption('All');
      await page.getByRole('button', { name: 'Show older jobs' }).click();
      await page.getByText('1,200 jobs', { exact: true }).waitFor();
      await page.getByRole('button', { name: 'Show older jobs' }).click();
      await page.getByText('1,250 jobs', { exact: true }).waitFor();
      expect(await page.getByRole('button', { name: 'Show older jobs' }).count()).toBe(0);
      expect(faults).toEqual([]);
    } finally {
      await browser.close();
    }
  });
});

describe('very many jobs of the console', needs(chromium === null ? 'Chromium' : null), () => {
  test('never fill the page: the oldest are let go of, and read again when asked', async () => {
    await using service = await startRoleService('fake: { vendor_delay: 0s }\n');
    await service.core.nodes.create({ name: 'fake-1', driver: 'fake-hardware' }, ADMIN);
    const add = async (count: number) => {
      for (let index = 0; index < count; index++)
        await begin(service, 'fake-1', 'fourth_method_shared_lock', { bar: 'woof' });
    };
    await add(NEWEST_JOBS + 250);
    const browser = await startChromium(chromium!);
    try {
      const { page, faults } = await visit(browser, service.url, 'jobs');
      const older = page.getByRole('button', { name: 'Show older jobs' });
      await page.getByText('1,000 jobs', { exact: true }).waitFor();
      // A tenth more than the bound is let go of at once.
      await add(1300);
      await page.getByText('2,099 jobs', { exact: true }).waitFor();
      // What has been let go of, and what had not been read, without a gap.
      await older.click();
      await page.getByText('2,550 jobs', { exact: true }).waitFor();
      expect(await older.count()).toBe(0);
      // Of what was read on request, the newest are let go of: the page then shows the past alone.
      await add(2200);
      await page.getByText(/^451 older jobs: those between them and the newest are not shown$/).waitFor();
      await page.getByRole('button', { name: 'Show the newest jobs' }).click();
      await page.getByText(/^2,\d{3} jobs$/).waitFor();
      const count = page.getByText(/^[\d,]+ (?:older )?jobs\b/);
      while (!(await count.textContent())!.includes('older')) {
        const before = await count.textContent();
        await older.click();
        await expect.poll(() => count.textContent()).not.toBe(before);
      }
      expect(await count.textContent()).toMatch(/^2,000 older jobs:/);
      expect(await page.getByRole('table', { name: 'Jobs' }).getAttribute('aria-rowcount')).toBe('2001');
      expect(faults).toEqual([]);
    } finally {
      await browser.close();
    }
  }, 150_000);
});

describe('a job of the console', needs(chromium === null ? 'Chromium' : null), () => {
  test('recovers when the service is killed and started under it, and shows its true end', async () => {
    const folder = mkdtempSync(join(tmpdir(), 'passthru-console-'));
    writeFileSync(join(folder, 'nodes.yaml'), JSON.stringify({ nodes: [{ name: 'n-1', driver: 'fake-hardware' }] }));
    const environment = {
      PASSTHRU_STORE: `sqlite:${join(folder, 'passthru.db')}`,
      PASSTHRU_NODES_FILE: join(folder, 'nodes.yaml'),
      PASSTHRU_FAKE_VENDOR_DELAY: '1h',
    };
    let served = await serve([], environment);
    const browser = await startChromium(chromium!);
    try {
      const response = await fetch(`${served.url}/v1/nodes/n-1/vendor_passthru/second_method`, {
        ...{ method: 'POST', headers: { 'X-OpenStack-Ironic-API-Version': '1.78' }, body: '{"bar": "kazoo"}' },
      });
      const job = response.headers.get('Passthru-Job-Id');
      const { page, faults, close } = await visit(browser, served.url, `jobs/${job}`);
      await page.getByRole('status').getByText('Running').waitFor();
      served.command.process.kill('SIGKILL');
      await served.command.ended;
      await page.getByText('The connection to the service is lost. Trying again…').waitFor();
      served = await serve([], { ...environment, PASSTHRU_LISTEN: new URL(served.url).host });
      // Nobody reloads the page: the process that ran the job is gone, and the new one says so.
      await page.getByRole('status').getByText('Failed').waitFor();
      await page.getByText('WORKER_LOST').waitFor();
      expect(await page.getByText('The connection to the service is lost').count()).toBe(0);
      expect(faults).toEqual([]);
      await close();
    } finally {
      await browser.close();
      await served.stop();
      rmSync(folder, { recursive: true });
    }
    // It starts three programs.
  }, 150_000);
});
