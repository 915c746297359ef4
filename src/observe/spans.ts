import {
  type Attributes,
  type Context,
  ROOT_CONTEXT,
  type Span,
  SpanKind,
  SpanStatusCode,
  type TextMapPropagator,
  type Tracer,
  trace,
} from '@opentelemetry/api';
import { type CallReport, NO_OBSERVER, type Observer, type Period } from '../core/observer.ts';
import type { IpmitoolRun } from '../drivers/ipmi/ipmitool.ts';
import { type RequestScope, requestScope } from '../edge/requestScope.ts';
import type { BmcExchange } from '../redfish/index.ts';

/** Creates the spans of the service's work. */
export interface Spans {
  readonly observer: Observer;
  /** Records the span of a completed request to a BMC. */
  bmcRequest(exchange: BmcExchange): void;
  /** Records the span of a completed ipmitool run. */
  ipmitoolRun(run: IpmitoolRun): void;
}

/**
 * Creates spans with `tracer`. A call is one span, continuing the caller's trace; the lock, the validation and each request
 * to a BMC, or run of ipmitool, are its children. A job has a trace of its own, linked to its call, because it may run for
 * hours afterwards. No span holds arguments, messages or the query of a URL.
 */
export function createSpans(tracer: Tracer, propagator: TextMapPropagator): Spans {
  const calls = new WeakMap<CallReport, Span>();
  const jobs = new Map<string, Span>();
  const child = (parent: Span, name: string, { from, to }: Period) => {
    tracer.startSpan(name, { startTime: epoch(from) }, trace.setSpan(ROOT_CONTEXT, parent)).end(epoch(to));
  };
  /** Records a request that ended now, under the span of the current call or job. */
  const client = (name: string, durationMs: number, attributes: Attributes, error: string | null) => {
    const parent = requestScope.getStore()?.span as Span | null | undefined;
    // Requests of the service's own, such as closing a session, belong to no trace.
    if (!parent?.isRecording()) return;
    const now = performance.now();
    const options = { kind: SpanKind.CLIENT, startTime: epoch(now - durationMs), attributes };
    const span = tracer.startSpan(name, options, trace.setSpan(ROOT_CONTEXT, parent));
    if (error !== null) fail(span, error);
    span.end(epoch(now));
  };

  return {
    observer: {
      ...NO_OBSERVER,
      callBegan(report) {
        const scope = requestScope.getStore();
        const attributes =
          scope === undefined ? {} : { 'passthru.request_id': scope.id, 'passthru.way': scope.protocol };
        const options = { kind: SpanKind.SERVER, startTime: epoch(report.began), attributes };
        const span = tracer.startSpan('call', options, parentContext(propagator, scope));
        calls.set(report, span);
        if (scope !== undefined) scope.span = span;
      },
      callEnded(report, { outcome, error }) {
        const span = calls.get(report);
        if (span === undefined) return;
        if (report.method !== null) span.updateName(`call ${report.driver}.${report.method}`);
        span.setAttributes({ ...describe(report), 'passthru.outcome': outcome?.kind ?? error?.kind });
        if (outcome?.kind === 'job') span.setAttribute('passthru.job', outcome.job.id);
        if (report.lock !== null) child(span, 'lock', report.lock);
        if (report.validation !== null) child(span, 'validate', report.validation);
        if (error !== null) fail(span, error.kind);
        span.end(epoch(performance.now()));
      },
      jobBegan({ id, driver, method, nodeUuid }) {
        const scope = requestScope.getStore();
        const call = scope?.span as Span | null | undefined;
        const span = tracer.startSpan(`job ${driver}.${method}`, {
          root: true,
          links: call ? [{ context: call.spanContext() }] : [],
          attributes: {
            'passthru.job': id,
            'passthru.driver': driver,
            'passthru.method': method,
            ...(nodeUuid === null ? {} : { 'passthru.node': nodeUuid }),
            ...(scope === undefined ? {} : { 'passthru.request_id': scope.id }),
          },
        });
        jobs.set(id, span);
        // The call is done: later BMC requests belong to the job.
        if (scope !== undefined) scope.span = span;
      },
      jobEnded({ id, state, error }) {
        const span = jobs.get(id);
        jobs.delete(id);
        span?.setAttribute('passthru.state', state);
        if (error !== null && span !== undefined) fail(span, error.kind);
        span?.end();
      },
    },
    bmcRequest({ origin, method, path, status, error, durationMs, vendor }) {
      const { hostname, port, protocol } = new URL(origin);
      const attributes: Attributes = {
        'http.request.method': method,
        'url.full': origin + path.split('?', 1)[0],
        'server.address': hostname,
        'server.port': port === '' ? (protocol === 'https:' ? 443 : 80) : Number(port),
      };
      if (status !== null) attributes['http.response.status_code'] = status;
      if (vendor !== null) attributes['passthru.bmc.vendor'] = vendor;
      const failed = status === null || status >= 400;
      client(
        method,
        durationMs,
        attributes,
        failed ? (error ?? (status === null ? 'cancelled' : String(status))) : null,
      );
    },
    ipmitoolRun({ command, address, error, durationMs }) {
      client(`ipmitool ${command}`, durationMs, { 'server.address': address }, error);
    },
  };
}

/** Returns the caller's trace context; the root when it sent none or a malformed one. */
function parentContext(propagator: TextMapPropagator, scope: RequestScope | undefined): Context {
  if (scope === undefined || scope.traceparent === null) return ROOT_CONTEXT;
  const { traceparent, tracestate } = scope;
  return propagator.extract(ROOT_CONTEXT, tracestate === null ? { traceparent } : { traceparent, tracestate }, HEADERS);
}

const HEADERS = {
  get: (carrier: Record<string, string>, key: string) => carrier[key],
  keys: (carrier: Record<string, string>) => Object.keys(carrier),
};

function describe({ node, driver, method, httpMethod }: CallReport): Attributes {
  const attributes: Attributes = {};
  if (node !== null) attributes['passthru.node'] = node.uuid;
  if (driver !== null) attributes['passthru.driver'] = driver;
  if (method !== null) attributes['passthru.method'] = method;
  if (httpMethod !== null) attributes['passthru.http_method'] = httpMethod;
  return attributes;
}

/** Marks a span as failed, without the message, which may quote a BMC. */
function fail(span: Span, kind: string): void {
  span.setAttribute('error.type', kind);
  span.setStatus({ code: SpanStatusCode.ERROR });
}

/** Converts a time of the monotonic clock to milliseconds since 1970. */
function epoch(time: number): number {
  return Date.now() - (performance.now() - time);
}
