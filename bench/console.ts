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
// scrolling of all nodes, and changes without end. A task is what holds up the page; a long one takes over 50 ms. On a machine
// that does other things as well the clock tells of those too: the processor time of a task is its own.
// node bench/console.ts [NODES] [CHANGES PER SECOND]

const NODES = Number(process.argv[2] ?? 10_000);
const RATE = Number(process.argv[3] ?? 100);
const VIEWS = 5;
const SCROLLS = 300;
/** Milliseconds. */
const CHANGING = 20_000;

/** Milliseconds of a long task, as the browser defines it. */
const LONG = 50;

/** A task of the page's own thread, in milliseconds. */
interface Task {
  clock: number;
  processor: number;
}

/** Of the trace of a browser. */
interface TraceEvent {
  name: string;
  pid: number;
  tid: number;
  dur?: number;
  tdur?: number;
  args?: { name?: string };
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
  const page = await newPage(browser);
  await trace('reading all nodes', page, async () => {
    await page.goto(`${service.url}/console/`);
    await page.getByText(`${NODES.toLocaleString('en')} nodes`, { exact: true }).waitFor();
  });
  await trace(`scrolling, ${SCROLLS} steps of 1500 pixels`, page, () => scroll(page));
  await trace(`${RATE} changes a second for ${CHANGING / 1000} s`, page, () => change(page));
} finally {
  await browser.close();
  await service.stop();
  rmSync(directory, { recursive: true });
}

async function newPage(chrome: Browser): Promise<Page> {
  return (await chrome.newContext({ viewport: { width: 1280, height: 800 } })).newPage();
}

/** Each visitor has an empty cache. */
async function measureFirstView(chrome: Browser): Promise<void> {
  const times: number[] = [];
  for (let view = 0; view < VIEWS; view++) {
    const page = await newPage(chrome);
    await page.goto(`${service.url}/console/`);
    await page.locator('.body .row').first().waitFor();
    times.push(Math.round(await page.evaluate<number>('performance.now()')));
    await page.context().close();
  }
  console.log(`first view, until the first nodes are shown: ${times.join(', ')} ms`);
}

async function scroll(page: Page): Promise<void> {
  await page.mouse.move(600, 500);
  for (let step = 0; step < SCROLLS; step++) {
    await page.mouse.wheel(0, 1500);
    await page.evaluate('new Promise(requestAnimationFrame)');
  }
}

/** Changes nodes, while a reader searches. */
async function change(page: Page): Promise<void> {
  const api = createClient(NodeService, createConnectTransport({ baseUrl: service.url, httpVersion: '2' }));
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
    const pressed = performance.now();
    await page.getByLabel('Search').fill(`n-${made % NODES}`);
    await page.getByText(/^[\d,]+ of [\d,]+ nodes$/).waitFor();
    slowest = Math.max(slowest, performance.now() - pressed);
    await page.getByLabel('Search').fill('');
    await delay(50);
  }
  const rate = Math.round((made / (performance.now() - start)) * 1000);
  console.log(`${rate} changes a second were made; a search meanwhile took ${Math.round(slowest)} ms at most`);
}

/** Prints the tasks of the page while `work` runs. */
async function trace(what: string, page: Page, work: () => Promise<void>): Promise<void> {
  await browser.startTracing(page, { categories: ['disabled-by-default-devtools.timeline', '__metadata'] });
  await work();
  const { traceEvents } = JSON.parse((await browser.stopTracing()).toString()) as { traceEvents: TraceEvent[] };
  const tasks = tasksOf(traceEvents);
  const long = tasks.filter(({ processor }) => processor > LONG);
  const longest = (key: keyof Task) => Math.round(tasks.reduce((most, task) => Math.max(most, task[key]), 0));
  console.log(
    `${what}: ${tasks.length} tasks, ${long.length} of more than ${LONG} ms; the longest ${longest('processor')} ms ` +
      `of processor time, ${longest('clock')} ms by the clock`,
  );
}

/** Returns the tasks of the main threads of pages: that of the only page, while it is the only one. */
function tasksOf(events: readonly TraceEvent[]): Task[] {
  const threads = new Set(
    events
      .filter(({ name, args }) => name === 'thread_name' && args?.name === 'CrRendererMain')
      .map(({ pid, tid }) => `${pid} ${tid}`),
  );
  return events
    .filter(({ name, pid, tid }) => name === 'RunTask' && threads.has(`${pid} ${tid}`))
    .map(({ dur = 0, tdur = 0 }) => ({ clock: dur / 1000, processor: tdur / 1000 }));
}
