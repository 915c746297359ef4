// Prints "N passed, N failed" for a vitest report in JSON, and on standard error what did not pass, with the first line
// of the reason. Skipped tests count as failed, since CI must skip none.
import { readFileSync } from 'node:fs';

const report = JSON.parse(readFileSync(process.argv[2], 'utf8'));
const passed = report.numPassedTests;
const skipped = report.numPendingTests + report.numTodoTests;
// A file that does not load, or an error outside a test, fails the run without failing a test.
const broken = report.success || report.numFailedTests > 0 ? 0 : 1;
for (const file of report.testResults) {
  const notPassed = file.assertionResults.filter(({ status }) => status !== 'passed');
  for (const { status, fullName, failureMessages } of notPassed) {
    console.error(`${status}: ${fullName}: ${firstLine(failureMessages[0])}`);
  }
  if (file.status === 'failed' && notPassed.length === 0)
    console.error(`failed: ${file.name}: ${firstLine(file.message)}`);
}
console.log(`${passed} passed, ${report.numFailedTests + skipped + broken} failed`);

function firstLine(text) {
  return text?.split('\n')[0].slice(0, 300) ?? 'no reason given';
}
