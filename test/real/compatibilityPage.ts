import { readFileSync, writeFileSync } from 'node:fs';
import { expect } from 'vitest';

const PAGE = new URL('../../docs/compatibility.md', import.meta.url).pathname;

/** What a command or call of a client came to. */
export interface Row {
  /** As it is typed. */
  call: string;
  /** WORKS, or what the client says. */
  result: string;
}

export const WORKS = 'works';

/**
 * Checks that docs/compatibility.md has these rows, and no others, between the comments `<!-- NAME -->` and
 * `<!-- end of NAME -->`. With UPDATE_DOCS set it writes them there instead.
 * @param rows all of them, or, when some were not tried, the first
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
 * What a client says, without what differs from run to run, and without what every refusal of the service's ends with.
 * @param addresses of this run, which show as what they stand for
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
