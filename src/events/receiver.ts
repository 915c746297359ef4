// The receiver: takes what BMCs post, at a listener of its own.
import type { ServerResponse } from 'node:http';
import { createThrottledLog } from '../auth/throttledLog.ts';
import { PassthruError, toPassthruError } from '../core/errors.ts';
import type { EventIntake, PushSenders } from '../core/events/eventIntake.ts';
import { parseEventBody } from '../core/events/records/readRecords.ts';
import type { Logger } from '../core/logger.ts';
import type { FixedLimits } from '../http/limits.ts';
import { type Listener, startListener } from '../http/listener.ts';
import type { HttpRequest, HttpResponse } from '../http/message.ts';
import { serveTogether } from '../http/serveTogether.ts';
import type { ListenerTls } from '../http/tls.ts';
import { plainAddress } from '../net/networks.ts';
import { readBody } from './requestBody.ts';
import type { SenderCheck } from './senderCheck.ts';

/** The maximum size of a body, in bytes, also once it is decompressed. */
export const MAX_BODY = 1024 * 1024;

/** The longest secret that is looked up, in characters. */
const MAX_SECRET = 256;

/** The number of secrets looked up at once: a stranger may try many, and a fleet may begin to post together. */
const MAX_LOOKUPS = 1000;

/** The value of Retry-After, in seconds. */
const RETRY_AFTER = '5';

/** How a post ended; a label of the metrics. */
export type PostOutcome =
  | 'stored'
  | 'unknown_path'
  | 'wrong_method'
  | 'wrong_sender'
  | 'too_large'
  | 'malformed'
  | 'rate_limited'
  | 'unavailable'
  | 'aborted'
  | 'failed';

const STATUSES: Readonly<Record<PostOutcome, number>> = {
  stored: 200,
  unknown_path: 404,
  wrong_method: 405,
  wrong_sender: 403,
  too_large: 413,
  malformed: 400,
  rate_limited: 503,
  unavailable: 503,
  aborted: 400,
  failed: 500,
};

export interface ReceiverOptions {
  /** An IPv6 address without brackets. */
  host: string;
  port: number;
  tls: ListenerTls | null;
  /** The path that secrets follow in the URLs of subscriptions, without a slash at its end; '' for none. */
  path: string;
  senders: PushSenders;
  intake: EventIntake;
  /** Null when any address may send. */
  senderCheck: SenderCheck | null;
  /** Whether posts from another address than the BMC's are refused, or only counted and logged. */
  refuseOthers: boolean;
  log: Logger;
  /** Called for each request. */
  ended(outcome: PostOutcome): void;
  /** Called for each post that was taken from another address than the BMC's. */
  otherSender(): void;
  maxConnections: number;
  /** Milliseconds for a post to arrive. */
  receiveTimeout: number;
  limits?: Partial<FixedLimits>;
}

/** Takes the posts of BMCs. */
export interface Receiver {
  /** For example `http://127.0.0.1:6386`. */
  url: string;
  /** Stops accepting connections, and waits up to `graceMs` ms for the posts that are under way. */
  close(graceMs: number): Promise<void>;
}

/**
 * Starts the receiver. A post to the secret path of a source is acknowledged, by 200 without a body, once its events are
 * committed. Anything else gets a status and nothing that tells why.
 * @throws kind `failed_precondition` when the address or the TLS files cannot be used
 */
export async function startReceiver(options: ReceiverOptions): Promise<Receiver> {
  const { host, port, tls, log, maxConnections, receiveTimeout } = options;
  const posts = new Posts(options);
  const listener: Listener = await startListener({
    host,
    port,
    tls,
    log,
    handle: (request, response) => void posts.handle(request, response),
    endsInTime: () => true,
    stop: { streams: new AbortController(), calls: new AbortController() },
    limits: {
      maxConnections,
      // A proxy in front is one peer.
      maxConnectionsPerPeer: maxConnections,
      requestTimeout: receiveTimeout,
      sessionMaxAge: 3_600_000,
      ...options.limits,
    },
  });
  return { url: listener.url, close: (graceMs) => listener.close(graceMs) };
}

/** Handles the requests of a receiver. */
class Posts {
  readonly #options: ReceiverOptions;
  readonly #warn: (fields: object, message: string) => void;
  #lookups = 0;

  constructor(options: ReceiverOptions) {
    this.#options = options;
    this.#warn = createThrottledLog(options.log);
  }

  /** Never rejects. */
  async handle(request: HttpRequest, response: HttpResponse): Promise<void> {
    // Behind a TLS socket as well.
    const address = request.socket.remoteAddress ?? '';
    let outcome: PostOutcome;
    try {
      outcome = await this.#take(request, address);
    } catch (error) {
      outcome = this.#outcomeOf(error);
    }
    this.#options.ended(outcome);
    respond(request, response, outcome);
  }

  async #take(request: HttpRequest, address: string): Promise<PostOutcome> {
    const { intake, refuseOthers, otherSender } = this.#options;
    const secret = secretOf(request.url ?? '', this.#options.path);
    // Without a wait where nothing is to wait for: a body that comes with its header need not be kept then.
    const known = secret === null ? null : this.#options.senders.findKnown(secret);
    const sender = known ?? (await this.#find(secret));
    if (sender === null) {
      this.#warn({ address: plainAddress(address) }, 'a post to the receiver of events was refused: unknown path');
      return 'unknown_path';
    }
    if (request.method !== 'POST') return 'wrong_method';
    const { nodeUuid, bmcHost } = sender;
    const matches = this.#options.senderCheck?.matches(bmcHost, address) ?? true;
    if (!(typeof matches === 'boolean' ? matches : await matches)) {
      const fields = { node: nodeUuid, address: plainAddress(address), bmc: bmcHost };
      this.#warn(fields, `events of a node come from another address than its BMC's${refuseOthers ? ': refused' : ''}`);
      if (refuseOthers) return 'wrong_sender';
      otherSender();
    }
    const text = await readBody(request, MAX_BODY);
    await serveTogether();
    try {
      await intake.take(nodeUuid, parseEventBody(text));
      return 'stored';
    } catch (error) {
      const { kind, message } = toPassthruError(error);
      if (kind === 'invalid_argument') this.#warn({ node: nodeUuid, why: message }, 'a post of a BMC cannot be read');
      if (kind === 'rate_limited') this.#warn({ node: nodeUuid, why: message }, 'events are refused for now');
      throw error;
    }
  }

  async #find(secret: string | null) {
    if (secret === null) return null;
    if (this.#lookups >= MAX_LOOKUPS) throw new PassthruError('rate_limited', 'Too many posts begin at once');
    this.#lookups++;
    try {
      return await this.#options.senders.find(secret);
    } finally {
      this.#lookups--;
    }
  }

  #outcomeOf(thrown: unknown): PostOutcome {
    const error = toPassthruError(thrown);
    switch (error.kind) {
      case 'too_large':
        return 'too_large';
      case 'invalid_argument':
        return 'malformed';
      case 'cancelled':
        return 'aborted';
      case 'rate_limited':
        return 'rate_limited';
      case 'store_unavailable':
      case 'shutting_down':
        return 'unavailable';
      default:
        this.#options.log.error({ err: thrown }, 'taking a post of events failed');
        return 'failed';
    }
  }
}

/** Returns the secret of a request's path, below `path` or, when a proxy has taken that away, the root; null for none. */
function secretOf(url: string, path: string): string | null {
  const [given = ''] = url.split('?', 1);
  const at = given.lastIndexOf('/');
  const secret = given.slice(at + 1);
  const above = given.slice(0, at);
  return (above === '' || above === path) && secret !== '' && secret.length <= MAX_SECRET ? secret : null;
}

/** The header of each response, as alternating names and values, which cost less than an object. */
const EMPTY = ['Content-Length', '0'];
const HEADERS: Readonly<Record<number, string[]>> = {
  405: [...EMPTY, 'Allow', 'POST'],
  503: [...EMPTY, 'Retry-After', RETRY_AFTER],
};

function respond(request: HttpRequest, response: HttpResponse, outcome: PostOutcome): void {
  if (response.destroyed || response.headersSent) return;
  const status = STATUSES[outcome];
  // What is left of its body would be read and dropped.
  if (!request.complete && request.httpVersionMajor === 1) response.setHeader('Connection', 'close');
  (response as ServerResponse).writeHead(status, HEADERS[status] ?? EMPTY);
  response.end();
}
