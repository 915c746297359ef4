import { Counter, collectDefaultMetrics, Gauge, Histogram, Registry } from 'prom-client';
import type { Load } from '../core/core.ts';
import type { ErrorKind } from '../core/errors.ts';
import { NO_OBSERVER, type Observer } from '../core/observer.ts';
import type { IpmitoolRun } from '../drivers/ipmi/ipmitool.ts';
import type { BmcExchange } from '../redfish/index.ts';
import { CallMetrics, DURATION_BUCKETS } from './callMetrics.ts';
import { vendorLabel } from './vendorLabel.ts';

/** The sources of the gauges, queried whenever the metrics are read. */
export interface MetricsSources {
  load(): Load;
  /** The vendor of each BMC that is down. */
  downBmcs(): (string | null)[];
}

/** The metrics of this process, for Prometheus. */
export interface Metrics {
  readonly observer: Observer;
  readonly mediaType: string;
  /** Counts a request to a BMC. */
  bmcRequest(exchange: BmcExchange): void;
  /** Counts a run of ipmitool. */
  ipmitoolRun(run: IpmitoolRun): void;
  /** Counts a request that authentication or authorization refused. */
  refused(kind: ErrorKind): void;
  /** Counts a store operation that failed because the database was unavailable. */
  storeFailed(): void;
  /** Sets the sources of the gauges, which have no value before. */
  setSources(sources: MetricsSources): void;
  /** Returns all metrics in Prometheus' text format. */
  render(): Promise<string>;
}

/** Histogram buckets of jobs, which may take hours; seconds. */
const JOB_DURATION_BUCKETS = [0.1, 0.5, 1, 5, 10, 30, 60, 300, 900, 1800, 3600, 14_400];

/**
 * Creates the metrics. Labels are bounded: only loaded drivers and methods have a label of their own, whatever callers
 * send, and there is no label per node.
 */
export function createMetrics(): Metrics {
  const registry = new Registry();
  collectDefaultMetrics({ register: registry });
  const registers = [registry];
  const counter = <L extends string>(name: string, help: string, ...labelNames: L[]) =>
    new Counter({ name, help, labelNames, registers });
  const histogram = <L extends string>(name: string, help: string, buckets: number[], ...labelNames: L[]) =>
    new Histogram({ name, help, buckets, labelNames, registers });
  let sources: MetricsSources | null = null;
  const gauge = (name: string, help: string, value: (load: Load) => number) =>
    new Gauge({
      name,
      help,
      registers,
      collect() {
        if (sources !== null) this.set(value(sources.load()));
      },
    });

  const calls = new CallMetrics(registry);
  const errors = counter('passthru_errors_total', 'Failed calls and jobs, by kind of error.', 'kind');
  const refused = counter(
    'passthru_refused_total',
    'Requests refused by authentication or authorization, by kind of error.',
    'kind',
  );
  const lockWait = histogram(
    'passthru_lock_wait_seconds',
    'Time that calls waited for a locked node before they got it.',
    DURATION_BUCKETS,
  );
  const lockConflicts = counter(
    'passthru_lock_conflicts_total',
    'Failed attempts to reserve a node, because it stayed locked.',
  );
  const jobsAccepted = counter('passthru_jobs_accepted_total', 'Accepted jobs.', 'driver', 'method');
  const jobsEnded = counter('passthru_jobs_ended_total', 'Ended jobs, by state.', 'driver', 'method', 'state');
  const jobDuration = histogram(
    'passthru_job_duration_seconds',
    'Duration of jobs.',
    JOB_DURATION_BUCKETS,
    'driver',
    'method',
  );
  gauge('passthru_jobs_running', 'Running jobs.', (load) => load.runningJobs);
  gauge('passthru_workers_busy', 'Busy workers.', (load) => load.busyWorkers);
  gauge('passthru_workers_limit', 'Number of workers (workers_pool_size).', (load) => load.workers);
  gauge('passthru_watch_streams', 'Open streams that watch a job.', (load) => load.watches);
  const bmcRequests = counter(
    'passthru_bmc_requests_total',
    'Requests to BMCs by class of status; none: no response.',
    'vendor',
    'method',
    'status',
  );
  const bmcDuration = histogram(
    'passthru_bmc_request_duration_seconds',
    'Duration of requests to BMCs.',
    DURATION_BUCKETS,
    'vendor',
    'method',
  );
  const bmcErrors = counter(
    'passthru_bmc_errors_total',
    'Requests to BMCs without a response, by kind of error.',
    'vendor',
    'kind',
  );
  const ipmitoolRuns = counter(
    'passthru_ipmitool_runs_total',
    'Runs of ipmitool by outcome: done, or the kind of error.',
    'command',
    'outcome',
  );
  const ipmitoolDuration = histogram(
    'passthru_ipmitool_duration_seconds',
    'Duration of ipmitool runs.',
    DURATION_BUCKETS,
    'command',
  );
  new Gauge({
    name: 'passthru_bmcs_down',
    help: 'BMCs considered down; calls to them fail immediately.',
    labelNames: ['vendor'],
    registers,
    collect() {
      this.reset();
      for (const vendor of sources?.downBmcs() ?? []) this.inc({ vendor: vendorLabel(vendor) });
    },
  });
  const storeErrors = counter(
    'passthru_store_errors_total',
    'Store operations that failed because the database was unavailable.',
  );
  const leasesLost = counter('passthru_leases_lost_total', 'Leases of this process that expired before their renewal.');

  return {
    observer: {
      ...NO_OBSERVER,
      callEnded(report, { outcome, error }) {
        const seconds = (performance.now() - report.began) / 1000;
        // Unknown drivers and methods share one label, because callers choose their names.
        calls.count(
          report.driver ?? 'unknown',
          report.method ?? 'unknown',
          outcome === null ? error.kind : outcome.kind,
          seconds,
        );
        if (error !== null) errors.inc({ kind: error.kind });
      },
      jobBegan({ driver, method }) {
        jobsAccepted.inc({ driver, method });
      },
      jobEnded({ driver, method, state, createTime, endTime, error }) {
        jobsEnded.inc({ driver, method, state });
        const end = endTime ?? new Date();
        jobDuration.observe({ driver, method }, Math.max(0, end.getTime() - createTime.getTime()) / 1000);
        if (error !== null) errors.inc({ kind: error.kind });
      },
      lockTaken: (waited) => lockWait.observe(waited / 1000),
      lockRefused: () => lockConflicts.inc(),
      leaseLost: () => leasesLost.inc(),
    },
    mediaType: registry.contentType,
    bmcRequest({ vendor, method, status, error, durationMs }) {
      const labels = { vendor: vendorLabel(vendor), method };
      bmcRequests.inc({ ...labels, status: status === null ? 'none' : `${Math.floor(status / 100)}xx` });
      bmcDuration.observe(labels, durationMs / 1000);
      if (error !== null) bmcErrors.inc({ vendor: labels.vendor, kind: error });
    },
    ipmitoolRun({ command, error, durationMs }) {
      ipmitoolRuns.inc({ command, outcome: error ?? 'done' });
      ipmitoolDuration.observe({ command }, durationMs / 1000);
    },
    refused: (kind) => refused.inc({ kind }),
    storeFailed: () => storeErrors.inc(),
    setSources(given) {
      sources = given;
    },
    render: () => registry.metrics(),
  };
}
