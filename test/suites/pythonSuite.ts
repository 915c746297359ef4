import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { start } from '../cli/run.ts';
import { pythonEnvironment } from '../real/pythonEnvironment.ts';
import type { SuiteResult } from './suite.ts';

/** The packages of the clients, which have their suites, and what these import. */
export const environment = await pythonEnvironment(new URL('./requirements.txt', import.meta.url).pathname);
/** What is missing to run the suites; null if nothing is. */
export const noSuites = 'missing' in environment ? environment.missing : null;

/**
 * Runs the tests of a Python package with pytest. Returns their results, by names such as `test_node.TestNode.test_x`.
 * @param packages the packages or modules, as `openstack.tests.functional.baremetal`
 * @param options.folder the working directory; a new one if it is not given
 * @param options.plugins plugins of pytest in this folder
 */
export async function runPythonSuite(
  packages: readonly string[],
  variables: Readonly<Record<string, string>>,
  options: { folder?: string; plugins?: readonly string[] } = {},
): Promise<SuiteResult[]> {
  if ('missing' in environment) throw new Error(environment.missing);
  const folder = mkdtempSync(join(tmpdir(), 'passthru-suite-'));
  try {
    const report = join(folder, 'report.json');
    const plugins = ['suite_report', 'no:cacheprovider', ...(options.plugins ?? [])].flatMap((name) => ['-p', name]);
    const args = ['-m', 'pytest', `--rootdir=${folder}`, `--suite-report=${report}`, '-q', ...plugins];
    const { stdout, stderr } = await start(
      environment.python,
      [...args, '--pyargs', ...packages],
      { PYTHONPATH: new URL('.', import.meta.url).pathname, PYTHONDONTWRITEBYTECODE: '1', HOME: folder, ...variables },
      options.folder ?? folder,
    ).ended;
    const tests = readReport(report, stdout + stderr);
    return Object.entries(tests).map(([test, { outcome, text }]) => ({
      test,
      passed: outcome === 'passed',
      ...(outcome === 'skipped' ? { skipped: skipReason(text) } : {}),
      ...(outcome === 'failed' ? { text: text.slice(-1500) } : {}),
    }));
  } finally {
    rmSync(folder, { recursive: true });
  }
}

function readReport(path: string, printed: string): Record<string, { outcome: string; text: string }> {
  try {
    return JSON.parse(readFileSync(path, 'utf8'));
  } catch {
    throw new Error(`pytest has not reported: ${printed.slice(-2000)}`);
  }
}

/** Returns the reason in the text of a skipped test: `('FILE', LINE, 'Skipped: REASON')`. */
function skipReason(text: string): string {
  return /Skipped: (.*?)\.?['"]\)$/.exec(text)?.[1] ?? text;
}
