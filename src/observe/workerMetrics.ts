import { AggregatorRegistry } from 'prom-client';
import type { AllReports } from '../process/primary.ts';

/** The counter of log lines that could not be written, which the primary has too. */
export const DROPPED_LINES = 'passthru_log_lines_dropped_total';

interface Value {
  value: number;
  labels: Record<string, string | number>;
}

interface Metric {
  name: string;
  values: readonly Value[];
}

/**
 * Returns the metrics of all workers in Prometheus' text format, with the label `worker`. Sums would fall when a worker is started
 * again, which Prometheus takes for a restart of all.
 */
export function renderReports({ reports, dropped }: AllReports): Promise<string> {
  const all = reports.map(({ worker, content }) => (content as Metric[]).map((metric) => withWorker(metric, worker)));
  const counter = all[0]?.find(({ name }) => name === DROPPED_LINES);
  if (counter !== undefined) {
    const values = Object.entries(dropped).map(([kind, value]) => ({ value, labels: { kind } }));
    all.push([withWorker({ ...counter, values }, 'primary')]);
  }
  // Its types lack the results of `getMetricsAsJSON`. No two values have the same labels, so that nothing is summed.
  return AggregatorRegistry.aggregate(all as never).metrics();
}

function withWorker(metric: Metric, worker: number | string): Metric & { aggregator: string } {
  const values = metric.values.map((value) => ({ ...value, labels: { ...value.labels, worker } }));
  return { ...metric, values, aggregator: 'sum' };
}
