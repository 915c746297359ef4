import { readFileSync } from 'node:fs';
import { expect, test } from 'vitest';
import { LANGUAGES } from '../../clients/plugins.ts';

const read = (path: string) => readFileSync(new URL(`../../${path}`, import.meta.url), 'utf8');

test.each(LANGUAGES)('the package for %s contains the licence', (language) => {
  expect(read(`clients/${language}/LICENSE`)).toBe(read('LICENSE'));
});
