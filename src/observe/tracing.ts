import type { SpanProcessor } from '@opentelemetry/sdk-trace';
import packageJson from '../../package.json' with { type: 'json' };
import type { Logger } from '../core/logger.ts';
import type { Spans } from './spans.ts';

export interface TracingSettings {
  /** Where a collector takes OTLP over HTTP; `/v1/traces` is added unless it ends so. */
  otlpEndpoint: string;
  /** Of so many in a hundred traces that begin here. What a caller has sampled, or not, stays so. */
  samplePercent: number;
  /** The name that reservations of this process show. */
  host: string;
}

export interface Tracing extends Spans {
  /** Sends what is not sent yet, for a few seconds at most. Never fails. */
  close(): Promise<void>;
}

/** Milliseconds for one request to the collector. */
const EXPORT_TIMEOUT = 5000;

/** Loads OpenTelemetry's SDK and sends the spans of the service to a collector. */
export async function startTracing(settings: TracingSettings, log: Logger): Promise<Tracing> {
  const [{ BatchSpanProcessor }, { OTLPTraceExporter }] = await Promise.all([
    import('@opentelemetry/sdk-trace'),
    import('@opentelemetry/exporter-trace-otlp-http'),
  ]);
  const exporter = new OTLPTraceExporter({ url: tracesUrl(settings.otlpEndpoint), timeoutMillis: EXPORT_TIMEOUT });
  return startTracingTo(new BatchSpanProcessor({ exporter, exportTimeoutMillis: EXPORT_TIMEOUT }), settings, log);
}

/** As `startTracing`, with the spans given to `processor`. */
export async function startTracingTo(
  processor: SpanProcessor,
  { samplePercent, host }: Omit<TracingSettings, 'otlpEndpoint'>,
  log: Logger,
): Promise<Tracing> {
  const [api, sdk, { W3CTraceContextPropagator }, { defaultResource, resourceFromAttributes }, spans, sampler] =
    await Promise.all([
      import('@opentelemetry/api'),
      import('@opentelemetry/sdk-trace'),
      import('@opentelemetry/core'),
      import('@opentelemetry/resources'),
      import('./spans.ts'),
      import('./linkedSampler.ts'),
    ]);
  const tell = (message: string) => log.warn({ detail: message }, 'traces cannot be sent');
  const ignore = () => {};
  api.diag.setLogger({ error: tell, warn: tell, info: ignore, debug: ignore, verbose: ignore }, api.DiagLogLevel.WARN);
  const root = new sdk.ParentBasedSampler({ root: new sdk.TraceIdRatioBasedSampler(samplePercent / 100) });
  const { RECORD_AND_SAMPLED: sampled, NOT_RECORD: dropped } = sdk.SamplingDecision;
  const { version } = packageJson;
  const provider = new sdk.TracerProvider({
    sampler: sampler.linkedSampler(root, { sampled, dropped }),
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
        log.warn({ err: error }, 'the last traces could not be sent');
      }
    },
  };
}

function tracesUrl(endpoint: string): string {
  const base = endpoint.replace(/\/+$/, '');
  return base.endsWith('/v1/traces') ? base : `${base}/v1/traces`;
}
