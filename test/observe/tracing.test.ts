import { createClient } from '@connectrpc/connect';
import { createConnectTransport, createGrpcTransport } from '@connectrpc/connect-node';
import { SpanKind, SpanStatusCode } from '@opentelemetry/api';
import { InMemorySpanExporter, type ReadableSpan, SimpleSpanProcessor } from '@opentelemetry/sdk-trace';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { PassthruService } from '../../gen/passthru/v1/passthru_pb.ts';
import { silentLogger } from '../../src/core/logger.ts';
import { type RequestScope, requestScope } from '../../src/edge/requestScope.ts';
import { startTracingTo, type Tracing } from '../../src/observe/tracing.ts';
import { openStore } from '../../src/store/open.ts';
import { nodeCall, operator, startCoreOn, startJob, type TestCore, watchToEnd } from '../core/harness.ts';
import { startObserved } from './observedService.ts';
import { startOtlpReceiver } from './otlpReceiver.ts';

const TRACE = '0af7651916cd43dd8448eb211c80319c';
const PARENT = 'b7ad6b7169203331';
const SAMPLED = `00-${TRACE}-${PARENT}-01`;

function scopeOf(traceparent: string | null): RequestScope {
  return { id: 'req-1', protocol: 'rest', peer: null, traceparent, tracestate: null, span: null };
}

describe('the spans of the core', () => {
  let exporter: InMemorySpanExporter;
  let tracing: Tracing;
  let { core, hardware, store } = {} as TestCore;

  beforeEach(async () => {
    exporter = new InMemorySpanExporter();
    tracing = await startTracingTo(
      new SimpleSpanProcessor({ exporter }),
      { samplePercent: 100, host: 'h' },
      silentLogger,
    );
    ({ core, hardware, store } = await startCoreOn(
      await openStore('sqlite::memory:', { log: silentLogger }),
      'h',
      {},
      tracing.observer,
    ));
    await core.nodes.create({ name: 'n1', driver: 'gated' }, operator);
  });
  afterEach(async () => {
    await core.shutdown(0);
    await store.close();
    await tracing.close();
  });

  const named = (name: string) => exporter.getFinishedSpans().find((span) => span.name === name)!;
  const call = async (method: string, traceparent: string | null = null) => {
    const running = requestScope.run(scopeOf(traceparent), () => core.callNodeMethod(nodeCall(method)));
    (await hardware.call(hardware.calls.length === 0 ? 0 : hardware.calls.length - 1)).finish(null);
    return running;
  };

  test('a call is a span of its caller’s trace, with the lock and the validation under it', async () => {
    await call('exclusive', SAMPLED);
    const span = named('call gated.exclusive');
    expect(span.spanContext().traceId).toBe(TRACE);
    expect(span.parentSpanContext?.spanId).toBe(PARENT);
    expect(span.kind).toBe(SpanKind.SERVER);
    expect(span.attributes).toEqual({
      'passthru.request_id': 'req-1',
      'passthru.way': 'rest',
      'passthru.node': (await core.nodes.get('n1')).uuid,
      'passthru.driver': 'gated',
      'passthru.method': 'exclusive',
      'passthru.http_method': 'POST',
      'passthru.outcome': 'result',
    });
    for (const name of ['lock', 'validate']) {
      expect(named(name).parentSpanContext?.spanId).toBe(span.spanContext().spanId);
      expect(time(named(name).startTime)).toBeGreaterThanOrEqual(time(span.startTime) - 1);
      expect(time(named(name).endTime)).toBeLessThanOrEqual(time(span.endTime) + 1);
    }
  });

  test.each([null, 'x', `00-${'0'.repeat(32)}-${PARENT}-01`, `ff-${TRACE}-${PARENT}-01`])(
    'a call without a trace context, or with a malformed one, starts a trace: %s',
    async (traceparent) => {
      await call('exclusive', traceparent);
      expect(named('call gated.exclusive').parentSpanContext).toBeUndefined();
    },
  );

  test('a trace that the caller does not sample is not sampled here', async () => {
    await call('exclusive', `00-${TRACE}-${PARENT}-00`);
    expect(exporter.getFinishedSpans()).toEqual([]);
  });

  test('a job has its own trace, linked to its call', async () => {
    const job = await requestScope.run(scopeOf(SAMPLED), () => startJob(core, nodeCall('work')));
    (await hardware.call(0)).finish(null);
    await watchToEnd(core, job.id);
    const [from, to] = [named('call gated.work'), named('job gated.work')];
    expect(to.links.map(({ context }) => context.spanId)).toEqual([from.spanContext().spanId]);
    expect(to.spanContext().traceId).not.toBe(TRACE);
    expect(to.attributes).toMatchObject({
      'passthru.job': job.id,
      'passthru.state': 'succeeded',
      'passthru.request_id': 'req-1',
    });
    expect(from.attributes).toMatchObject({ 'passthru.job': job.id, 'passthru.outcome': 'job' });
  });

  test('the job of an unsampled call is not sampled', async () => {
    const job = await requestScope.run(scopeOf(`00-${TRACE}-${PARENT}-00`), () => startJob(core, nodeCall('work')));
    (await hardware.call(0)).finish(null);
    await watchToEnd(core, job.id);
    expect(exporter.getFinishedSpans()).toEqual([]);
  });

  test('a failed call has the kind of its error, without the message', async () => {
    await requestScope
      .run(scopeOf(null), () => core.callNodeMethod(nodeCall('exclusive', { arguments: { wrong: 'hunter2' } })))
      .catch(() => {});
    const span = named('call gated.exclusive');
    expect(span.attributes).toMatchObject({ 'error.type': 'invalid_argument', 'passthru.outcome': 'invalid_argument' });
    expect(span.status).toEqual({ code: SpanStatusCode.ERROR });
    expect(allOf(exporter.getFinishedSpans())).not.toContain('hunter2');
  });
});

describe('a service with tracing.otlp_endpoint', () => {
  test('continues traces over REST, Connect and gRPC, and sends them to the collector', async () => {
    await using receiver = await startOtlpReceiver();
    {
      await using observed = await startObserved({
        PASSTHRU_TRACING_OTLP_ENDPOINT: receiver.url,
        PASSTHRU_HOST: 'replica-7',
      });
      const headers = { traceparent: SAMPLED, tracestate: 'vendor=1' };
      await observed.send('POST', '/v1/nodes/fake-1/vendor_passthru/third_method_sync', { bar: 'meow' }, headers);
      const { url: baseUrl } = observed.service;
      for (const transport of [
        createConnectTransport({ baseUrl, httpVersion: '1.1' }),
        createGrpcTransport({ baseUrl }),
      ]) {
        const request = { node: 'fake-1', method: 'third_method_sync', arguments: { bar: 'meow' } };
        await createClient(PassthruService, transport).callNodeMethod(request, { headers });
      }
    }
    const calls = receiver.spans.filter(({ name }) => name === 'call fake-hardware.third_method_sync');
    expect(calls.map(({ traceId, parentSpanId }) => [traceId, parentSpanId])).toEqual([
      [TRACE, PARENT],
      [TRACE, PARENT],
      [TRACE, PARENT],
    ]);
    expect(calls.map(({ attributes }) => attributes['passthru.way'])).toEqual(['rest', 'connect', 'grpc']);
    expect(receiver.requests.map(({ path }) => path)).toContain('/v1/traces');
    expect(receiver.resource).toMatchObject({ 'service.name': 'passthru', 'service.instance.id': 'replica-7' });
  });

  test('sends a span under the call for each request to a BMC, without secrets and queries', async () => {
    await using receiver = await startOtlpReceiver();
    {
      await using observed = await startObserved({ PASSTHRU_TRACING_OTLP_ENDPOINT: `${receiver.url}/v1/traces` });
      const info = {
        redfish_address: observed.fleet.bmcs[0]!.url,
        redfish_username: 'marker-user',
        redfish_password: 'marker-wrong',
      };
      await observed.service.core.nodes.create({ name: 'rf-2', driver: 'redfish', driverInfo: info }, operator);
      const path = '/vendor_passthru/create_subscription';
      await observed.send('POST', `/v1/nodes/rf-1${path}`, {
        Destination: 'https://ev.example/?key=marker-query',
        HttpHeaders: [{ 'X-Key': 'marker-header' }],
      });
      await observed.send('GET', '/v1/nodes/rf-2/vendor_passthru/get_all_subscriptions?marker-query=1');
      await observed.send('GET', '/v1/nodes/rf-2/vendor_passthru/get_all_subscriptions');
    }
    const call = receiver.spans.find(({ name }) => name === 'call redfish.create_subscription')!;
    const requests = receiver.spans.filter(({ kind }) => kind === 3);
    const under = requests.filter(({ parentSpanId }) => parentSpanId === call.spanId);
    // At least the log-in and the subscription itself.
    expect(under.length).toBeGreaterThan(1);
    for (const { traceId } of under) expect(traceId).toBe(call.traceId);
    const post = under.find(
      ({ attributes }) =>
        String(attributes['url.full']).endsWith('/Subscriptions') && attributes['http.request.method'] === 'POST',
    )!;
    expect(post).toMatchObject({
      name: 'POST',
      attributes: { 'http.response.status_code': 201, 'server.address': '127.0.0.1', 'passthru.bmc.vendor': 'Contoso' },
      status: { code: 0 },
    });
    const refused = requests.find(({ attributes }) => attributes['http.response.status_code'] === 401)!;
    expect(refused).toMatchObject({ attributes: { 'error.type': '401' }, status: { code: 2 } });
    for (const { attributes } of requests) expect(attributes['url.full']).not.toContain('?');
    expect(receiver.bodies.join('')).not.toMatch(/marker/);
  });

  test('stops in time when the collector does not respond, and logs it', async () => {
    const receiver = await startOtlpReceiver();
    await receiver[Symbol.asyncDispose]();
    const observed = await startObserved({ PASSTHRU_TRACING_OTLP_ENDPOINT: receiver.url });
    expect(
      (await observed.send('POST', '/v1/nodes/fake-1/vendor_passthru/third_method_sync', { bar: 'meow' })).status,
    ).toBe(200);
    await observed[Symbol.asyncDispose]();
    expect(observed.lines).toContainEqual(
      expect.objectContaining({ level: 'warn', msg: expect.stringMatching(/traces/) }),
    );
  });
});

function time([seconds, nanoseconds]: [number, number]): number {
  return seconds * 1000 + nanoseconds / 1e6;
}

function allOf(spans: ReadableSpan[]): string {
  return JSON.stringify(spans.map(({ name, attributes, events, status }) => ({ name, attributes, events, status })));
}
