import type { Refusal } from '../auth/access.ts';
import type { Config } from '../config/schema.ts';
import type { Core } from '../core/core.ts';
import type { Logger } from '../core/logger.ts';
import { type Observer, observers } from '../core/observer.ts';
import type { IpmitoolRun } from '../drivers/ipmi/ipmitool.ts';
import { parseListenAddress } from '../net/listenAddress.ts';
import type { BmcExchange, RedfishClients } from '../redfish/index.ts';
import type { MetricsPage } from '../rest/context.ts';
import { createAudit } from './audit.ts';
import type { AuditSink } from './auditRecord.ts';
import { createMetrics } from './metrics.ts';
import { type MetricsListener, startMetricsListener } from './metricsListener.ts';
import { startTracing } from './tracing.ts';

/** All that looks at the service: the audit, the figures and the traces. The service tells it what it does. */
export interface Observation {
  readonly observer: Observer;
  refused(refusal: Refusal): void;
  bmcRequest(exchange: BmcExchange): void;
  ipmitoolRun(run: IpmitoolRun): void;
  storeTrouble(): void;
  /**
   * Begins to look at what is there now.
   * @throws kind `failed_precondition` when `metrics.listen` cannot be listened at
   */
  begin(core: Core, clients: RedfishClients): Promise<Observed>;
  /** Ends what `begin` began, and sends the last traces. Never fails. */
  close(): Promise<void>;
}

export interface Observed {
  /** The core for the ways in: what changes something is audited. */
  core: Core;
  /** What GET /metrics answers; null when the figures have an address of their own. */
  metrics: MetricsPage | null;
  /** That address; null when there is none. */
  metricsUrl: string | null;
}

/** @param audit where the audit's records go; null for nowhere */
export async function createObservation(config: Config, audit: AuditSink | null, log: Logger): Promise<Observation> {
  const metrics = createMetrics();
  const records = audit === null ? null : createAudit(audit);
  const { otlp_endpoint: otlpEndpoint, sample_percent: samplePercent } = config.tracing;
  const tracing =
    otlpEndpoint === null ? null : await startTracing({ otlpEndpoint, samplePercent, host: config.host }, log);
  let listener: MetricsListener | null = null;
  const all = [metrics, records, tracing].filter((each) => each !== null).map(({ observer }) => observer);
  const refused = (refusal: Refusal) => {
    metrics.refused(refusal.error.kind);
    records?.refused(refusal);
  };
  return {
    observer: observers(...all),
    refused,
    bmcRequest(exchange) {
      metrics.bmcRequest(exchange);
      tracing?.bmcRequest(exchange);
    },
    ipmitoolRun(run) {
      metrics.ipmitoolRun(run);
      tracing?.ipmitoolRun(run);
    },
    storeTrouble: () => metrics.storeTrouble(),
    async begin(core, clients) {
      metrics.read({ load: () => core.load(), downBmcs: () => clients.down() });
      const own = config.metrics.listen;
      if (own !== null) {
        listener = await startMetricsListener(parseListenAddress(own)!, metrics, refused, log);
        log.info({ url: listener.url }, 'the figures have an address of their own');
      }
      return {
        core: records === null ? core : records.wrap(core),
        metrics: own === null ? metrics : null,
        metricsUrl: listener?.url ?? null,
      };
    },
    async close() {
      records?.close();
      await Promise.all([listener?.close(), tracing?.close()]);
    },
  };
}
