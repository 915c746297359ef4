import type { IncomingHttpHeaders } from 'node:http';
import type { DescMethodUnary } from '@bufbuild/protobuf';
import { type ContextValues, createContextValues, type HandlerContext } from '@connectrpc/connect';
import type { Caller } from '../core/caller.ts';
import { identityKey } from './authorize.ts';
import { callerGone, deadlinePassed } from './endReason.ts';
import { toWebHeaders } from './universal.ts';

interface UnaryCallInit {
  method: DescMethodUnary;
  headers: IncomingHttpHeaders;
  /** The authenticated caller; null for a method without authentication. */
  caller: Caller | null;
  /** The deadline by the monotonic clock; null without one. */
  endsAt: number | null;
  /** Ends the calls that still run at the end of the grace period. */
  stopping: Stopping;
}

/**
 * What a method learns of its unary gRPC call, made when it asks: most ask for one signal, and none for headers. Connect's own
 * context, with its three AbortControllers and three Headers, takes as long as a call under its lock. Its signal fires at the
 * deadline, when the caller goes or when the service ends the call, and, unlike Connect's, not when the call has ended.
 */
export class UnaryContext implements HandlerContext, Disposable {
  readonly protocolName = 'grpc';
  readonly requestMethod = 'POST';
  readonly values: ContextValues;
  readonly #call: UnaryCallInit;
  #controller: AbortController | null = null;
  #timer: NodeJS.Timeout | undefined;
  #gone = false;
  #ended = false;
  #requestHeader: Headers | null = null;
  #responseHeader: Headers | null = null;
  #responseTrailer: Headers | null = null;

  constructor(call: UnaryCallInit) {
    this.#call = call;
    this.values = createContextValues().set(identityKey, call.caller);
  }

  get method() {
    return this.#call.method;
  }

  get service() {
    return this.#call.method.parent;
  }

  get url(): string {
    const { ':scheme': scheme, ':authority': authority, host, ':path': path } = this.#call.headers;
    return `${scheme}://${authority ?? host}${path}`;
  }

  /** The signal of the call; its reasons are PassthruErrors. */
  get signal(): AbortSignal {
    if (this.#controller === null) {
      const controller = new AbortController();
      this.#controller = controller;
      const { endsAt, stopping } = this.#call;
      if (this.#gone) controller.abort(callerGone(endsAt));
      // A timer would fire after the next turn of the event loop only.
      else if (endsAt !== null && endsAt <= performance.now()) controller.abort(deadlinePassed());
      else {
        stopping.add(controller);
        if (endsAt !== null) {
          this.#timer = setTimeout(() => controller.abort(deadlinePassed()), Math.max(0, endsAt - performance.now()));
        }
      }
    }
    return this.#controller.signal;
  }

  /** Null when the caller set none. */
  get deadline(): Date | null {
    const remaining = this.timeoutMs();
    return remaining === undefined ? null : new Date(Date.now() + remaining);
  }

  timeoutMs(): number | undefined {
    const { endsAt } = this.#call;
    return endsAt === null ? undefined : endsAt - performance.now();
  }

  get requestHeader(): Headers {
    this.#requestHeader ??= toWebHeaders(this.#call.headers);
    return this.#requestHeader;
  }

  get responseHeader(): Headers {
    this.#responseHeader ??= new Headers();
    return this.#responseHeader;
  }

  get responseTrailer(): Headers {
    this.#responseTrailer ??= new Headers();
    return this.#responseTrailer;
  }

  /** The headers and the trailers that the method has set; null for those that it has not asked for. */
  get set(): { header: Headers | null; trailer: Headers | null } {
    return { header: this.#responseHeader, trailer: this.#responseTrailer };
  }

  /** Fires the signal, as the caller has gone. */
  leave(): void {
    if (this.#ended) return;
    this.#gone = true;
    this.#controller?.abort(callerGone(this.#call.endsAt));
  }

  /** Ends the call: its signal no longer fires. */
  end(): void {
    this.#ended = true;
    clearTimeout(this.#timer);
    if (this.#controller !== null) this.#call.stopping.delete(this.#controller);
  }

  /** Nothing: the signal ends with the call. */
  [Symbol.dispose](): void {}
}

/** The calls that the end of the service aborts, with one listener for all. */
export class Stopping {
  readonly #signal: AbortSignal;
  readonly #calls = new Set<AbortController>();

  constructor(signal: AbortSignal) {
    this.#signal = signal;
    signal.addEventListener('abort', () => {
      for (const call of this.#calls) call.abort(signal.reason);
    });
  }

  add(call: AbortController): void {
    if (this.#signal.aborted) call.abort(this.#signal.reason);
    else this.#calls.add(call);
  }

  delete(call: AbortController): void {
    this.#calls.delete(call);
  }
}
