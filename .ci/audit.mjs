// Runs `npm audit` on the lock file for advisories of level moderate and above. Exit status 0: none; 1: some; 2: the
// registry serves no advisories, as some mirrors do not.
import { execFile } from 'node:child_process';

execFile('npm', ['audit', '--json', '--audit-level=moderate'], { maxBuffer: 64 * 1024 * 1024 }, (error, stdout) => {
  const report = parse(stdout);
  const advisories = Object.values(report?.vulnerabilities ?? {}).filter(({ severity }) => isRelevant(severity));
  if (report?.auditReportVersion === undefined) {
    const reason = report?.message ?? error?.message.split('\n').at(-1) ?? 'it returned an invalid report';
    console.error(`audit: NOT CHECKED, the registry serves no advisories: ${reason}`);
    process.exitCode = 2;
  } else if (advisories.length > 0 || error !== null) {
    for (const { name, severity, range, via } of advisories) {
      const titles = via.map((cause) => (typeof cause === 'string' ? `by ${cause}` : `${cause.title} ${cause.url}`));
      console.error(`audit: ${name} ${range} (${severity}): ${titles.join('; ')}`);
    }
    process.exitCode = 1;
  } else console.log('audit: no advisory of level moderate or above for the packages in the lock file');
});

function isRelevant(severity) {
  return severity !== 'info' && severity !== 'low';
}

function parse(text) {
  try {
    return JSON.parse(text);
  } catch {
    return null;
  }
}
