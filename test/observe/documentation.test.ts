import { readFileSync } from 'node:fs';
import { expect, test } from 'vitest';
import { auditRecord } from '../../src/observe/auditRecord.ts';
import { createMetrics } from '../../src/observe/metrics.ts';

const page = readFileSync(new URL('../../docs/observability.md', import.meta.url), 'utf8');

/** The names in the first column of the tables. */
const documented = new Set(
  [...page.matchAll(/^\| (`[^|]*) \|/gm)].flatMap(([, cell = '']) =>
    [...cell.matchAll(/`([^`]+)`/g)].map(([, name]) => name),
  ),
);

test('docs/observability.md lists every metric, and no others', async () => {
  const names = [...(await createMetrics().render()).matchAll(/^# TYPE (passthru_\S+)/gm)].map(([, name]) => name);
  expect(names.filter((name) => !documented.has(name))).toEqual([]);
  expect([...documented].filter((name) => name?.startsWith('passthru_') && !names.includes(name))).toEqual([]);
});

test('docs/observability.md lists every key of the audit records', () => {
  const keys = Object.keys(auditRecord({ action: null, caller: null, outcome: 'done' }));
  expect(keys.filter((key) => key !== 'audit' && !documented.has(key))).toEqual([]);
});
