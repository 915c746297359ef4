import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { createClient } from '@connectrpc/connect';
import { createConnectTransport } from '@connectrpc/connect-node';
import type { Browser, Page } from 'playwright-core';
import { NodeService } from '../gen/passthru/v1/node_pb.ts';
import { findChromium, startChromium } from '../test/clients/chromium.ts';
import { startReplica } from './replica.ts';

// How the console feels with many nodes, in a real Chromium against a service in a process of its own: the first view, the
// scrolling of all nodes, and changes without end. Long tasks are those of the browser's own definition, over 50 ms.
// node bench/console.ts [NODES] [CHANGES PER SECOND]

const NODES = Number(process.argv[2] ?? 10_000);
const RATE = Number(process.argv[3] ?? 100);
const VIEWS = 5;
const SCROLLS = 300;
/** Milliseconds. */
const CHANGING = 20_000;

/** Notes, from the start of each page, its long tasks, the longest pause between two frames, and its first row. */
const PROBE = `
  window.probe = { longTasks: [], frame: 0, firstRow: null };
  new PerformanceObserver((list) => {
    for (const { duration } of list.getEntries()) probe.longTasks.push(Math.round(duration));
  }).observe({ type: 'longtask', buffered: true });
  let last = performance.now();
  const frame = (now) => {
    probe.frame = Math.max(probe.frame, now - last);
    last = now;
    if (probe.firstRow === null && document.querySelector('.body .row') !== null) probe.firstRow = performance.now();
    requestAnimationFrame(frame);
  };
  requestAnimationFrame(frame);
`;

interface Probe {
  longTasks: number[];
  frame: number;
  firstRow: number | null;
}

const chromium = await findChromium();
if (chromium === null) throw new Error('Chromium is not installed');
const directory = mkdtempSync(join(tmpdir(), 'passthru-console-'));
const file = join(directory, 'nodes.yaml');
const nodes = Array.from({ length: NODES }, (_, index) => ({ name: `n-${index}`, driver: 'fake-hardware' }));
writeFileSync(file, JSON.stringify({ nodes }));
const service = await startReplica({ PASSTHRU_STORE: 'sqlite::memory:', PASSTHRU_NODES_FILE: file });
const browser = await startChromium(chromium);
try {
  await measureFirstView(browser);
  const page = await open(browser);
  await page.getByText(`${NODES.toLocaleString('en')} nodes`, { exact: true }).waitFor();
  report('reading all nodes', await read(page));
  await measureScrolling(page);
  await measureChanges(page);
} finally {
  await browser.close();
  await service.stop();
  rmSync(directory, { recursive: true });
}

async function open(chrome: Browser): Promise<Page> {
  const page = await (await chrome.newContext({ viewport: { width: 1280, height: 800 } })).newPage();
  await page.addInitScript(PROBE);
  await page.goto(`${service.url}/console/`);
  return page;
}

/** Each visitor has an empty cache. */
async function measureFirstView(chrome: Browser): Promise<void> {
  const times: number[] = [];
  for (let view = 0; view < VIEWS; view++) {
    const page = await open(chrome);
    await page.locator('.body .row').first().waitFor();
    await page.evaluate('new Promise(requestAnimationFrame)');
    times.push(Math.round((await page.evaluate<Probe>('probe')).firstRow!));
    await page.context().close();
  }
  console.log(`first view, until the first nodes are shown: ${times.join(', ')} ms`);
}

async function measureScrolling(page: Page): Promise<void> {
  await page.mouse.move(600, 500);
  await reset(page);
  for (let step = 0; step < SCROLLS; step++) {
    await page.mouse.wheel(0, 1500);
    await page.evaluate('new Promise(requestAnimationFrame)');
  }
  report(`scrolling, ${SCROLLS} steps of 1500 pixels`, await read(page));
}

async function measureChanges(page: Page): Promise<void> {
  const api = createClient(NodeService, createConnectTransport({ baseUrl: service.url, httpVersion: '2' }));
  await page.getByLabel('Search').fill('');
  await reset(page);
  const start = performance.now();
  let made = 0;
  let slowest = 0;
  while (performance.now() - start < CHANGING) {
    const due = ((performance.now() - start) / 1000) * RATE;
    const batch: Promise<unknown>[] = [];
    for (; made < due; made++) {
      const values = { description: `changed ${made}` };
      batch.push(api.updateNode({ node: `n-${made % NODES}`, values, updateMask: { paths: ['description'] } }));
    }
    await Promise.all(batch);
    // A reader goes on meanwhile: from a key to the rows that it selects.
    const pressed = performance.now();
    await page.getByLabel('Search').fill(`n-${made}`);
    await page.getByText(/^[\d,]+ of [\d,]+ nodes$/).waitFor();
    slowest = Math.max(slowest, performance.now() - pressed);
    await page.getByLabel('Search').fill('');
    await delay(50);
  }
  report(`${Math.round((made / CHANGING) * 1000)} changes a second for ${CHANGING / 1000} s`, await read(page));
  console.log(`  a search meanwhile, until its rows are shown: ${Math.round(slowest)} ms at most`);
}

async function reset(page: Page): Promise<void> {
  await page.evaluate('probe.longTasks = []; probe.frame = 0');
}

function read(page: Page): Promise<Probe> {
  return page.evaluate<Probe>('probe');
}

function report(what: string, { longTasks, frame }: Probe): void {
  const tasks = longTasks.length === 0 ? 'none' : `${longTasks.length}: ${longTasks.join(', ')} ms`;
  console.log(`${what}: long tasks: ${tasks}; longest pause between two frames: ${Math.round(frame)} ms`);
}
