import { request as startRequest } from 'node:http';

/** A request of a test. Unlike with fetch, the path is sent unchanged. */
export interface Sent {
  method?: string;
  path: string;
  headers?: Record<string, string>;
  /** Sent as JSON. */
  body?: unknown;
  /** Sent unchanged. */
  rawBody?: string | Uint8Array;
}

export interface RestResponse {
  status: number;
  headers: Record<string, string | string[] | undefined>;
  bytes: Buffer;
  text: string;
  /** The body as JSON; undefined when it is not JSON. */
  // biome-ignore lint/suspicious/noExplicitAny: tests look into documents of every shape
  json: any;
  /** The document inside `error_message`; undefined when there is none. */
  // biome-ignore lint/suspicious/noExplicitAny: as above
  fault: any;
}

/** Sends one request over HTTP/1.1 to the service at `base`, at version 1.115 unless the headers say otherwise. */
export function send(base: string, { method = 'GET', path, headers, body, rawBody }: Sent): Promise<RestResponse> {
  const payload = rawBody ?? (body === undefined ? undefined : JSON.stringify(body));
  const all: Record<string, string> = { ...(headers ?? { 'X-OpenStack-Ironic-API-Version': '1.115' }) };
  if (body !== undefined) all['Content-Type'] ??= 'application/json';
  if (payload !== undefined && all['Transfer-Encoding'] === undefined) {
    all['Content-Length'] ??= String(Buffer.byteLength(payload));
  }
  const { hostname, port } = new URL(base);
  return new Promise((resolve, reject) => {
    const request = startRequest({ hostname, port, path, method, headers: all, agent: false }, (response) => {
      const chunks: Buffer[] = [];
      response.on('data', (chunk) => chunks.push(chunk));
      response.on('error', reject);
      response.on('end', () => {
        const bytes = Buffer.concat(chunks);
        const text = bytes.toString();
        const json = parse(text);
        const fault = typeof json?.error_message === 'string' ? parse(json.error_message) : undefined;
        resolve({ status: response.statusCode ?? 0, headers: response.headers, bytes, text, json, fault });
      });
    });
    request.on('error', reject);
    request.end(payload);
  });
}

function parse(text: string) {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}
