import { readFileSync } from 'node:fs';
import { expect, test } from 'vitest';

const ROOT = new URL('../../', import.meta.url);
const page = readFileSync(new URL('test/attacks/README.md', ROOT), 'utf8');
const rows = [...page.matchAll(/^\| .* \| `(test\/[^`]+)`: (.+) \|$/gm)].map(([, file, title]) => [file!, title!]);

test('the table has a row for each line of its two parts', () => {
  expect(rows.length).toBe(page.split('\n').filter((line) => /^\| (?!---|Finding|What held)/.test(line)).length);
});

test.each(rows)('%s has the test: %s', (file, title) => {
  const source = readFileSync(new URL(file, ROOT), 'utf8');
  const quoted = [`'${title}'`, `"${title}"`, `\`${title}\``];
  expect(quoted.some((text) => source.includes(text))).toBe(true);
});

test('every finding has a row, or is named as one without', () => {
  const open = /^Not in the table yet:(.*?)\n\n/ms.exec(page)?.[1] ?? '';
  for (let finding = 1; finding <= 28; finding++) {
    const hasRow = new RegExp(`^\\| ${finding} \\|`, 'm').test(page);
    expect([finding, hasRow || new RegExp(`\\b${finding}\\b`).test(open)]).toEqual([finding, true]);
  }
});
