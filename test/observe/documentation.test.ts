import { readFileSync } from 'node:fs';
import { expect, test } from 'vitest';
import { auditRecord } from '../../src/observe/auditRecord.ts';
import { createMetrics } from '../../src/observe/metrics.ts';

const page = readFileSync(new URL('../../docs/observability.md', import.meta.url), 'utf8');

/** The names in the first column of the tables. */
const told = new Set(
  [...page.matchAll(/^\| (`[^|]*) \|/gm)].flatMap(([, cell = '']) =>
    [...cell.matchAll(/`([^`]+)`/g)].map(([, name]) => name),
  ),
);

test('docs/observability.md tells each figure of ours', async () => {
  const names = [...(await createMetrics().render()).matchAll(/^# TYPE (passthru_\S+)/gm)].map(([, name]) => name);
  expect(names.filter((name) => !told.has(name))).toEqual([]);
  expect([...told].filter((name) => name?.startsWith('passthru_') && !names.includes(name))).toEqual([]);
});

test('docs/observability.md tells each key of the audit', () => {
  const keys = Object.keys(auditRecord({ action: null, caller: null, outcome: 'done' }));
  expect(keys.filter((key) => key !== 'audit' && !told.has(key))).toEqual([]);
});
