import { readFileSync, writeFileSync } from 'node:fs';
import { expect } from 'vitest';

const PAGE = new URL('../../docs/compatibility.md', import.meta.url).pathname;

/** The result of a client's command or call. */
export interface Row {
  /** The command or call as typed. */
  call: string;
  /** WORKS, or the client's message. */
  result: string;
}

export const WORKS = 'works';

/**
 * Checks that docs/compatibility.md has these rows, and no others, between the comments `<!-- NAME -->` and
 * `<!-- end of NAME -->`. With UPDATE_DOCS set, writes them there instead.
 * @param rows all rows; the first ones if the others were not tried, with `whole` false
 */
export function expectTable(name: string, heading: string, rows: readonly Row[], whole = true): void {
  const page = readFileSync(PAGE, 'utf8');
  const begin = `<!-- ${name} -->\n`;
  const end = `<!-- end of ${name} -->`;
  const [from, to] = [page.indexOf(begin) + begin.length, page.indexOf(end)];
  expect([name, from >= begin.length, to >= from]).toEqual([name, true, true]);
  const table = [`| ${heading} | Result |`, '| --- | --- |', ...rows.map(drawRow), ''].join('\n');
  if (!whole) expect(page.slice(from, from + table.length)).toBe(table);
  else if (process.env.UPDATE_DOCS) writeFileSync(PAGE, page.slice(0, from) + table + page.slice(to));
  else expect(page.slice(from, to)).toBe(table);
}

/**
 * Returns a client's message without the sentence that ends every refusal of an unsupported route.
 * @param addresses addresses of this run, and the names to replace them with
 */
export function steadyText(text: string, addresses: Readonly<Record<string, string>>): string {
  let steady = text.replaceAll(" This service supports Ironic's vendor passthru and the nodes that it needs.", '');
  for (const [address, name] of Object.entries(addresses)) steady = steady.replaceAll(address, name);
  return steady.trim();
}

function drawRow({ call, result }: Row): string {
  const cell = (text: string) => text.replaceAll('|', '\\|');
  return `| \`${cell(call)}\` | ${cell(result)} |`;
}
