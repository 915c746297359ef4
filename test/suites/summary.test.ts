import { readFileSync } from 'node:fs';
import { expect, test } from 'vitest';
import { expectSection, PAGE } from '../real/compatibilityPage.ts';

/** The suites in the order of the page, by the names of their sections. */
const SUITES = {
  metal3: "metal3's provisioner (calls)",
  'suite gophercloud': "gophercloud's acceptance tests",
  'suite ironicclient': "ironicclient's functional tests",
  'suite openstacksdk': "openstacksdk's functional tests",
  'suite tempest': "ironic-tempest-plugin's API tests",
};

/** The columns, with what the results begin with that they count. */
const COLUMNS = {
  passed: /^passed|^works/,
  'skipped by the suite': /^skipped by the suite/,
  'out of scope': /^out of scope|Not served here/,
  'differs on purpose': /^differs on purpose/,
  'refused as Ironic does': /^40[04]: (?!Not served)/,
  failed: /^failed$/,
};

test('the summary adds up what the tables of the suites have', () => {
  const rows = Object.entries(SUITES).map(([name, title]) => {
    const results = readResults(name);
    const counts = Object.values(COLUMNS).map((pattern) =>
      results.reduce((sum, { result, count }) => sum + (pattern.test(result) ? count : 0), 0),
    );
    // Each result is in one column.
    expect([name, counts.reduce((sum, count) => sum + count)]).toEqual([
      name,
      results.reduce((sum, { count }) => sum + count, 0),
    ]);
    return `| ${[title, ...counts].join(' | ')} |`;
  });
  const heading = `| ${['Suite', ...Object.keys(COLUMNS)].join(' | ')} |`;
  const line = `|${' --- |'.repeat(1 + Object.keys(COLUMNS).length)}`;
  expectSection('suites', `${[heading, line, ...rows].join('\n')}\n`);
});

/** Returns the results of a section's table: with their numbers, or each once. */
function readResults(name: string): { result: string; count: number }[] {
  const page = readFileSync(PAGE, 'utf8');
  const table = page.slice(page.indexOf(`<!-- ${name} -->`), page.indexOf(`<!-- end of ${name} -->`));
  const rows = [...table.matchAll(/^\| (.*) \| (.*) \|$/gm)].slice(2);
  return rows.map(([, first = '', second = '']) =>
    /^\d+$/.test(second) ? { result: first, count: Number(second) } : { result: second, count: 1 },
  );
}
