import { expect } from 'vitest';
import { expectSection } from '../real/compatibilityPage.ts';

/** The result of a test of a client's own suite. */
export interface SuiteResult {
  /** Its name as the suite prints it. */
  test: string;
  passed: boolean;
  /** Why the suite itself has skipped it; absent if it has not. */
  skipped?: string;
  /** What it printed if it did not pass. */
  text?: string;
}

/** Tests of a suite that do not pass, for one reason: what they need is not served, unless stated. */
export interface OutOfScope {
  reason: string;
  /** Matches the whole name of each test. All of them must fail: what passes belongs to no such list. */
  tests: RegExp;
  /** Whether the tests expect of what is served something that it does not do on purpose; docs/rest.md has the difference. */
  differs?: true;
  /** Matches what each test prints, if that is not the service's refusal of what it does not serve. */
  says?: RegExp;
}

const REFUSAL = /Not served here/;

/**
 * Expects that each test of a suite passes or is out of scope, and that docs/compatibility.md has the numbers under
 * `suite NAME`.
 */
export function expectSuite(name: string, all: readonly SuiteResult[], outOfScope: readonly OutOfScope[]): void {
  const names = all.map(({ test }) => test);
  expect(new Set(names).size).toBe(names.length);
  const listed = (test: string) => outOfScope.filter(({ tests }) => new RegExp(`^(?:${tests.source})$`).test(test));
  const results = all.filter(({ skipped }) => skipped === undefined);
  const failed = results.filter(({ passed }) => !passed);
  const unexpected = failed.filter(({ test }) => listed(test).length === 0);
  expect(unexpected).toEqual([]);
  // The list stays true: each failure has one reason, which it tells, and each reason has a failure.
  expect(
    results.filter(({ test, passed }) => listed(test).length !== (passed ? 0 : 1)).map(({ test }) => test),
  ).toEqual([]);
  const tellsAnother = ({ test, text }: SuiteResult) =>
    listed(test).some(({ differs, says }) => !(says ?? (differs ? /(?:)/ : REFUSAL)).test(text ?? ''));
  expect(failed.filter(tellsAnother)).toEqual([]);
  const rows = outOfScope.map((entry) => ({
    result: `${entry.differs ? 'differs on purpose' : 'out of scope'}: ${entry.reason}`,
    count: failed.filter(({ test }) => listed(test).includes(entry)).length,
  }));
  expect(rows.filter(({ count }) => count === 0)).toEqual([]);
  const passed = { result: 'passed', count: results.length - failed.length };
  const lines = [passed, ...skippedRows(all), ...rows, { result: 'failed', count: unexpected.length }];
  const table = [
    '| Result | Tests |',
    '| --- | --- |',
    ...lines.map(({ result, count }) => `| ${result} | ${count} |`),
  ];
  expectSection(`suite ${name}`, `${table.join('\n')}\n`);
}

function skippedRows(results: readonly SuiteResult[]): { result: string; count: number }[] {
  const reasons = results.flatMap(({ skipped }) => (skipped === undefined ? [] : [skipped]));
  return [...new Set(reasons)].map((reason) => ({
    result: `skipped by the suite: ${reason}`,
    count: reasons.filter((other) => other === reason).length,
  }));
}
