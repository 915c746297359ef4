import type { DescMessage, MessageShape } from '@bufbuild/protobuf';
import { toBinary, toJsonString } from '@bufbuild/protobuf';
import { createContextKey, type HandlerContext } from '@connectrpc/connect';
import { encodeEnvelope } from '@connectrpc/connect/protocol';
import { EventEncoder } from '../core/watch/eventEncoder.ts';
import { EventQueue } from '../core/watch/eventQueue.ts';
import type { WatchEvent, WatchSink } from '../core/watch/watchEvent.ts';
import type { HttpResponse } from '../http/message.ts';
import { ResponseSink } from '../http/responseSink.ts';
import { callEnd } from './deadline.ts';

/** The response that the messages of a stream are written to; null without one. */
export const responseKey = createContextKey<HttpResponse | null>(null);

type Watch<T> = (sink: WatchSink<T>, signal: AbortSignal) => Promise<never>;

/**
 * Returns a function that yields what a watcher is told as messages. Only the first ones pass through Connect, which sends
 * the head of the response, and in the end its status: it encodes each message for each watcher, in nine generators, which
 * costs four times as much as writing the same bytes to all. The envelope of a message is the same in all three protocols.
 */
export function watchStreams<T extends object, M extends DescMessage>(
  schema: M,
  toMessage: (event: WatchEvent<T>) => MessageShape<M>,
): (context: HandlerContext, watch: Watch<T>) => AsyncGenerator<MessageShape<M>, void> {
  const binary = new EventEncoder<T>((event) => encodeEnvelope(0, toBinary(schema, toMessage(event))));
  const json = new EventEncoder<T>((event) => encodeEnvelope(0, Buffer.from(toJsonString(schema, toMessage(event)))));

  return async function* (context, watch) {
    using end = callEnd(context);
    const response = context.values.get(responseKey);
    const queue = new EventQueue<T>();
    if (response === null) {
      for await (const event of queue.read(end.signal, watch)) yield toMessage(event);
      return;
    }
    const isJson = /json/i.test(context.requestHeader.get('Content-Type') ?? '');
    const direct = new ResponseSink(response, isJson ? json : binary, () => {});
    const sink = new HandedOver(queue, direct);
    const left = new AbortController();
    const ended = watch(sink, AbortSignal.any([end.signal, left.signal]));
    // It is awaited below.
    ended.catch(() => {});
    try {
      await Promise.race([sink.told, ended]);
      // Connect asks for more when it has written the message before.
      for (const event of queue.take()) yield toMessage(event);
      sink.handOver();
      await ended;
    } finally {
      left.abort();
    }
  };
}

/** Puts the first events in a queue, and, once handed over, all others into the response. */
class HandedOver<T extends object> implements WatchSink<T> {
  readonly #queue: EventQueue<T>;
  readonly #direct: ResponseSink<T>;
  #to: WatchSink<T>;
  readonly #told = Promise.withResolvers<void>();

  constructor(queue: EventQueue<T>, direct: ResponseSink<T>) {
    this.#queue = queue;
    this.#direct = direct;
    this.#to = queue;
  }

  /** Resolves when there are first events. */
  get told(): Promise<void> {
    return this.#told.promise;
  }

  put(events: readonly WatchEvent<T>[]): boolean {
    this.#told.resolve();
    return this.#to.put(events);
  }

  ready(signal: AbortSignal): Promise<void> {
    return this.#to.ready(signal);
  }

  handOver(): void {
    this.#to = this.#direct;
    this.#queue.taken();
  }
}
