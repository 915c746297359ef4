import { expect, test } from 'vitest';
import { compare, RANDOM_RECORDING, RECORDING, readRecording } from './comparison.ts';
import { EXPECTED, type Expected } from './expected.ts';
import { REQUESTS } from './requests.ts';

const used = new Set<Expected>();

test.each([
  // The counts are as docs/compatibility.md has them.
  ['listed', RECORDING, { same: 1320, neutral: 795, better: 44, scope: 15 }],
  ['random', RANDOM_RECORDING, { same: 429, neutral: 229, better: 31, scope: 15 }],
])('no response to the %s requests is worse than that of Ironic 39', { timeout: 120_000 }, async (_, file, counts) => {
  const { requests = REQUESTS, responses } = readRecording(file);
  expect(responses).toHaveLength(requests.length);
  const result = await compare(requests, (_request, index) => responses[index]!);
  for (const expected of result.used) used.add(expected);
  expect(result.worse).toEqual([]);
  expect(result.counts).toEqual(counts);
});

test('every difference that is expected occurs', () => {
  expect(EXPECTED.filter((expected) => !used.has(expected)).map(({ why }) => why)).toEqual([]);
});
