import { readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import type { Browser, BrowserContextOptions, Page, Request } from 'playwright-core';
import { expect, onTestFailed, TestRunner } from 'vitest';
import { passwordOf } from '../auth/users.ts';

const AXE = readFileSync(createRequire(import.meta.url).resolve('axe-core/axe.min.js'), 'utf8');

/** Longest wait in ms for something to be shown, below the timeout of a test: a browser on a busy machine may need seconds. */
const MAX_WAIT = 45_000;

/** A page of the console, with what went wrong on it. */
export interface Visit {
  page: Page;
  /** Violations of the policy, errors of scripts, and requests to another origin. */
  faults: string[];
  close(): Promise<void>;
}

/** Opens `path` of the console in a context of its own, as a new visitor. */
export async function visit(
  browser: Browser,
  url: string,
  path = '',
  options: BrowserContextOptions = {},
): Promise<Visit> {
  const context = await browser.newContext({ viewport: { width: 1280, height: 800 }, ...options });
  context.setDefaultTimeout(MAX_WAIT);
  const page = await context.newPage();
  if (TestRunner.getCurrentTest() !== undefined) reportStateOnFailure(page);
  const faults: string[] = [];
  page.on('pageerror', (error) => faults.push(error.message));
  page.on('console', (message) => {
    // The browser reports each response with an error and each lost connection so; tests cause them on purpose.
    if (message.type() === 'error' && !/^Failed to load resource/.test(message.text())) faults.push(message.text());
  });
  page.on('request', (request) => {
    const { origin } = new URL(request.url());
    if (origin !== new URL(url).origin && origin !== 'null') faults.push(`request to ${request.url()}`);
  });
  page.on('dialog', (dialog) => {
    faults.push(`dialog: ${dialog.message()}`);
    void dialog.dismiss();
  });
  await page.goto(`${url}/console/${path}`);
  return { page, faults, close: () => context.close() };
}

/** Prints what a page shows, and what it has asked for, when its test fails: a wait that times out tells nothing of either. */
function reportStateOnFailure(page: Page): void {
  const begun = Date.now();
  const unfinished = new Map<Request, number>();
  let finished = 0;
  page.on('request', (request) => unfinished.set(request, Date.now() - begun));
  for (const event of ['requestfinished', 'requestfailed'] as const) {
    page.on(event as 'requestfinished', (request) => {
      unfinished.delete(request);
      finished++;
    });
  }
  onTestFailed(async () => {
    if (page.isClosed()) return;
    const shown = page.locator('body').innerText({ timeout: 5000 });
    const text = await shown.catch((error: Error) => `nothing that can be read: ${error.message}`);
    const waiting = [...unfinished].map(([request, at]) => `${request.method()} ${request.url()}, sent after ${at} ms`);
    console.error(
      [`${page.url()} shows:`, text, `${finished} requests have ended; without an end:`, ...waiting].join('\n'),
    );
  });
}

/** As `visit`, and logs in by the user name and password of `user`. */
export async function logInAs(
  browser: Browser,
  url: string,
  user: string,
  path = '',
  options: BrowserContextOptions = {},
): Promise<Visit> {
  const visited = await visit(browser, url, path, options);
  await visited.page.getByLabel('User name').fill(user);
  await visited.page.getByLabel('Password').fill(passwordOf(user));
  await visited.page.getByRole('button', { name: 'Log in' }).click();
  return visited;
}

/** Expects that axe finds nothing on the page as it is. */
export async function expectAccessible(page: Page): Promise<void> {
  await page.evaluate(AXE);
  const violations = await page.evaluate(async () => {
    // biome-ignore lint/suspicious/noExplicitAny: axe has put itself into the page
    const results = await (globalThis as any).axe.run({ resultTypes: ['violations'] });
    return results.violations.map(
      ({ id, nodes }: { id: string; nodes: { html: string; failureSummary: string }[] }) => ({
        id,
        nodes: nodes.map(({ html, failureSummary }) => `${html} ${failureSummary}`),
      }),
    );
  });
  expect(violations).toEqual([]);
}

/** Returns everything that a browser has been told of a page: its text, attributes, address and storage. */
export function everythingShown(page: Page): Promise<string> {
  return page.evaluate(() => {
    const { document, localStorage, location } = globalThis as unknown as {
      document: { documentElement: { outerHTML: string }; cookie: string };
      localStorage: object;
      location: { href: string };
    };
    return [document.documentElement.outerHTML, document.cookie, JSON.stringify(localStorage), location.href].join(
      '\n',
    );
  });
}
