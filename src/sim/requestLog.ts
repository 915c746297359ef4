import type { IncomingHttpHeaders } from 'node:http';
import type { Json } from '../core/json.ts';
import { isSecretName } from '../core/secretNames.ts';
import { MASK, mapTexts } from '../core/secrets.ts';
import type { AuthKind } from './credentials.ts';
import { authKind } from './credentials.ts';
import type { RequestMatch } from './faults.ts';
import { matches } from './faults.ts';

/** A request to a simulated BMC, with secrets masked. */
export interface RecordedRequest {
  method: string;
  /** As sent, with query. */
  path: string;
  /** The status of the response; null until it is sent, and for good when none is. */
  status: number | null;
  /** When it arrived; milliseconds since the epoch. */
  time: number;
  /** The number of its connection: equal for requests over the same one. */
  connection: number;
  auth: AuthKind;
  headers: IncomingHttpHeaders;
  /** As returned by `recordedBody`; undefined also when the body was not read. */
  body: Json | undefined;
}

/** The newest requests to one BMC, oldest first. */
export class RequestLog {
  readonly #keep: number;
  readonly #requests: RecordedRequest[] = [];
  #waiting: { match: RequestMatch; resolve: (request: RecordedRequest) => void }[] = [];
  /** The number of requests, including those no longer kept. */
  total = 0;

  /** `keep`: the maximum number of requests kept. */
  constructor(keep: number) {
    this.#keep = keep;
  }

  get requests(): readonly RecordedRequest[] {
    return this.#requests;
  }

  /** Adds a request whose headers have arrived. The caller fills in status and body later. */
  open(
    method: string,
    target: string,
    path: string,
    headers: IncomingHttpHeaders,
    connection: number,
  ): RecordedRequest {
    const request: RecordedRequest = {
      method,
      path: target,
      status: null,
      time: Date.now(),
      connection,
      auth: authKind(headers),
      headers: withoutSecrets(headers),
      body: undefined,
    };
    this.total++;
    this.#requests.push(request);
    if (this.#requests.length > this.#keep) this.#requests.shift();
    const { matching = [], others = [] } = Object.groupBy(this.#waiting, ({ match }) =>
      matches(match, method, path) ? 'matching' : 'others',
    );
    this.#waiting = others;
    for (const { resolve } of matching) resolve(request);
    return request;
  }

  /** Resolves with the next matching request, as soon as its headers have arrived. */
  next(match: RequestMatch): Promise<RecordedRequest> {
    return new Promise((resolve) => this.#waiting.push({ match, resolve }));
  }

  clear(): void {
    this.#requests.length = 0;
    this.total = 0;
  }
}

/** Returns a request's body with secrets masked; its size when it is not JSON; undefined when it is empty. */
export function recordedBody(text: string): Json | undefined {
  if (text === '') return undefined;
  try {
    return mapTexts(JSON.parse(text), { text: (value) => value, member: maskSecret }) as Json;
  } catch {
    return `(${Buffer.byteLength(text)} bytes that are not JSON)`;
  }
}

/** Also masks the keys of an SNMP subscription, such as `AuthenticationKey`. */
function maskSecret(name: string, value: unknown): string | undefined {
  return value !== null && (isSecretName(name) || /key$/i.test(name)) ? MASK : undefined;
}

function withoutSecrets(headers: IncomingHttpHeaders): IncomingHttpHeaders {
  const masked = { ...headers };
  if (masked.authorization !== undefined) masked.authorization = `${masked.authorization.split(' ')[0]} ${MASK}`;
  for (const name of ['x-auth-token', 'cookie', 'proxy-authorization']) if (name in masked) masked[name] = MASK;
  return masked;
}
