import { expect, test } from 'vitest';
import { createMetrics } from '../../src/observe/metrics.ts';
import type { AllReports } from '../../src/process/primary.ts';

/** Creates the metrics of `count` workers, which any of them renders. */
function createWorkers(count: number) {
  const reports: (() => Promise<unknown>)[] = [];
  const dropped = { log: 5, audit: 0 };
  const collectReports = async (): Promise<AllReports> => {
    const metrics = await Promise.all(reports.map((report) => report()));
    // As they arrive from other processes.
    const given = JSON.parse(JSON.stringify(metrics)) as unknown[];
    return { reports: given.map((each, index) => ({ worker: index + 1, content: each })), dropped };
  };
  const onReport = (_topic: string, report: () => Promise<unknown>) => void reports.push(report);
  return Array.from({ length: count }, () => createMetrics(undefined, { onReport, collectReports }));
}

test('any worker renders the metrics of all, each series with its worker', async () => {
  const [one, two] = createWorkers(2);
  one!.refused('unauthenticated');
  two!.refused('unauthenticated');
  two!.refused('unauthenticated');
  two!.ipmitoolRun({ command: 'raw', address: '192.0.2.1', error: null, durationMs: 20 });
  for (const metrics of [one!, two!]) {
    const text = await metrics.render();
    expect(text).toContain('passthru_refused_total{kind="unauthenticated",worker="1"} 1\n');
    expect(text).toContain('passthru_refused_total{kind="unauthenticated",worker="2"} 2\n');
    expect(text).toContain('passthru_ipmitool_duration_seconds_bucket{le="0.025",command="raw",worker="2"} 1\n');
    expect(text).toContain('passthru_ipmitool_duration_seconds_count{command="raw",worker="2"} 1\n');
    expect(text).toContain('passthru_log_lines_dropped_total{kind="log",worker="primary"} 5\n');
    expect(text.match(/^# TYPE passthru_refused_total counter$/gm)).toHaveLength(1);
    for (const name of ['process_start_time_seconds', 'nodejs_eventloop_lag_seconds']) {
      expect(text.match(new RegExp(`^${name}\\{worker="[12]"\\} \\d`, 'gm')), name).toHaveLength(2);
    }
  }
});

test('renders as many series of each metric for a worker as for a single process', async () => {
  const names = (text: string) => [...new Set([...text.matchAll(/^# TYPE (\S+)/gm)].map(([, name]) => name))].sort();
  const [worker] = createWorkers(1);
  expect(names(await worker!.render())).toEqual(names(await createMetrics().render()));
});
