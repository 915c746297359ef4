import { create, type DescMessage, type MessageShape } from '@bufbuild/protobuf';
import { Code, ConnectError, type MethodImplSpec } from '@connectrpc/connect';
import { createMethodSerializationLookup, type UniversalHandlerFn } from '@connectrpc/connect/protocol';
import { compressionGzip } from '@connectrpc/connect-node';
import type { Access } from '../auth/access.ts';
import type { Action } from '../auth/actions.ts';
import type { Caller } from '../core/caller.ts';
import type { Logger } from '../core/logger.ts';
import type { CallsInFlight } from '../edge/callsInFlight.ts';
import { openScope, type RequestScope, requestScope } from '../edge/requestScope.ts';
import { requestAuthority, type StreamHandler, type StreamRequest } from '../http/message.ts';
import { serveTogether } from '../http/serveTogether.ts';
import { encoded } from './encodedOnce.ts';
import { type GrpcHead, readGrpcHead } from './grpcHead.ts';
import { sendMessage, sendStatus, sendUnwritten } from './grpcResponse.ts';
import { handOn } from './handOn.ts';
import { identify, tooLarge } from './identify.ts';
import { ENVELOPE_BYTES, onlyMessage } from './receivedMessage.ts';
import { type Stopping, UnaryContext } from './unaryContext.ts';
import { dropRest } from './universal.ts';

/** A method with everything about it that does not change between calls. */
export interface UnaryMethod {
  spec: MethodImplSpec & { kind: 'unary' };
  /** The path without its leading slash, for logs. */
  name: string;
  action: Action | undefined;
  isOpen: boolean;
  /** Connect's handler. */
  handle: UniversalHandlerFn;
}

interface GrpcUnaryOptions {
  access: Access;
  calls: CallsInFlight;
  log: Logger;
  stopping: Stopping;
  /** The largest messages, in bytes. */
  readMaxBytes: number;
  writeMaxBytes: number;
  maxTimeoutMs: number;
  /** From how many bytes on a response is compressed. */
  compressMinBytes: number;
}

/** A method with its codecs. */
interface Served extends UnaryMethod {
  parse(bytes: Uint8Array): MessageShape<DescMessage>;
  serialize(message: MessageShape<DescMessage>): Uint8Array;
}

/**
 * Returns a fast handler for the usual gRPC call: one binary message, also compressed. Connect's own handler, made for streams of
 * all protocols, takes several times as long as a call under its lock. It serves what is left: other media types, requests of
 * pages, and, with what was read, messages that are malformed, too large or more than one.
 * @param methods by path
 */
export function grpcUnaryHandler(methods: ReadonlyMap<string, UnaryMethod>, options: GrpcUnaryOptions): StreamHandler {
  const served = new Map<string | undefined, Served>();
  for (const [path, method] of methods) {
    const serialization = createMethodSerializationLookup(method.spec.method, undefined, undefined, options);
    served.set(path, {
      ...method,
      parse: serialization.getI(true).parse,
      serialize: serialization.getO(true).serialize,
    });
  }
  // Clients address the service by one name.
  let lastAuthority: string | undefined;
  const isAuthority = (authority = '') => {
    if (authority === lastAuthority) return true;
    if (!URL.canParse(`http://${authority}`)) return false;
    lastAuthority = authority;
    return true;
  };
  return (request) => {
    const { headers } = request;
    const method = served.get(headers[':path'] as string | undefined);
    if (method === undefined) return false;
    const head = readGrpcHead(headers, options.maxTimeoutMs);
    if (head === null || !isAuthority(requestAuthority(request))) return false;
    new UnaryCall(request, head, method, options).begin();
    return true;
  };
}

/** One call, from its header to its status. */
class UnaryCall {
  readonly #request: StreamRequest;
  readonly #head: GrpcHead;
  readonly #method: Served;
  readonly #options: GrpcUnaryOptions;
  readonly #scope: RequestScope;
  /** The deadline by the monotonic clock; null without one. */
  readonly #endsAt: number | null;
  #caller: Caller | null = null;
  /** The error of a caller who is not authenticated. */
  #refusal: unknown = null;
  readonly #chunks: Uint8Array[] = [];
  #length = 0;
  /** Whether the request is served, as it is complete or too large. */
  #isServed = false;
  #context: UnaryContext | null = null;

  constructor(request: StreamRequest, head: GrpcHead, method: Served, options: GrpcUnaryOptions) {
    this.#request = request;
    this.#head = head;
    this.#method = method;
    this.#options = options;
    this.#scope = openScope(request, 'grpc');
    this.#endsAt = head.timeoutMs === null ? null : performance.now() + head.timeoutMs;
  }

  begin(): void {
    const { stream } = this.#request;
    stream.on('error', ignore);
    stream.on('close', () => this.#context?.leave());
    requestScope.run(this.#scope, () => this.#identify());
  }

  /** Authenticates the caller, and then reads the message: until then it waits at its sender. */
  #identify(): void {
    const { access, calls, log } = this.#options;
    const { socket, stream } = this.#request;
    const begin = (caller: Caller | null) =>
      calls.begin({ caller, isWatch: false, request: { socket }, response: stream });
    const identity = identify(this.#request, this.#method, access, begin, log);
    if (!(identity instanceof Promise)) {
      this.#read(identity);
      return;
    }
    void identity.then(
      (caller) => this.#read(caller),
      (refusal) => {
        this.#refusal = refusal;
        this.#read(null);
      },
    );
  }

  #read(caller: Caller | null): void {
    const { stream } = this.#request;
    this.#caller = caller;
    // A request that breaks off ends too, once its stream is closed.
    const ended = () => {
      if (!stream.closed) this.#begin();
    };
    // A request without a message ends unread, before a caller who is identified late.
    if (stream.readableEnded) ended();
    else stream.on('data', (chunk: Buffer) => this.#take(chunk)).on('end', ended);
  }

  #take(chunk: Buffer): void {
    this.#length += chunk.length;
    if (this.#refusal === null) this.#chunks.push(chunk);
    if (!this.#isTooLarge) return;
    this.#request.stream.pause().removeAllListeners('data');
    this.#begin();
  }

  get #isTooLarge(): boolean {
    return this.#length > this.#options.readMaxBytes + ENVELOPE_BYTES;
  }

  #begin(): void {
    if (this.#isServed) return;
    this.#isServed = true;
    void requestScope.run(this.#scope, () => this.#serve());
  }

  async #serve(): Promise<void> {
    const { stream } = this.#request;
    let context: UnaryContext | null = null;
    await serveTogether();
    if (stream.closed) return;
    try {
      const { compressMinBytes, stopping } = this.#options;
      if (this.#refusal !== null) return this.#refuse();
      if (this.#isTooLarge) return this.#handOn();
      const content = this.#content();
      const message = this.#parse(content instanceof Promise ? await content : content);
      if (message === null) return this.#handOn();

      const { spec, serialize } = this.#method;
      const { headers } = this.#request;
      const caller = this.#caller;
      context = new UnaryContext({ method: spec.method, headers, caller, endsAt: this.#endsAt, stopping });
      this.#context = context;
      if (stream.destroyed) context.leave();
      const result = await spec.impl(message, context);
      let response = encoded(create(spec.method.output, result), serialize);
      const isCompressed = this.#head.acceptsGzip && response.length >= compressMinBytes;
      if (isCompressed) response = await compressionGzip.compress(response as Uint8Array<ArrayBuffer>);
      context.end();
      if (stream.closed) return;
      const encoding = this.#head.acceptsGzip ? compressionGzip.name : null;
      sendMessage(stream, this.#scope.id, response, { isCompressed, encoding }, context.set);
    } catch (error) {
      context?.end();
      this.#fail(error, context);
    }
  }

  /** Returns the decompressed content of the message; null when the request is not one message. */
  #content(): Uint8Array | null | Promise<Uint8Array | null> {
    const bytes = this.#chunks.length === 1 ? this.#chunks[0]! : Buffer.concat(this.#chunks);
    const message = onlyMessage(bytes);
    if (message === null || !message.isCompressed) return message?.content ?? null;
    if (!this.#head.isGzip) return null;
    const { content } = message;
    return compressionGzip.decompress(content as Uint8Array<ArrayBuffer>, this.#options.readMaxBytes).catch(() => null);
  }

  /** Returns the message; null when it is malformed, which Connect's handler reports. */
  #parse(content: Uint8Array | null): MessageShape<DescMessage> | null {
    if (content === null) return null;
    try {
      return this.#method.parse(content);
    } catch {
      return null;
    }
  }

  #refuse(): void {
    const { stream } = this.#request;
    stream.once('finish', () => dropRest(stream));
    const maxBytes = this.#options.readMaxBytes + ENVELOPE_BYTES;
    this.#fail(this.#isTooLarge ? tooLarge(maxBytes) : this.#refusal, null);
  }

  #handOn(): void {
    const received = { chunks: this.#chunks, caller: this.#caller, requestId: this.#scope.id };
    void handOn(this.#request, received, this.#method, this.#options.log);
  }

  /** Sends the status of a call that has failed. */
  #fail(thrown: unknown, context: UnaryContext | null): void {
    const { stream } = this.#request;
    if (stream.closed) return;
    try {
      if (stream.headersSent) throw thrown;
      const error = thrown instanceof ConnectError ? thrown : new ConnectError('internal error', Code.Internal);
      sendStatus(stream, this.#scope.id, error, context?.set ?? NOTHING);
    } catch (error) {
      this.#options.log.debug({ err: error, method: this.#method.name }, 'RPC response not sent');
      sendUnwritten(stream);
    }
  }
}

const NOTHING = { header: null, trailer: null };

function ignore(): void {}
