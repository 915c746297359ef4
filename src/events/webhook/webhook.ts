// The webhook: delivers events to a URL of the operator, as signed CloudEvents.
import { Client, type Dispatcher } from 'undici';
import type { StoredEvent } from '../../core/events/event.ts';
import type { Attempt, Delivery, HandoverTarget, MissedEvents } from '../../core/events/handover/handoverTarget.ts';
import { maskText } from '../../core/secrets.ts';
import { type CloudEvent, cloudEvent, missedEvent } from './cloudEvent.ts';
import { signatureHeaders } from './secrets.ts';

/** The structured mode of CloudEvents over HTTP, which every receiver of CloudEvents takes, and the batched mode. */
const MEDIA_TYPE = 'application/cloudevents+json; charset=utf-8';
const BATCH_MEDIA_TYPE = 'application/cloudevents-batch+json; charset=utf-8';

/** The length of a batch, in characters, which one event more may exceed: servers take a body of 1 MiB if they are not told more. */
const BATCH_LENGTH = 512 * 1024;

/** How long a receiver may take, in milliseconds. */
const TIMEOUT = 30_000;

/** The bytes of a response that are read, so that its connection can be used again. */
const MAX_RESPONSE = 64 * 1024;

/** The statuses by which a receiver refuses the event itself; others say that it takes nothing, or from nobody. */
const REFUSALS: ReadonlySet<number> = new Set([400, 413, 422]);

export interface WebhookOptions {
  /** An http: or https: URL, whose path and query may be secret. */
  url: string;
  /** Returns the secrets that sign. */
  secrets: () => readonly Buffer[];
  /** The maximum number of events in a request. Default 1: each in the structured mode; with more, all in the batched mode. */
  batch?: number;
  /** How long the receiver may take, in milliseconds. Default 30 s. */
  timeout?: number;
}

/** Delivers events by POST, one request at a time. */
export class Webhook implements HandoverTarget {
  readonly #client: Client;
  readonly #path: string;
  readonly #secrets: () => readonly Buffer[];
  readonly #batch: number;
  readonly #timeout: number;

  constructor({ url, secrets, batch = 1, timeout = TIMEOUT }: WebhookOptions) {
    const { origin, pathname, search } = new URL(url);
    this.#client = new Client(origin);
    this.#path = pathname + search;
    this.#secrets = secrets;
    this.#batch = batch;
    this.#timeout = timeout;
  }

  async deliver(events: readonly StoredEvent[], signal: AbortSignal): Promise<Attempt> {
    const bodies: CloudEvent[] = [];
    for (let length = 0; bodies.length < Math.min(events.length, this.#batch) && length < BATCH_LENGTH; ) {
      const event = cloudEvent(events[bodies.length]!);
      length += event.body.length;
      bodies.push(event);
    }
    return { delivery: await this.#deliver(bodies, signal), count: bodies.length };
  }

  deliverMissed(missed: MissedEvents, signal: AbortSignal): Promise<Delivery> {
    return this.#deliver([missedEvent(missed, new Date())], signal);
  }

  async close(): Promise<void> {
    await this.#client.destroy();
  }

  async #deliver(events: readonly CloudEvent[], signal: AbortSignal): Promise<Delivery> {
    try {
      const { statusCode, headers } = await this.#post(this.#batch === 1 ? events[0]! : batchOf(events), signal);
      return toDelivery(statusCode, headers);
    } catch (error) {
      signal.throwIfAborted();
      return { outcome: 'failed', reason: reasonOf(error, this.#timeout), retryAfter: null };
    }
  }

  async #post({ id, body }: CloudEvent, signal: AbortSignal): Promise<Dispatcher.ResponseData> {
    const end = AbortSignal.any([signal, AbortSignal.timeout(this.#timeout)]);
    // Redirects are not followed: where events go is the operator's decision alone.
    const response = await this.#client.request({
      method: 'POST',
      path: this.#path,
      headers: {
        'content-type': this.#batch === 1 ? MEDIA_TYPE : BATCH_MEDIA_TYPE,
        ...signatureHeaders(this.#secrets(), id, body, Date.now()),
      },
      body,
      signal: end,
    });
    // Its status has decided.
    await response.body.dump({ limit: MAX_RESPONSE, signal: end }).catch(() => {});
    return response;
  }
}

/** Returns events as one: its id names the first and the last, so that it is equal for the same events alone. */
function batchOf(events: readonly CloudEvent[]): CloudEvent {
  const id = `${events[0]!.id}_${events.at(-1)!.id}`;
  return { id, body: `[${events.map(({ body }) => body).join(',')}]` };
}

function toDelivery(status: number, headers: Dispatcher.ResponseData['headers']): Delivery {
  if (status >= 200 && status < 300) return { outcome: 'delivered' };
  const redirect =
    status >= 300 && status < 400 ? ', a redirect, which is not followed: set the URL that it leads to' : '';
  const reason = `the receiver returned ${status}${redirect}`;
  return {
    outcome: REFUSALS.has(status) ? 'refused' : 'failed',
    reason,
    retryAfter: retryAfter(headers['retry-after']),
  };
}

/** Returns the value of Retry-After (RFC 9110, 10.2.3) in milliseconds; null when there is none that can be read. */
function retryAfter(value: string | string[] | undefined): number | null {
  if (typeof value !== 'string') return null;
  const wait = /^\d+$/.test(value) ? Number(value) * 1000 : Date.parse(value) - Date.now();
  return Number.isFinite(wait) ? Math.max(0, wait) : null;
}

function reasonOf(error: unknown, timeout: number): string {
  const { name, message } = error instanceof Error ? error : { name: '', message: String(error) };
  if (name === 'TimeoutError') return `the receiver did not respond within ${timeout / 1000} s`;
  return `the receiver cannot be reached: ${maskText(message || name)}`;
}
