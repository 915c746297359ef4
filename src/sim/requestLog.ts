import type { IncomingHttpHeaders } from 'node:http';
import type { Json, JsonObject } from '../core/json.ts';
import { isJsonObject } from '../core/json.ts';
import type { AuthKind } from './credentials.ts';
import { authKind } from './credentials.ts';
import type { RequestMatch } from './faults.ts';
import { matches } from './faults.ts';

/** A request that a simulated BMC got. Secrets in it are replaced by `******`. */
export interface RecordedRequest {
  method: string;
  /** As sent, with query. */
  path: string;
  /** Of the answer; null until it is sent, and for good when none is. */
  status: number | null;
  /** When it came; milliseconds since the epoch. */
  time: number;
  /** The number of its connection: equal for requests that shared one. */
  connection: number;
  auth: AuthKind;
  headers: IncomingHttpHeaders;
  /** The JSON body, or the text when it is not JSON; undefined when there was none, or it was not read. */
  body: Json | undefined;
}

/** The requests that one BMC got, oldest first; only the newest are kept. */
export class RequestLog {
  readonly #keep: number;
  readonly #requests: RecordedRequest[] = [];
  #waiting: { match: RequestMatch; resolve: (request: RecordedRequest) => void }[] = [];
  /** How many there were, kept or not. */
  total = 0;

  /** `keep`: how many requests are kept. */
  constructor(keep: number) {
    this.#keep = keep;
  }

  get requests(): readonly RecordedRequest[] {
    return this.#requests;
  }

  /** Notes a request whose headers have come. The entry is filled in as more becomes known. */
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
    this.#waiting = this.#waiting.filter((one) => {
      if (!matches(one.match, method, path)) return true;
      one.resolve(request);
      return false;
    });
    return request;
  }

  /** Resolves with the next request of the kind, as soon as its headers have come. */
  next(match: RequestMatch): Promise<RecordedRequest> {
    return new Promise((resolve) => this.#waiting.push({ match, resolve }));
  }

  clear(): void {
    this.#requests.length = 0;
    this.total = 0;
  }
}

/** A request's body as it may be kept. */
export function recordedBody(text: string): Json | undefined {
  if (text === '') return undefined;
  try {
    return redacted(JSON.parse(text) as Json);
  } catch {
    // A text that is no JSON may hold a password all the same.
    return `(${Buffer.byteLength(text)} bytes that are not JSON)`;
  }
}

const SECRET = /password|token|secret|httpheaders|authorization|community|key$/i;

function redacted(value: Json): Json {
  if (Array.isArray(value)) return value.map(redacted);
  if (!isJsonObject(value)) return value;
  const copy: JsonObject = {};
  for (const [key, inner] of Object.entries(value)) {
    // Not by assignment, which would set the prototype for the key `__proto__`.
    Object.defineProperty(copy, key, {
      value: SECRET.test(key) && inner !== null ? '******' : redacted(inner),
      enumerable: true,
    });
  }
  return copy;
}

function withoutSecrets(headers: IncomingHttpHeaders): IncomingHttpHeaders {
  const kept = { ...headers };
  if (kept.authorization !== undefined) kept.authorization = `${kept.authorization.split(' ')[0]} ******`;
  for (const name of ['x-auth-token', 'cookie', 'proxy-authorization']) if (name in kept) kept[name] = '******';
  return kept;
}
