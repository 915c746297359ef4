import type { Sampler, SpanProcessor } from '@opentelemetry/sdk-trace';
import packageJson from '../../package.json' with { type: 'json' };
import type { Config } from '../config/schema.ts';
import type { Logger } from '../core/logger.ts';
import type { Spans } from './spans.ts';

export interface Tracing extends Spans {
  /** Sends the pending spans, for a few seconds at most. Never fails. */
  close(): Promise<void>;
}

/** Milliseconds for one request to the collector. */
const EXPORT_TIMEOUT = 5000;

/** Loads the OpenTelemetry SDK and exports spans to the collector of `tracing`; null when none is configured. */
export async function startTracing({ tracing, host }: Pick<Config, 'tracing' | 'host'>, log: Logger) {
  if (tracing.otlp_endpoint === null) return null;
  const [{ BatchSpanProcessor }, { OTLPTraceExporter }] = await Promise.all([
    import('@opentelemetry/sdk-trace'),
    import('@opentelemetry/exporter-trace-otlp-http'),
  ]);
  const exporter = new OTLPTraceExporter({ url: tracesUrl(tracing.otlp_endpoint), timeoutMillis: EXPORT_TIMEOUT });
  const processor = new BatchSpanProcessor({ exporter, exportTimeoutMillis: EXPORT_TIMEOUT });
  return startTracingTo(processor, { samplePercent: tracing.sample_percent, host }, log);
}

/** Starts tracing with the spans handed to `processor`; `host` is the name of this process, as in its reservations. */
export async function startTracingTo(
  processor: SpanProcessor,
  { samplePercent, host }: { samplePercent: number; host: string },
  log: Logger,
): Promise<Tracing> {
  const [api, sdk, { W3CTraceContextPropagator }, { defaultResource, resourceFromAttributes }, spans] =
    await Promise.all([
      import('@opentelemetry/api'),
      import('@opentelemetry/sdk-trace'),
      import('@opentelemetry/core'),
      import('@opentelemetry/resources'),
      import('./spans.ts'),
    ]);
  const warn = (message: string) => log.warn({ detail: message }, 'sending traces failed');
  const ignore = () => {};
  api.diag.setLogger({ error: warn, warn, info: ignore, debug: ignore, verbose: ignore }, api.DiagLogLevel.WARN);
  const root = new sdk.ParentBasedSampler({ root: new sdk.TraceIdRatioBasedSampler(samplePercent / 100) });
  const { RECORD_AND_SAMPLED: sampled, NOT_RECORD: dropped } = sdk.SamplingDecision;
  const { version } = packageJson;
  const provider = new sdk.TracerProvider({
    sampler: linkedSampler(root, { sampled, dropped }),
    resource: defaultResource().merge(
      resourceFromAttributes({
        'service.name': 'passthru',
        'service.version': version,
        'service.instance.id': host,
      }),
    ),
    spanProcessors: [processor],
  });
  return {
    ...spans.createSpans(provider.getTracer('passthru', version), new W3CTraceContextPropagator()),
    async close() {
      try {
        await provider.shutdown();
      } catch (error) {
        log.warn({ err: error }, 'sending the last traces failed');
      }
    },
  };
}

/**
 * Returns a sampler that decides as `inner`, except that a span with links follows the first linked span: a job is sampled
 * when its call is.
 * @param decisions the SDK's values, passed in because the SDK is loaded only when tracing is configured
 */
function linkedSampler(inner: Sampler, decisions: { sampled: number; dropped: number }): Sampler {
  return {
    shouldSample(context, traceId, name, kind, attributes, links) {
      const [link] = links;
      if (link === undefined) return inner.shouldSample(context, traceId, name, kind, attributes, links);
      return { decision: (link.context.traceFlags & 1) === 1 ? decisions.sampled : decisions.dropped };
    },
    toString: () => `LinkedSampler{${inner}}`,
  };
}

function tracesUrl(endpoint: string): string {
  const base = endpoint.replace(/\/+$/, '');
  return base.endsWith('/v1/traces') ? base : `${base}/v1/traces`;
}
