// `npm audit` of what the lock file holds, from the level moderate up. Status 0: nothing known; 1: something; 2: the
// registry did not say, as mirrors may not.
import { execFile } from 'node:child_process';

execFile('npm', ['audit', '--json', '--audit-level=moderate'], { maxBuffer: 64 * 1024 * 1024 }, (error, stdout) => {
  const report = parse(stdout);
  const found = Object.values(report?.vulnerabilities ?? {}).filter(({ severity }) => counts(severity));
  if (report?.auditReportVersion === undefined) {
    const why = report?.message ?? error?.message.split('\n').at(-1) ?? 'it answered what is no report';
    console.error(`audit: NOT CHECKED, for the registry cannot be asked for advisories: ${why}`);
    process.exitCode = 2;
  } else if (found.length > 0 || error !== null) {
    for (const { name, severity, range, via } of found) {
      const titles = via.map((cause) => (typeof cause === 'string' ? `by ${cause}` : `${cause.title} ${cause.url}`));
      console.error(`audit: ${name} ${range} (${severity}): ${titles.join('; ')}`);
    }
    process.exitCode = 1;
  } else console.log('audit: no advisory of the level moderate or above for what is in the lock file');
});

function counts(severity) {
  return severity !== 'info' && severity !== 'low';
}

function parse(text) {
  try {
    return JSON.parse(text);
  } catch {
    return null;
  }
}
