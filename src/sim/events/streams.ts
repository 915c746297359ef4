import type { ServerResponse } from 'node:http';
import type { Writable } from 'node:stream';
import { createGzip, type Gzip } from 'node:zlib';
import type { RedfishDocument } from '../documents.ts';
import { cut } from '../send.ts';
import type { EventHabits } from './habits.ts';

/** A message of a stream. */
export interface StreamedEvent {
  /** The `id` line. */
  id: string;
  /** The body, possibly on several lines. */
  body: string;
}

/** One open stream of Server-Sent Events (DSP0266, "Server-sent events"). */
export class EventStream {
  /** The path of the subscription that stands for it. */
  readonly path: string;
  readonly #response: ServerResponse;
  readonly #habits: EventHabits;
  readonly #body: Writable;
  readonly #gzip: Gzip | null;

  constructor(path: string, response: ServerResponse, habits: EventHabits) {
    this.path = path;
    this.#response = response;
    this.#habits = habits;
    this.#gzip = habits.streamCompressed ? createGzip() : null;
    this.#gzip?.pipe(response);
    this.#body = this.#gzip ?? response;
    if (habits.streamBegin !== '') this.writeText(habits.streamBegin);
  }

  write({ id, body }: StreamedEvent): void {
    const { streamBefore, streamId } = this.#habits;
    const shown = streamId(id);
    const data = body.replaceAll('\n', '\ndata: ');
    this.writeText(`${streamBefore}${shown === null ? '' : `id: ${shown}\n`}data: ${data}\n\n`);
  }

  /** Writes a text as it is, but for the ends of its lines. */
  writeText(text: string): void {
    // Until its connection has closed, a stream that was ended is still there.
    if (this.#body.writableEnded) return;
    this.#body.write(text.replaceAll('\n', this.#habits.streamLine));
    this.#gzip?.flush();
  }

  close(): void {
    this.#body.end();
  }

  /** Resets the connection. */
  cut(): void {
    if (this.#response.socket !== null) cut(this.#response.socket);
  }
}

/** The newest events of a BMC, for streams that are opened again. */
export class Replay {
  readonly #keep: number;
  readonly #events: { id: string; bodyFor: (subscription: RedfishDocument) => string | null }[] = [];

  /** `keep`: the maximum number of events kept. */
  constructor(keep: number) {
    this.#keep = keep;
  }

  /** `bodyFor` returns the body for a subscription; null when its filters exclude the event. */
  add(id: string, bodyFor: (subscription: RedfishDocument) => string | null): void {
    if (this.#keep === 0) return;
    this.#events.push({ id, bodyFor });
    if (this.#events.length > this.#keep) this.#events.shift();
  }

  /** Returns the events after the one with this id; null when it is unknown, or too old. */
  after(id: string, subscription: RedfishDocument): StreamedEvent[] | null {
    const index = this.#events.findIndex((event) => event.id === id);
    return index < 0 ? null : this.#from(index + 1, subscription);
  }

  all(subscription: RedfishDocument): StreamedEvent[] {
    return this.#from(0, subscription);
  }

  clear(): void {
    this.#events.length = 0;
  }

  #from(start: number, subscription: RedfishDocument): StreamedEvent[] {
    return this.#events.slice(start).flatMap(({ id, bodyFor }) => {
      const body = bodyFor(subscription);
      return body === null ? [] : [{ id, body }];
    });
  }
}
