import { once } from 'node:events';
import { connect, type IncomingHttpHeaders } from 'node:http2';
import { MARKERS, USER } from './markers.ts';

const BASIC = `Basic ${Buffer.from(`${USER}:${MARKERS.basic}`).toString('base64')}`;

/** A client of every protocol that records all responses: headers, bodies, trailers and their details. */
export class RecordingClient {
  readonly responses: string[] = [];
  readonly #url: string;

  constructor(url: string) {
    this.#url = url;
  }

  /** Sends a request over HTTP/1.1, by default as the service's user; `body` is sent as JSON unless it is a string. */
  readonly send = async (method: string, path: string, body?: unknown, headers: Record<string, string> = {}) => {
    const response = await fetch(this.#url + path, {
      method,
      headers: {
        authorization: BASIC,
        'content-type': 'application/json',
        'x-openstack-ironic-api-version': '1.82',
        cookie: `session=${MARKERS.cookie}`,
        ...headers,
      },
      body: body === undefined ? undefined : typeof body === 'string' ? body : JSON.stringify(body),
    });
    const text = await response.text();
    this.responses.push(`${method}: ${response.status} ${JSON.stringify([...response.headers])} ${text}`);
    return { status: response.status, text, headers: response.headers };
  };

  /** Calls a method of a node over REST. */
  readonly call = (node: string, method: string, body: unknown = {}, headers = {}) =>
    this.send('POST', `/v1/nodes/${node}/vendor_passthru?method=${method}`, body, headers);

  /** Calls over Connect. */
  readonly rpc = (service: string, method: string, body: unknown, headers = {}) =>
    this.send('POST', `/passthru.v1.${service}/${method}`, body, headers);

  /** Calls over gRPC or gRPC-Web, by the media type `type`. */
  readonly grpc = async (type: string, path: string, message: Uint8Array): Promise<string> => {
    const framed = Buffer.concat([Buffer.alloc(5), message]);
    framed.writeUInt32BE(message.length, 1);
    const session = connect(this.#url);
    const headers = { ':method': 'POST', ':path': path, 'content-type': type, te: 'trailers', authorization: BASIC };
    const stream = session.request({ ...headers, cookie: `session=${MARKERS.cookie}` });
    const parts: string[] = [];
    const keep = (given: IncomingHttpHeaders) => {
      const details = given['grpc-status-details-bin'];
      parts.push(JSON.stringify(given), Buffer.from(String(details ?? ''), 'base64').toString('latin1'));
    };
    stream.on('response', keep).on('trailers', keep);
    stream.on('data', (chunk: Buffer) => {
      const details = /grpc-status-details-bin: ?([\w+/=]+)/.exec(chunk.toString('latin1'))?.[1] ?? '';
      parts.push(chunk.toString('latin1'), Buffer.from(details, 'base64').toString('latin1'));
    });
    stream.end(framed);
    await once(stream, 'close');
    session.destroy();
    this.responses.push(`${type}: ${parts.join(' ')}`);
    return parts.join(' ');
  };
}
