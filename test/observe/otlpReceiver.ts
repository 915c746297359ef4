import { once } from 'node:events';
import { createServer, type IncomingHttpHeaders } from 'node:http';
import type { AddressInfo } from 'node:net';
import { text } from 'node:stream/consumers';

/** A span as OTLP has it in JSON (opentelemetry-proto, trace/v1), with its attributes as an object. */
export interface ReceivedSpan {
  name: string;
  traceId: string;
  spanId: string;
  parentSpanId?: string;
  kind: number;
  attributes: Record<string, unknown>;
  status: { code?: number; message?: string };
  links?: { traceId: string; spanId: string }[];
}

/** An OTLP/HTTP receiver, as a collector has it. */
export interface OtlpReceiver extends AsyncDisposable {
  url: string;
  spans: ReceivedSpan[];
  /** The received bodies. */
  bodies: string[];
  requests: { path: string | undefined; headers: IncomingHttpHeaders }[];
  /** The attributes of the sender. */
  resource: Record<string, unknown>;
}

/** Starts one on loopback. It responds as specified, with 200 and an empty ExportTraceServiceResponse. */
export async function startOtlpReceiver(): Promise<OtlpReceiver> {
  const server = createServer(async (request, response) => {
    const body = await text(request);
    receiver.bodies.push(body);
    receiver.requests.push({ path: request.url, headers: request.headers });
    for (const { resource, scopeSpans } of JSON.parse(body).resourceSpans) {
      Object.assign(receiver.resource, valuesOf(resource.attributes));
      for (const { spans } of scopeSpans) {
        receiver.spans.push(
          ...spans.map((span: never) => ({
            ...(span as object),
            attributes: valuesOf((span as { attributes: [] }).attributes),
          })),
        );
      }
    }
    response.writeHead(200, { 'Content-Type': 'application/json' }).end('{}');
  });
  const receiver: OtlpReceiver = {
    url: '',
    spans: [],
    bodies: [],
    requests: [],
    resource: {},
    async [Symbol.asyncDispose]() {
      server.close();
      server.closeAllConnections();
      await once(server, 'close');
    },
  };
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  receiver.url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  return receiver;
}

function valuesOf(attributes: { key: string; value: object }[]): Record<string, unknown> {
  return Object.fromEntries(attributes.map(({ key, value }) => [key, Object.values(value)[0]]));
}
