import { expect } from 'vitest';
import { expectSection } from '../real/compatibilityPage.ts';

/** The result of a test of a client's own suite. */
export interface SuiteResult {
  /** Its name as the suite prints it. */
  test: string;
  passed: boolean;
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
}

/**
 * Expects that each test of a suite passes or is out of scope, and that docs/compatibility.md has the numbers under
 * `suite NAME`.
 */
export function expectSuite(name: string, results: readonly SuiteResult[], outOfScope: readonly OutOfScope[]): void {
  const names = results.map(({ test }) => test);
  expect(new Set(names).size).toBe(names.length);
  const listed = (test: string) => outOfScope.filter(({ tests }) => new RegExp(`^(?:${tests.source})$`).test(test));
  const failed = results.filter(({ passed }) => !passed);
  const unexpected = failed.filter(({ test }) => listed(test).length === 0);
  expect(unexpected).toEqual([]);
  // The list stays true: each failure has one reason, and each reason has a failure.
  expect(
    results.filter(({ test, passed }) => listed(test).length !== (passed ? 0 : 1)).map(({ test }) => test),
  ).toEqual([]);
  const rows = outOfScope.map((entry) => ({
    result: `${entry.differs ? 'differs on purpose' : 'out of scope'}: ${entry.reason}`,
    count: failed.filter(({ test }) => listed(test).includes(entry)).length,
  }));
  expect(rows.filter(({ count }) => count === 0)).toEqual([]);
  const passed = { result: 'passed', count: results.length - failed.length };
  const lines = [passed, ...rows, { result: 'failed', count: unexpected.length }];
  const table = [
    '| Result | Tests |',
    '| --- | --- |',
    ...lines.map(({ result, count }) => `| ${result} | ${count} |`),
  ];
  expectSection(`suite ${name}`, `${table.join('\n')}\n`);
}
