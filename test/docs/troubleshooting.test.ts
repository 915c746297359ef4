import { execFileSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';

const ROOT = join(import.meta.dirname, '../..');
const page = readFileSync(join(ROOT, 'docs/troubleshooting.md'), 'utf8');

/** The messages that the page lists: the first cell of each row that begins with one. */
const messages = [...page.matchAll(/^\| `([^`]+)`/gm)].map(([, message]) => message!);

test('the page lists messages', () => {
  expect(messages.length).toBeGreaterThan(20);
});

// A message is worded in one place of the source, perhaps with values between its words.
test.each(messages)('"%s" is a message of the service', (message) => {
  const found = execFileSync('grep', ['-rlF', '--', message, join(ROOT, 'src')], { encoding: 'utf8' });
  expect(found).not.toBe('');
});
