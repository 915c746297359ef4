import { readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import type { Browser, BrowserContextOptions, Page } from 'playwright-core';
import { expect } from 'vitest';
import { passwordOf } from '../auth/users.ts';

const AXE = readFileSync(createRequire(import.meta.url).resolve('axe-core/axe.min.js'), 'utf8');

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
  const page = await context.newPage();
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
