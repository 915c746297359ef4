// Prints "N passed, N failed" for a vitest report in JSON. Skipped tests count as failed, since CI must skip none.
import { readFileSync } from 'node:fs';

const report = JSON.parse(readFileSync(process.argv[2], 'utf8'));
const passed = report.numPassedTests;
const skipped = report.numPendingTests + report.numTodoTests;
// A file that does not load, or an error outside a test, fails the run without failing a test.
const broken = report.success || report.numFailedTests > 0 ? 0 : 1;
for (const file of report.testResults) {
  for (const test of file.assertionResults) {
    if (test.status !== 'passed') console.error(`${test.status}: ${test.fullName}`);
  }
}
console.log(`${passed} passed, ${report.numFailedTests + skipped + broken} failed`);
