import { Counter, collectDefaultMetrics, Gauge, Histogram, Registry } from 'prom-client';
import type { Load } from '../core/core.ts';
import type { ErrorKind } from '../core/errors.ts';
import { NO_OBSERVER, type Observer } from '../core/observer.ts';
import type { IpmitoolRun } from '../drivers/ipmi/ipmitool.ts';
import type { BmcExchange } from '../redfish/index.ts';
import { CallFigures } from './callMetrics.ts';
import { DURATIONS } from './durations.ts';
import { vendorLabel } from './vendorLabel.ts';

/** Where the figures come from that are asked for when they are read. */
export interface MetricsSources {
  load(): Load;
  /** The vendor of each BMC that is down. */
  downBmcs(): (string | null)[];
}

/** The figures of this process, for Prometheus. */
export interface Metrics {
  readonly observer: Observer;
  readonly mediaType: string;
  /** Counts a request to a BMC. */
  bmcRequest(exchange: BmcExchange): void;
  /** Counts a run of ipmitool. */
  ipmitoolRun(run: IpmitoolRun): void;
  /** Counts a caller who was not let in. */
  refused(kind: ErrorKind): void;
  /** Counts a step of the store that failed because the database cannot be used. */
  storeTrouble(): void;
  /** From now on the sources are asked too. */
  read(sources: MetricsSources): void;
  /** All of it in Prometheus' text format. */
  render(): Promise<string>;
}

/** Jobs may take hours. Seconds. */
const JOB_DURATIONS = [0.1, 0.5, 1, 5, 10, 30, 60, 300, 900, 1800, 3600, 14_400];

/**
 * Makes the figures. Labels are bounded: drivers and methods are those that are loaded, whatever callers ask for, and
 * nothing is told apart by node.
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

  const calls = new CallFigures(registry);
  const errors = counter('passthru_errors_total', 'Calls and jobs that failed, by the kind of the error.', 'kind');
  const refused = counter('passthru_refused_total', 'Requests of callers who were not let in.', 'kind');
  const lockWait = histogram(
    'passthru_lock_wait_seconds',
    'How long calls waited for a node that another had, and got it.',
    DURATIONS,
  );
  const lockConflicts = counter('passthru_lock_conflicts_total', 'Attempts to reserve a node that another kept.');
  const jobsAccepted = counter('passthru_jobs_accepted_total', 'Jobs that were accepted.', 'driver', 'method');
  const jobsEnded = counter('passthru_jobs_ended_total', 'Jobs that ended, by state.', 'driver', 'method', 'state');
  const jobDuration = histogram(
    'passthru_job_duration_seconds',
    'How long jobs ran.',
    JOB_DURATIONS,
    'driver',
    'method',
  );
  gauge('passthru_jobs_running', 'Jobs that run.', (load) => load.runningJobs);
  gauge('passthru_workers_busy', 'Workers that are taken.', (load) => load.busyWorkers);
  gauge('passthru_workers_limit', 'Workers that there are (workers_pool_size).', (load) => load.workers);
  gauge('passthru_watch_streams', 'Streams that follow a job.', (load) => load.watches);
  const bmcRequests = counter(
    'passthru_bmc_requests_total',
    'Requests to BMCs by the class of the status; none: there was no answer.',
    'vendor',
    'method',
    'status',
  );
  const bmcDuration = histogram(
    'passthru_bmc_request_duration_seconds',
    'How long requests to BMCs took.',
    DURATIONS,
    'vendor',
    'method',
  );
  const bmcErrors = counter('passthru_bmc_errors_total', 'Requests to BMCs without an answer.', 'vendor', 'kind');
  const ipmitoolRuns = counter(
    'passthru_ipmitool_runs_total',
    'Runs of ipmitool by what they came to: done, or the kind of the error.',
    'command',
    'outcome',
  );
  const ipmitoolDuration = histogram(
    'passthru_ipmitool_duration_seconds',
    'How long runs of ipmitool took.',
    DURATIONS,
    'command',
  );
  new Gauge({
    name: 'passthru_bmcs_down',
    help: 'BMCs that count as down, so that calls to them fail at once.',
    labelNames: ['vendor'],
    registers,
    collect() {
      this.reset();
      for (const vendor of sources?.downBmcs() ?? []) this.inc({ vendor: vendorLabel(vendor) });
    },
  });
  const storeErrors = counter('passthru_store_errors_total', 'Steps of the store that the database failed.');
  const leasesLost = counter('passthru_leases_lost_total', 'Leases of this process that ran out before their renewal.');

  return {
    observer: {
      ...NO_OBSERVER,
      callEnded(report, { outcome, error }) {
        const seconds = (performance.now() - report.began) / 1000;
        // What a caller named and is not there has no label of its own.
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
    storeTrouble: () => storeErrors.inc(),
    read(given) {
      sources = given;
    },
    render: () => registry.metrics(),
  };
}
