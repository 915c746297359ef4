import { setTimeout as sleep } from 'node:timers/promises';
import { Client } from 'undici';
import { isJsonObject, type Json } from '../../core/json.ts';
import type { RedfishDocument } from '../documents.ts';
import type { EventCounters } from './counters.ts';
import type { EventHabits } from './habits.ts';

/** A body that waits for its subscriber. */
export interface Post {
  /** The EventIds of its records. */
  ids: readonly string[];
  /** Returns the body, once for all attempts. */
  body: string;
}

/** What a sender needs of its BMC. */
export interface SenderOptions {
  habits: EventHabits;
  /** Returns the subscription; null when it is gone or switched off. */
  subscription: () => RedfishDocument | null;
  /** The HttpHeaders of the subscription, which its document does not show. */
  headers: () => Json;
  /** Milliseconds between two attempts. */
  retryInterval: () => number;
  /** Milliseconds that a subscriber has to respond. */
  timeout: number;
  /** Certificates (PEM) that the BMC trusts besides the usual ones. */
  trusted: string | Buffer | undefined;
  /** Resolves when the BMC is on the network. */
  present: () => Promise<void> | null;
  counters: () => EventCounters;
  acknowledged: (ids: readonly string[]) => void;
  /** Called when the retries are used up. */
  failed: () => void;
}

/** Sends the events of one subscription, one after the other over one connection. */
export class PushSender {
  readonly #options: SenderOptions;
  readonly #queue: Post[] = [];
  readonly #stopped = new AbortController();
  #running: Promise<void> | null = null;
  #client: { origin: string; verifies: boolean; client: Client } | null = null;

  constructor(options: SenderOptions) {
    this.#options = options;
  }

  /** Resolves when nothing waits any more. */
  async idle(): Promise<void> {
    while (this.#running !== null) await this.#running;
  }

  /** The number of posts that wait, the current one included. */
  get waiting(): number {
    return this.#queue.length;
  }

  push(post: Post): void {
    const { counters, habits } = this.#options;
    if (this.#queue.length >= habits.queue || this.#stopped.signal.aborted) counters().dropped += post.ids.length;
    else {
      this.#queue.push(post);
      this.#running ??= this.#run();
    }
  }

  /** Drops what waits, and closes the connection. */
  close(): void {
    this.#stopped.abort();
    this.#drop(this.#queue.length);
    void this.#client?.client.destroy();
  }

  async #run(): Promise<void> {
    for (let post = this.#queue[0]; post !== undefined; post = this.#queue[0]) {
      const outcome = await this.#deliver(post);
      if (outcome === 'sent') this.#queue.shift();
      else if (outcome === 'lost') this.#drop(1);
      else this.#drop(this.#queue.length);
      if (outcome === 'failed') this.#options.failed();
    }
    // Here, so that a post that comes next starts another run.
    this.#running = null;
  }

  #drop(count: number): void {
    const counters = this.#options.counters();
    for (const { ids } of this.#queue.splice(0, count)) counters.dropped += ids.length;
  }

  async #deliver(post: Post): Promise<'sent' | 'lost' | 'failed' | 'gone' | 'stopped'> {
    const { habits, subscription, present, retryInterval, acknowledged } = this.#options;
    const { signal } = this.#stopped;
    for (let attempt = 0; ; attempt++) {
      await present();
      const document = subscription();
      if (signal.aborted) return 'stopped';
      if (!document) return 'gone';
      const counters = this.#options.counters();
      if (attempt > 0) counters.repeated++;
      const status = await this.#post(post, document);
      if (signal.aborted && status === null) return 'stopped';
      if (status !== null && habits.accepts(status)) {
        counters.acknowledged += post.ids.length;
        acknowledged(post.ids);
        return 'sent';
      }
      if (status === null) counters.unanswered++;
      else counters.refused++;
      const policy = document.DeliveryRetryPolicy ?? habits.retryPolicy;
      if (policy !== 'RetryForever' && attempt >= habits.retries) return policy === 'None' ? 'lost' : 'failed';
      await sleep(retryInterval(), undefined, { signal }).catch(() => {});
      if (signal.aborted) return 'stopped';
    }
  }

  /** Returns the status of the response; null without one. */
  async #post(post: Post, document: RedfishDocument): Promise<number | null> {
    const { habits, headers, counters } = this.#options;
    counters().posts++;
    try {
      const url = new URL(String(document.Destination));
      const { statusCode, body } = await this.#connect(url, document).request({
        method: 'POST',
        path: url.pathname + url.search,
        headers: { 'content-type': 'application/json', ...asHeaders(headers()) },
        body: post.body,
        signal: this.#stopped.signal,
        reset: !habits.keepsConnections,
      });
      // The status decides, even if the rest is lost.
      await body.dump().catch(() => {});
      return statusCode;
    } catch {
      return null;
    }
  }

  /** Returns the client for a destination, which a PATCH may have changed. */
  #connect({ origin }: URL, { VerifyCertificate: wanted }: RedfishDocument): Client {
    const { timeout, trusted, habits } = this.#options;
    const verifies = typeof wanted === 'boolean' ? wanted : habits.verifies;
    if (this.#client?.origin !== origin || this.#client.verifies !== verifies) {
      void this.#client?.client.destroy();
      const connect = { rejectUnauthorized: verifies, timeout, ...(trusted === undefined ? {} : { ca: trusted }) };
      const client = new Client(origin, { headersTimeout: timeout, bodyTimeout: timeout, connect });
      this.#client = { origin, verifies, client };
    }
    return this.#client.client;
  }
}

/** Returns HttpHeaders, a list of objects, as one object with names in lower case. */
function asHeaders(list: Json): Record<string, string> {
  const headers: Record<string, string> = {};
  for (const item of Array.isArray(list) ? list : []) {
    for (const [name, value] of Object.entries(isJsonObject(item) ? item : {})) {
      headers[name.toLowerCase()] = String(value);
    }
  }
  return headers;
}
