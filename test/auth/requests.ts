import { type ClientHttp2Session, connect } from 'node:http2';
import { Code } from '@connectrpc/connect';
import { codeFromString } from '@connectrpc/connect/protocol-connect';

/** The credentials of a caller: headers or a certificate. */
export interface Login {
  headers?: Record<string, string>;
  tls?: { cert: string; key: string };
}

export interface RestResponse {
  status: number;
  headers: Record<string, string | string[] | undefined>;
  text: string;
}

/** The protocols of an RPC. */
export const PROTOCOLS = ['Connect', 'gRPC', 'gRPC-Web'] as const;
export type Protocol = (typeof PROTOCOLS)[number];

/** An HTTP/2 connection to a service, for one caller. */
export class Requests implements Disposable {
  readonly #session: ClientHttp2Session;
  readonly #login: Login;

  /** @param ca the CA of the service's certificate, when it uses TLS */
  constructor(url: string, login: Login = {}, ca?: string) {
    this.#login = login;
    this.#session = connect(url, { ca, ...login.tls });
    this.#session.on('error', () => {});
  }

  /** @param isEnough whether what has been received is all that is wanted of a stream that does not end */
  async rest(
    method: string,
    path: string,
    body?: unknown,
    headers: Record<string, string> = {},
    isEnough: (body: Buffer) => boolean = () => false,
  ): Promise<RestResponse> {
    const payload = typeof body === 'string' ? body : body === undefined ? '' : JSON.stringify(body);
    const all = { 'x-openstack-ironic-api-version': '1.115', ...headers };
    const response = await this.#send(method, path, all, Buffer.from(payload), isEnough);
    return { status: Number(response.headers[':status']), headers: response.headers, text: response.body.toString() };
  }

  /** Returns the status of an RPC with `message`, by default empty; of a stream the first one. Null for OK. */
  async rpc(
    protocol: Protocol,
    name: string,
    isStream: boolean,
    message: Buffer = Buffer.alloc(0),
  ): Promise<Code | null> {
    return (await this.rpcResponse(protocol, name, isStream, message)).code;
  }

  /** Returns the status of an RPC and its messages as sent. @param toEnd reads a stream to its end */
  async rpcResponse(
    protocol: Protocol,
    name: string,
    isStream: boolean,
    message: Buffer,
    toEnd = false,
  ): Promise<{ code: Code | null; body: Buffer }> {
    if (protocol === 'Connect' && !isStream) {
      const headers = { 'content-type': 'application/proto', 'connect-protocol-version': '1' };
      const { headers: received, body } = await this.#send('POST', `/${name}`, headers, message, () => false);
      if (received[':status'] === 200) return { code: null, body };
      return { code: codeFromString(JSON.parse(body.toString()).code) ?? Code.Unknown, body };
    }
    const type = { Connect: 'connect+proto', gRPC: 'grpc+proto', 'gRPC-Web': 'grpc-web+proto' }[protocol];
    const framed = Buffer.concat([Buffer.alloc(5), message]);
    framed.writeUInt32BE(message.length, 1);
    const hasMessage = (body: Buffer) => isStream && body.length >= 5 && body[0] === 0;
    const headers = { 'content-type': `application/${type}` };
    const isEnough = toEnd ? () => false : hasMessage;
    const response = await this.#send('POST', `/${name}`, headers, framed, isEnough);
    const { body } = response;
    if (hasMessage(body)) return { code: null, body };
    if (protocol === 'Connect') {
      const { error } = JSON.parse(body.subarray(5).toString());
      return { code: error === undefined ? null : (codeFromString(error.code) ?? Code.Unknown), body };
    }
    const inBody = /grpc-status: ?(\d+)/i.exec(body.toString())?.[1];
    const status = Number(response.trailers['grpc-status'] ?? response.headers['grpc-status'] ?? inBody ?? Number.NaN);
    return { code: status === 0 ? null : status, body };
  }

  [Symbol.dispose](): void {
    this.#session.destroy();
  }

  #send(
    method: string,
    path: string,
    headers: Record<string, string>,
    body: Buffer,
    isEnough: (body: Buffer) => boolean,
  ) {
    type Headers = Record<string, string | string[] | number | undefined>;
    return new Promise<{ headers: RestResponse['headers'] & { ':status'?: unknown }; trailers: Headers; body: Buffer }>(
      (resolve, reject) => {
        const all = { ':method': method, ':path': path, ...headers, ...this.#login.headers };
        const stream = this.#session.request(all, { endStream: body.length === 0 });
        const chunks: Buffer[] = [];
        let received: Headers = {};
        let trailers: Headers = {};
        const settle = () => resolve({ headers: received as never, trailers, body: Buffer.concat(chunks) });
        stream.on('response', (given) => {
          received = given;
        });
        stream.on('trailers', (given) => {
          trailers = given;
        });
        stream.on('data', (chunk) => {
          chunks.push(chunk);
          if (!isEnough(Buffer.concat(chunks))) return;
          settle();
          stream.close();
        });
        stream.on('end', settle);
        stream.on('error', reject);
        if (body.length > 0) stream.end(body);
      },
    );
  }
}
