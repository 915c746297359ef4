import { type ClientHttp2Session, connect } from 'node:http2';
import { Code } from '@connectrpc/connect';
import { codeFromString } from '@connectrpc/connect/protocol-connect';

/** What a test's caller brings along: headers, or a certificate. */
export interface Proof {
  headers?: Record<string, string>;
  tls?: { cert: string; key: string };
}

export interface RestAnswer {
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
  readonly #proof: Proof;

  /** @param ca the CA of the service's certificate, when it uses TLS */
  constructor(url: string, proof: Proof = {}, ca?: string) {
    this.#proof = proof;
    this.#session = connect(url, { ca, ...proof.tls });
    this.#session.on('error', () => {});
  }

  async rest(method: string, path: string, body?: unknown, headers: Record<string, string> = {}): Promise<RestAnswer> {
    const payload = typeof body === 'string' ? body : body === undefined ? '' : JSON.stringify(body);
    const all = { 'x-openstack-ironic-api-version': '1.80', ...headers };
    const answer = await this.#send(method, path, all, Buffer.from(payload), () => false);
    return { status: Number(answer.headers[':status']), headers: answer.headers, text: answer.body.toString() };
  }

  /** The status of an RPC with an empty message, or with `message` as it is; of a stream its first. Null when it is OK. */
  async rpc(
    protocol: Protocol,
    name: string,
    isStream: boolean,
    message: Buffer = Buffer.alloc(0),
  ): Promise<Code | null> {
    if (protocol === 'Connect' && !isStream) {
      const headers = { 'content-type': 'application/proto', 'connect-protocol-version': '1' };
      const answer = await this.#send('POST', `/${name}`, headers, message, () => false);
      if (answer.headers[':status'] === 200) return null;
      return codeFromString(JSON.parse(answer.body.toString()).code) ?? Code.Unknown;
    }
    const type = { Connect: 'connect+proto', gRPC: 'grpc+proto', 'gRPC-Web': 'grpc-web+proto' }[protocol];
    const framed = Buffer.concat([Buffer.alloc(5), message]);
    framed.writeUInt32BE(message.length, 1);
    const hasMessage = (body: Buffer) => isStream && body.length >= 5 && body[0] === 0;
    const answer = await this.#send('POST', `/${name}`, { 'content-type': `application/${type}` }, framed, hasMessage);
    if (hasMessage(answer.body)) return null;
    if (protocol === 'Connect') {
      const { error } = JSON.parse(answer.body.subarray(5).toString());
      return error === undefined ? null : (codeFromString(error.code) ?? Code.Unknown);
    }
    const inBody = /grpc-status: ?(\d+)/i.exec(answer.body.toString())?.[1];
    const status = Number(answer.trailers['grpc-status'] ?? answer.headers['grpc-status'] ?? inBody ?? Number.NaN);
    return status === 0 ? null : status;
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
    return new Promise<{ headers: RestAnswer['headers'] & { ':status'?: unknown }; trailers: Headers; body: Buffer }>(
      (resolve, reject) => {
        const all = { ':method': method, ':path': path, ...headers, ...this.#proof.headers };
        const stream = this.#session.request(all, { endStream: body.length === 0 });
        const chunks: Buffer[] = [];
        let answered: Headers = {};
        let trailers: Headers = {};
        const settle = () => resolve({ headers: answered as never, trailers, body: Buffer.concat(chunks) });
        stream.on('response', (given) => {
          answered = given;
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
