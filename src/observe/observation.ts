// Watches the service for operators: audit, metrics, traces, and the log that they share.
import type { Refusal } from '../auth/access.ts';
import type { Config } from '../config/schema.ts';
import { type Activity, mergeActivities } from '../core/activity.ts';
import { ActivityHistory } from '../core/activityHistory.ts';
import type { Core } from '../core/core.ts';
import type { Logger } from '../core/logger.ts';
import { observers } from '../core/observer.ts';
import { parseListenAddress } from '../net/listenAddress.ts';
import type { RedfishClients } from '../redfish/index.ts';
import { createAudit } from './audit.ts';
import type { AuditSink } from './auditRecord.ts';
import { createMetrics, type Metrics } from './metrics.ts';
import { type MetricsListener, startMetricsListener } from './metricsListener.ts';
import type { DroppedLines } from './standardError.ts';
import { startTracing } from './tracing.ts';
import type { WorkerReports } from './workerReports.ts';

/** The audit, the metrics and the traces behind one interface; the service reports its work here. */
export interface Observation
  extends Pick<Metrics, 'observer' | 'bmcRequest' | 'ipmitoolRun' | 'storeFailed' | 'eventPost' | 'otherEventSender'> {
  /** Counts the requests to BMCs; the core counts the rest. */
  readonly activity: ActivityHistory;
  refused(refusal: Refusal): void;
  /**
   * Starts observing `core` and `clients`.
   * @throws kind `failed_precondition` when the address `metrics.listen` cannot be bound
   */
  begin(core: Core, clients: RedfishClients): Promise<Observed>;
  /** Stops what `begin` started and sends the last traces. Never fails. */
  close(): Promise<void>;
}

export interface Observed {
  /** The core for the APIs: changes made through it are audited, and its activity is that of all workers. */
  core: Core;
  /** The metrics for `GET /metrics` of the service; null when they have an address of their own. */
  metrics: Metrics | null;
  /** The URL at that address; null when there is none. */
  metricsUrl: string | null;
}

/**
 * @param audit receives the audit records; null turns the audit off
 * @param dropped returns the numbers of log lines dropped since the start
 * @param workers all workers; null when this is the only process
 */
export async function createObservation(
  config: Config,
  audit: AuditSink | null,
  log: Logger,
  dropped?: () => DroppedLines,
  workers: WorkerReports | null = null,
): Promise<Observation> {
  const metrics = createMetrics(dropped, workers);
  const activity = new ActivityHistory();
  workers?.onReport('activity', async () => activity.report());
  const records = audit === null ? null : createAudit(audit);
  const tracing = await startTracing(config, log);
  let listener: MetricsListener | null = null;
  const all = [metrics, records, tracing].filter((each) => each !== null).map(({ observer }) => observer);
  const refused = (refusal: Refusal) => {
    metrics.refused(refusal.error.kind);
    records?.refused(refusal);
  };
  return {
    observer: observers(...all),
    activity,
    refused,
    bmcRequest(exchange) {
      metrics.bmcRequest(exchange);
      activity.bmcRequest(exchange.durationMs);
      tracing?.bmcRequest(exchange);
    },
    ipmitoolRun(run) {
      metrics.ipmitoolRun(run);
      tracing?.ipmitoolRun(run);
    },
    storeFailed: () => metrics.storeFailed(),
    eventPost: (outcome) => metrics.eventPost(outcome),
    otherEventSender: () => metrics.otherEventSender(),
    async begin(core, clients) {
      metrics.setSources({
        load: () => core.load(),
        downBmcs: () => clients.down(),
        eventSources: () => core.eventSources.counts(),
        handoverLag: () => core.handoverLag(),
      });
      const address = config.metrics.listen;
      if (address !== null) {
        listener = await startMetricsListener(parseListenAddress(address)!, metrics, refused, log);
        log.info({ url: listener.url }, 'metrics listener started');
      }
      const shown = workers === null ? core : { ...core, activity: activityOfAll(core, workers) };
      return {
        core: records === null ? shown : records.wrap(shown),
        metrics: address === null ? metrics : null,
        metricsUrl: listener?.url ?? null,
      };
    },
    async close() {
      records?.close();
      await Promise.all([listener?.close(), tracing?.close()]);
    },
  };
}

/** Returns a function that returns the activity of all workers. */
function activityOfAll(core: Core, workers: WorkerReports): () => Promise<Activity> {
  return async () => {
    // What it notes of this moment is in the report of this worker.
    await core.activity();
    const { reports } = await workers.collectReports('activity');
    return mergeActivities(reports.map(({ content }) => content as Activity));
  };
}
