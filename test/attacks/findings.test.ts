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

test('every finding has a row', () => {
  for (let finding = 1; finding <= 28; finding++) {
    expect([finding, new RegExp(`^\\| ${finding} \\|`, 'm').test(page)]).toEqual([finding, true]);
  }
});
