import type { Reporter, TestCase, TestModule, TestSuite } from 'vitest/node';

/** The minimum time between two lines of progress, in ms. */
const INTERVAL = 10_000;

/**
 * Reports the progress of a run, and at its end every skipped group with what it needs. Complements the default reporter,
 * whose output to a file or a pipe has neither.
 */
export default class ProgressReporter implements Reporter {
  #files = 0;
  #ended = 0;
  #failed = 0;
  #begun = 0;
  #lastLine = 0;

  onTestRunStart(specifications: readonly unknown[]): void {
    this.#files = specifications.length;
    this.#begun = performance.now();
    this.#lastLine = this.#begun;
  }

  onTestModuleEnd(module: TestModule): void {
    this.#ended += 1;
    if (module.state() === 'failed') this.#failed += 1;
    const now = performance.now();
    if (now - this.#lastLine < INTERVAL && this.#ended < this.#files) return;
    this.#lastLine = now;
    const failed = this.#failed === 0 ? '' : `, ${this.#failed} failed`;
    const seconds = Math.round((now - this.#begun) / 1000);
    process.stdout.write(`-- ${this.#ended} of ${this.#files} test files${failed}, ${seconds} s\n`);
  }

  onTestRunEnd(modules: readonly TestModule[]): void {
    const groups = modules.flatMap((module) => [...module.children].flatMap(skippedGroups));
    if (groups.length === 0) return;
    process.stdout.write(`\nSkipped groups, and what each needs:\n`);
    for (const { file, name, tests, needs } of groups) {
      process.stdout.write(`  ${file} > ${name} (${tests} ${tests === 1 ? 'test' : 'tests'}): ${needs}\n`);
    }
  }
}

interface SkippedGroup {
  file: string;
  name: string;
  tests: number;
  needs: string;
}

/** Returns the outermost groups and tests in `entity` that were skipped completely. */
function skippedGroups(entity: TestSuite | TestCase): SkippedGroup[] {
  const tests = entity.type === 'test' ? [entity] : [...entity.children.allTests()];
  const skipped = tests.filter((test) => test.result().state === 'skipped');
  if (skipped.length === 0) return [];
  if (skipped.length < tests.length && entity.type === 'suite') return [...entity.children].flatMap(skippedGroups);
  const own = entity.type === 'suite' ? entity.meta().needs : undefined;
  const needs = own ?? skipped.map(reasonOf).find((reason) => reason !== undefined) ?? 'no reason was given';
  return [{ file: entity.module.relativeModuleId, name: entity.fullName, tests: skipped.length, needs }];
}

function reasonOf(test: TestCase): string | undefined {
  const result = test.result();
  return test.meta().needs ?? (result.state === 'skipped' ? result.note : undefined);
}
