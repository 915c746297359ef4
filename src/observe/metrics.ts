import { Counter, collectDefaultMetrics, Gauge, Histogram, Registry } from 'prom-client';
import type { Load } from '../core/core.ts';
import type { ErrorKind } from '../core/errors.ts';
import { EVENT_SOURCE_STATES, type EventSourceState } from '../core/events/eventSource.ts';
import type { HandoverLag } from '../core/events/handover/handoverStore.ts';
import { NO_OBSERVER, type Observer } from '../core/observer.ts';
import type { IpmitoolRun } from '../drivers/ipmi/ipmitool.ts';
import type { PostOutcome } from '../events/receiver.ts';
import type { BmcExchange } from '../redfish/index.ts';
import { CallMetrics, DURATION_BUCKETS } from './callMetrics.ts';
import type { DroppedLines } from './standardError.ts';
import { DROPPED_LINES, renderReports } from './workerMetrics.ts';
import type { WorkerReports } from './workerReports.ts';

/** The sources of the gauges, queried whenever the metrics are read. */
interface MetricsSources {
  load(): Load;
  /** The vendor of each BMC that is down. */
  downBmcs(): (string | null)[];
  /** The number of event sources in each state. */
  eventSources(): Promise<{ state: EventSourceState; count: number }[]>;
  /** How far the hand-over of events is behind; null without one. */
  handoverLag(): Promise<HandoverLag | null>;
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
  /** Counts a post to the receiver of events. */
  eventPost(outcome: PostOutcome): void;
  /** Counts a post that was taken from another address than that of its BMC. */
  otherEventSender(): void;
  /** Counts a store operation that failed because the database was unavailable. */
  storeFailed(): void;
  /** Sets the sources of the gauges, which have no value before. */
  setSources(sources: MetricsSources): void;
  /** Returns all metrics, those of the other workers included, in Prometheus' text format. */
  render(): Promise<string>;
}

/** Histogram buckets of jobs, which may take hours; seconds. */
const JOB_DURATION_BUCKETS = [0.1, 0.5, 1, 5, 10, 30, 60, 300, 900, 1800, 3600, 14_400];

/** The help and the labels of each counter; `CallMetrics` has another. */
const COUNTERS = {
  passthru_errors_total: ['Failed calls and jobs, by kind of error.', 'kind'],
  passthru_refused_total: ['Requests refused by authentication or authorization, by kind of error.', 'kind'],
  passthru_lock_conflicts_total: ['Failed attempts to reserve a node, because it stayed locked.'],
  passthru_jobs_accepted_total: ['Accepted jobs.', 'driver', 'method'],
  passthru_jobs_ended_total: ['Ended jobs, by state.', 'driver', 'method', 'state'],
  passthru_bmc_requests_total: [
    'Requests to BMCs by class of status; none: no response.',
    'vendor',
    'method',
    'status',
  ],
  passthru_bmc_errors_total: ['Requests to BMCs without a response, by kind of error.', 'vendor', 'kind'],
  passthru_ipmitool_runs_total: ['Runs of ipmitool by outcome: done, or the kind of error.', 'command', 'outcome'],
  passthru_event_posts_total: ['Requests to the receiver of events, by outcome.', 'outcome'],
  passthru_event_other_senders_total: ['Posts of events that were taken from another address than that of their BMC.'],
  passthru_events_stored_total: ['Stored events, by kind and severity.', 'kind', 'severity'],
  passthru_events_repeated_total: ['Events that were delivered again, and not stored again.'],
  passthru_webhook_events_total: [
    'Events for events.webhook.url: delivered, skipped or missed; failed and refused attempts are repeated.',
    'outcome',
  ],
  passthru_store_errors_total: ['Store operations that failed because the database was unavailable.'],
  passthru_leases_lost_total: ['Leases of this process that expired before their renewal.'],
};

/** As `COUNTERS`; `CallMetrics` has another. */
const HISTOGRAMS = {
  passthru_lock_wait_seconds: ['Time that calls waited for a locked node before they got it.'],
  passthru_job_duration_seconds: ['Duration of jobs.', 'driver', 'method'],
  passthru_bmc_request_duration_seconds: ['Duration of requests to BMCs.', 'vendor', 'method'],
  passthru_ipmitool_duration_seconds: ['Duration of ipmitool runs.', 'command'],
};

/** The help and the value of each gauge without labels. */
const GAUGES: Readonly<Record<string, [string, (load: Load) => number]>> = {
  passthru_jobs_running: ['Running jobs.', (load) => load.runningJobs],
  passthru_workers_busy: ['Busy workers.', (load) => load.busyWorkers],
  passthru_workers_limit: ['Number of workers (workers_pool_size).', (load) => load.workers],
  passthru_watch_streams: ['Open streams that watch jobs, nodes or events.', (load) => load.watches],
};

/**
 * Creates the metrics. Labels are bounded: only loaded drivers and methods have their own label, regardless of what
 * callers send, and there is no label per node.
 * @param dropped returns the numbers of log lines dropped since the start
 * @param workers all workers; null when this is the only process
 */
export function createMetrics(
  dropped: () => DroppedLines = () => ({ log: 0, audit: 0 }),
  workers: WorkerReports | null = null,
): Metrics {
  const registry = new Registry();
  workers?.onReport('metrics', () => registry.getMetricsAsJSON());
  collectDefaultMetrics({ register: registry });
  const registers = [registry];
  let sources: MetricsSources | null = null;
  const calls = new CallMetrics(registry);
  const counters = mapEntries(COUNTERS, (name, [help, ...labelNames]) => {
    return new Counter({ name, help: help!, labelNames, registers });
  });
  const histograms = mapEntries(HISTOGRAMS, (name, [help, ...labelNames]) => {
    const buckets = name === 'passthru_job_duration_seconds' ? JOB_DURATION_BUCKETS : DURATION_BUCKETS;
    return new Histogram({ name, help: help!, labelNames, buckets, registers });
  });
  for (const [name, [help, value]] of Object.entries(GAUGES)) {
    const collect = function (this: Gauge) {
      if (sources !== null) this.set(value(sources.load()));
    };
    new Gauge({ name, help, registers, collect });
  }
  new Counter({
    name: DROPPED_LINES,
    help: 'Lines of the log and records of the audit that could not be written to standard error.',
    labelNames: ['kind'],
    registers,
    collect() {
      this.reset();
      for (const [kind, count] of Object.entries(dropped())) this.inc({ kind }, count);
    },
  });
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
  registerEventGauges(registry, () => sources);

  return {
    observer: {
      ...NO_OBSERVER,
      callEnded({ began, driver, method }, { outcome, error }) {
        const seconds = (performance.now() - began) / 1000;
        // Unknown drivers and methods share one label, because callers choose their names.
        calls.count(driver ?? 'unknown', method ?? 'unknown', outcome === null ? error.kind : outcome.kind, seconds);
        if (error !== null) counters.passthru_errors_total.inc({ kind: error.kind });
      },
      jobBegan({ driver, method }) {
        counters.passthru_jobs_accepted_total.inc({ driver, method });
      },
      jobEnded({ driver, method, state, createTime, endTime, error }) {
        counters.passthru_jobs_ended_total.inc({ driver, method, state });
        const seconds = ((endTime ?? new Date()).getTime() - createTime.getTime()) / 1000;
        histograms.passthru_job_duration_seconds.observe({ driver, method }, Math.max(0, seconds));
        if (error !== null) counters.passthru_errors_total.inc({ kind: error.kind });
      },
      lockTaken: (waited) => histograms.passthru_lock_wait_seconds.observe(waited / 1000),
      lockRefused: () => counters.passthru_lock_conflicts_total.inc(),
      leaseLost: () => counters.passthru_leases_lost_total.inc(),
      eventsStored(events, repeated) {
        for (const { content } of events) {
          const severity = content.kind === 'gap' ? null : content.severity;
          counters.passthru_events_stored_total.inc({ kind: content.kind, severity: severity ?? 'none' });
        }
        counters.passthru_events_repeated_total.inc(repeated);
      },
      eventsHandedOver: (outcome, count) => counters.passthru_webhook_events_total.inc({ outcome }, count),
    },
    mediaType: registry.contentType,
    bmcRequest({ vendor, method, status, error, durationMs }) {
      const labels = { vendor: vendorLabel(vendor), method };
      counters.passthru_bmc_requests_total.inc({
        ...labels,
        status: status === null ? 'none' : `${Math.floor(status / 100)}xx`,
      });
      histograms.passthru_bmc_request_duration_seconds.observe(labels, durationMs / 1000);
      if (error !== null) counters.passthru_bmc_errors_total.inc({ vendor: labels.vendor, kind: error });
    },
    ipmitoolRun({ command, error, durationMs }) {
      counters.passthru_ipmitool_runs_total.inc({ command, outcome: error ?? 'done' });
      histograms.passthru_ipmitool_duration_seconds.observe({ command }, durationMs / 1000);
    },
    refused: (kind) => counters.passthru_refused_total.inc({ kind }),
    eventPost: (outcome) => counters.passthru_event_posts_total.inc({ outcome }),
    otherEventSender: () => counters.passthru_event_other_senders_total.inc(),
    storeFailed: () => counters.passthru_store_errors_total.inc(),
    setSources(given) {
      sources = given;
    },
    render: async () =>
      workers === null ? registry.metrics() : renderReports(await workers.collectReports('metrics')),
  };
}

function mapEntries<K extends string, V, T>(entries: Record<K, V>, make: (name: string, value: V) => T) {
  const made = Object.entries<V>(entries).map(([name, value]) => [name, make(name, value)]);
  return Object.fromEntries(made) as Record<K, T>;
}

/** Registers the gauges of what the store has about events. They have no value while the store cannot be reached. */
function registerEventGauges(registry: Registry, sources: () => MetricsSources | null): void {
  const registers = [registry];
  new Gauge({
    name: 'passthru_event_sources',
    help: 'Event sources by state, the same on all replicas.',
    labelNames: ['state'],
    registers,
    async collect() {
      this.reset();
      const counts = await sources()
        ?.eventSources()
        .catch(() => null);
      if (counts == null) return;
      for (const state of EVENT_SOURCE_STATES) {
        this.set({ state }, counts.find((each) => each.state === state)?.count ?? 0);
      }
    },
  });
  const lag: Record<string, [string, (lag: HandoverLag) => number]> = {
    passthru_webhook_lag_events: [
      'Stored events that were not delivered to events.webhook.url yet.',
      ({ events }) => events,
    ],
    passthru_webhook_lag_seconds: [
      'The age of the oldest of them.',
      ({ oldest }) => (oldest === null ? 0 : Math.max(0, Date.now() - oldest.getTime()) / 1000),
    ],
  };
  for (const [name, [help, value]] of Object.entries(lag)) {
    new Gauge({
      name,
      help,
      registers,
      async collect() {
        this.remove();
        const behind = await sources()
          ?.handoverLag()
          .catch(() => null);
        if (behind != null) this.set(value(behind));
      },
    });
  }
}

/** The vendors with a label of their own. A closed list, because a BMC may report any text. */
const VENDORS: readonly [RegExp, string][] = [
  [/dell/i, 'dell'],
  [/hpe|hewlett/i, 'hpe'],
  [/lenovo/i, 'lenovo'],
  [/super ?micro/i, 'supermicro'],
  [/fujitsu/i, 'fujitsu'],
  [/cisco/i, 'cisco'],
  [/inspur/i, 'inspur'],
  [/huawei|xfusion/i, 'huawei'],
  [/nvidia/i, 'nvidia'],
  [/\bami\b|megatrends/i, 'ami'],
  [/openbmc/i, 'openbmc'],
];

/**
 * Returns the metrics label for a vendor: one of a few words, `other`, or `unknown` when the vendor is not known.
 * @param vendor ServiceRoot.Vendor (DSP2046); null while it has not been read
 */
export function vendorLabel(vendor: string | null): string {
  if (vendor === null) return 'unknown';
  return VENDORS.find(([pattern]) => pattern.test(vendor))?.[1] ?? 'other';
}
