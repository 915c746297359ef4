import { expect, test } from 'vitest';
import { findStaleFiles } from './generated.check.ts';

test('gen/ is what proto/ generates', { timeout: 60_000 }, () => {
  expect(findStaleFiles()).toEqual([]);
});
