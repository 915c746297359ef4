import { once } from 'node:events';
import { request as requestHttp1 } from 'node:http';
import { connect } from 'node:http2';

/** One request, as all load generators can send it. */
export interface Request {
  method: 'GET' | 'POST';
  path: string;
  headers: Record<string, string>;
  body: Buffer;
}

/** Requests that a load generator sends in turn, for as long as a round lasts. */
export interface Work {
  tool: 'wrk' | 'h2load' | 'ghz';
  requests: Request[];
  connections: number;
  /** Requests at once on a connection: 1 over HTTP/1.1. */
  streams: number;
}

/** HTTP/1.1. */
export function http1(requests: Request[], connections = 16): Work {
  return { tool: 'wrk', requests, connections, streams: 1 };
}

/** HTTP/2: 32 calls at once, on 4 connections. ghz sends several messages in turn, h2load one. */
export function http2(requests: Request[]): Work {
  return { tool: requests.length === 1 ? 'h2load' : 'ghz', requests, connections: 4, streams: 8 };
}

/** What one round of load was answered with. */
export interface Load {
  requests: number;
  seconds: number;
  /** The 99th percentile of the response times in ms; null where the tool gives none. */
  p99: number | null;
  /** Responses that were not what they had to be, and why. */
  faults: string[];
}

/** A response. */
export interface Sample {
  status: number;
  contentType: string;
  body: Buffer;
  grpcStatus: string | undefined;
}

/** Sends one request the way `work` does. */
export function sample(url: string, work: Work, request: Request = work.requests[0]!): Promise<Sample> {
  return work.tool === 'wrk' ? sampleHttp1(url, request) : sampleHttp2(url, request);
}

async function sampleHttp1(url: string, { method, path, headers, body }: Request): Promise<Sample> {
  const request = requestHttp1(url + path, { method, headers, agent: false });
  request.end(body);
  const [response] = await once(request, 'response');
  const bytes = await collect(response);
  const contentType = response.headers['content-type'] ?? '';
  return { status: response.statusCode, contentType, body: bytes, grpcStatus: undefined };
}

async function sampleHttp2(url: string, { method, path, headers, body }: Request): Promise<Sample> {
  const session = connect(url);
  const stream = session.request({ ':method': method, ':path': path, ...headers });
  stream.end(body);
  const trailers = once(stream, 'trailers');
  trailers.catch(() => {});
  const [response] = await once(stream, 'response');
  const bytes = await collect(stream);
  const grpcStatus = response['grpc-status'] ?? (await trailers)[0]['grpc-status'];
  session.close();
  return { status: response[':status'], contentType: response['content-type'] ?? '', body: bytes, grpcStatus };
}

async function collect(stream: AsyncIterable<Buffer>): Promise<Buffer> {
  const chunks: Buffer[] = [];
  for await (const chunk of stream) chunks.push(chunk);
  return Buffer.concat(chunks);
}
