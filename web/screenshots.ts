// Takes the pictures of the console in docs/images, of a service with simulated BMCs: npm run screenshots
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import type { Page } from 'playwright-core';
import { loadConfig } from '../src/config/load.ts';
import { silentLogger } from '../src/core/logger.ts';
import { startService } from '../src/service.ts';
import { PROFILES, sendEvents, startFleet } from '../src/sim/index.ts';
import { findChromium, startChromium } from '../test/clients/chromium.ts';

const FOLDER = fileURLToPath(new URL('../docs/images/', import.meta.url));
const CALLER = { name: 'ann', role: 'admin' } as const;
const { signal } = new AbortController();

/** The machines of the pictures: the profile of each, and what its operator has entered. */
const MACHINES = [
  { profile: 'idrac9', vendor: 'Dell', firmware: '7.10.30.00' },
  { profile: 'ilo5', vendor: 'HPE', firmware: '2.99' },
  { profile: 'openbmc', vendor: 'OpenBMC', firmware: '2.14' },
  { profile: 'xcc', vendor: 'Lenovo', firmware: '4.30' },
] as const;

const chromium = await findChromium();
if (chromium === null) throw new Error('Chromium is not installed');
const directory = mkdtempSync(join(tmpdir(), 'passthru-screenshots-'));
const file = join(directory, 'passthru.yaml');
writeFileSync(
  file,
  'listen: 127.0.0.1:0\nstore: "sqlite::memory:"\nhost: passthru-1\nnode_locked_retry_attempts: 0\nsecrets: { plain: true }\n' +
    'fake: { vendor_delay: 3m }\nevents: { listen: "127.0.0.1:0" }\n',
);
const service = await startService(loadConfig({ file, environment: {} }), { log: silentLogger });
const fleets = await Promise.all(MACHINES.map(({ profile }) => startFleet({ profile: PROFILES.get(profile)! })));
const browser = await startChromium(chromium);
try {
  await prepare();
  mkdirSync(FOLDER, { recursive: true });
  const page = await (await browser.newContext({ viewport: { width: 1180, height: 640 } })).newPage();
  await takeAll(page);
} finally {
  await browser.close();
  await service.close();
  await Promise.all(fleets.map((fleet) => fleet.close()));
  rmSync(directory, { recursive: true });
}

async function prepare(): Promise<void> {
  const { nodes, eventSources } = service.core;
  for (const [index, { vendor, firmware }] of MACHINES.entries()) {
    const driverInfo = { redfish_address: fleets[index]!.bmcs[0]!.url, redfish_username: 'u', redfish_password: 'p' };
    const name = `rack7-node${index + 1}`;
    await nodes.create({ name, driver: 'redfish', driverInfo, properties: { vendor, firmware } }, CALLER);
  }
  for (let index = 1; index <= 8; index++)
    await nodes.create({ name: `rack8-node${index}`, driver: 'fake-hardware', maintenance: index === 5 }, CALLER);
  for (const node of ['rack7-node1', 'rack7-node2', 'rack7-node4']) {
    const selection = { registryPrefixes: [], messageIds: [], resourceTypes: [], severities: [] };
    await eventSources.set(node, { transport: null, selection }, CALLER);
    while ((await eventSources.get(node)).state !== 'active') await delay(100);
  }
  await nodes.lock('rack8-node2', {
    ...{ holder: 'night shift', reason: 'Replacing a fan', duration: 7_200_000, lockWait: 0, caller: CALLER, signal },
  });
  await nodes.lock('rack8-node7', { holder: 'conductor-b.example', lockWait: 0, caller: CALLER, signal });
  fleets[1]!.bmcs[0]!.faults.add({ kind: 'status', status: 503, match: { method: 'POST', path: '*Eject*' } });
  await call('rack7-node1', 'eject_vmedia');
  await call('rack7-node2', 'eject_vmedia');
  await call('rack8-node1', 'second_method', { bar: 'kazoo' });
  await call('rack8-node3', 'log_passthrough');
  await call('rack8-node4', 'second_method', { bar: 'kazoo' });
  await sendEvents([fleets[0]!.bmcs[0]!, fleets[1]!.bmcs[0]!, fleets[3]!.bmcs[0]!], { count: 60, rate: 30 });
}

async function call(node: string, method: string, args = {}): Promise<void> {
  await service.core.callNodeMethod({
    ...{ node, method, arguments: args, httpMethod: null, idempotencyKey: null, lockWait: 0 },
    ...{ caller: CALLER, signal, deadline: null },
  });
}

async function takeAll(page: Page): Promise<void> {
  const open = (path: string) => page.goto(`${service.url}/console/${path}`);
  const take = (name: string) => page.screenshot({ path: join(FOLDER, `console-${name}.png`) });
  await open('nodes');
  await page.getByText('12 nodes', { exact: true }).waitFor();
  await page.locator('.chip.failed').first().waitFor();
  await take('nodes');
  await page.getByRole('link', { name: 'rack7-node1', exact: true }).click();
  await page.getByText('eject_vmedia').first().waitFor();
  await take('node');
  await open('jobs');
  await page.getByText('5 jobs', { exact: true }).waitFor();
  await take('jobs');
  await page.getByRole('link', { name: 'eject_vmedia on rack7-node2' }).click();
  await page.getByRole('button', { name: 'Show the exchanges with the machine' }).click();
  await page
    .getByText(/^GET \/redfish/)
    .first()
    .waitFor();
  await take('job');
  await open('locks');
  await page.getByText('5 locks', { exact: true }).waitFor();
  await take('locks');
  await page.setViewportSize({ width: 1180, height: 560 });
  await open('events');
  await page.getByRole('row', { name: /rack7/ }).first().waitFor();
  await take('events');
  await page.setViewportSize({ width: 1180, height: 1060 });
  await open('overview');
  await page.getByText('Locked nodes: 5').waitFor();
  await page.getByText(/^On average: [\d,.]+ ms$/).waitFor();
  await take('overview');
}
