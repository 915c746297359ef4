import { execFileSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';

const ROOT = join(import.meta.dirname, '../..');
const page = readFileSync(join(ROOT, 'docs/troubleshooting.md'), 'utf8');

/** The messages listed on the page: the quoted first cells of its tables. */
const messages = [...page.matchAll(/^\| `([^`]+)`/gm)].map(([, message]) => message!);

test('the page lists messages', () => {
  expect(messages.length).toBeGreaterThan(20);
});

// Each entry is a part of one message in the source, without its values.
test.each(messages)('"%s" is a message of the service', (message) => {
  const found = execFileSync('grep', ['-rlF', '--', message, join(ROOT, 'src')], { encoding: 'utf8' });
  expect(found).not.toBe('');
});
