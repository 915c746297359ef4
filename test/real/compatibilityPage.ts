import { readFileSync, writeFileSync } from 'node:fs';
import { expect } from 'vitest';

/** The page with the tables. */
export const PAGE = new URL('../../docs/compatibility.md', import.meta.url).pathname;

/** The result of a client's command or call. */
export interface Row {
  /** The command or call as it is typed. */
  call: string;
  /** WORKS, or the client's error. */
  result: string;
}

export const WORKS = 'works';

/**
 * Expects docs/compatibility.md to have exactly these rows between the comments `<!-- NAME -->` and `<!-- end of NAME
 * -->`. With UPDATE_DOCS set, writes them there instead.
 * @param whole false if only the first rows of the table were tried
 */
export function expectTable(name: string, heading: string, rows: readonly Row[], whole = true): void {
  expectSection(name, [`| ${heading} | Result |`, '| --- | --- |', ...rows.map(drawRow), ''].join('\n'), whole);
}

/** Expects the page to have exactly `text`, or to begin with it, between the comments of `name`. */
export function expectSection(name: string, text: string, whole = true): void {
  const page = readFileSync(PAGE, 'utf8');
  const begin = `<!-- ${name} -->\n`;
  const end = `<!-- end of ${name} -->`;
  const [from, to] = [page.indexOf(begin) + begin.length, page.indexOf(end)];
  expect([name, from >= begin.length, to >= from]).toEqual([name, true, true]);
  if (!whole) expect(page.slice(from, from + text.length)).toBe(text);
  else if (process.env.UPDATE_DOCS) writeFileSync(PAGE, page.slice(0, from) + text + page.slice(to));
  else expect(page.slice(from, to)).toBe(text);
}

/**
 * Returns a client's error without the parts that differ between runs, and without the last sentence of the service's
 * refusals, which is always the same.
 * @param addresses the addresses of this run, each with the name that replaces it
 */
export function stableText(text: string, addresses: Readonly<Record<string, string>>): string {
  let stable = text.replaceAll(" This service supports Ironic's vendor passthru and the nodes that it needs.", '');
  // The baremetal command prints it after the service's error.
  stable = stable.replaceAll(/ \(Request-ID: req-[0-9a-f-]+\)/g, '');
  for (const [address, name] of Object.entries(addresses)) stable = stable.replaceAll(address, name);
  return stable.trim();
}

function drawRow({ call, result }: Row): string {
  const cell = (text: string) => text.replaceAll('|', '\\|');
  return `| \`${cell(call)}\` | ${cell(result)} |`;
}
