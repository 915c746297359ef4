import { Code, ConnectError, createHandlerContext, type MethodImplSpec } from '@connectrpc/connect';
import {
  compressionNegotiate,
  createAsyncIterable,
  createMethodSerializationLookup,
  encodeEnvelope,
  envelopeCompress,
  invokeUnaryImplementation,
  type UniversalHandlerFn,
  type UniversalHandlerOptions,
} from '@connectrpc/connect/protocol';
import {
  contentTypeProto,
  grpcStatusOk,
  headerAcceptEncoding,
  headerContentType,
  headerEncoding,
  headerGrpcStatus,
  headerTimeout,
  parseContentType,
  parseTimeout,
  setTrailerStatus,
} from '@connectrpc/connect/protocol-grpc';

export interface GrpcUnaryOptions
  extends Pick<
    UniversalHandlerOptions,
    'readMaxBytes' | 'writeMaxBytes' | 'maxTimeoutMs' | 'compressMinBytes' | 'acceptCompression'
  > {
  shutdownSignal?: AbortSignal | undefined;
}

/** The bytes before a message: whether it is compressed, and its length (gRPC over HTTP/2, Length-Prefixed-Message). */
export const ENVELOPE_BYTES = 5;

/** Why the signal of a call fires that has ended. One for all: an error of its own, with its stack, takes a tenth of a call. */
const ENDED = new Error('the call has ended');

/**
 * Serves what nearly every gRPC call is, one message in binary and uncompressed, in one go. Connect's own handler, made for
 * streams, passes it through nine generators, which takes more of the processor than a call under its lock. All that is out
 * of the common (JSON, compression, a message that is too large or malformed, a deadline over the maximum) is `connects`:
 * it is given the request as if nobody had read of it.
 */
export function grpcUnaryHandler(
  spec: MethodImplSpec & { kind: 'unary' },
  options: GrpcUnaryOptions,
  connects: UniversalHandlerFn,
): UniversalHandlerFn {
  const { readMaxBytes, maxTimeoutMs, acceptCompression, compressMinBytes, shutdownSignal } = options;
  const serialization = createMethodSerializationLookup(spec.method, undefined, undefined, options);
  const input = serialization.getI(true);
  const output = serialization.getO(true);

  return async (request) => {
    const { header } = request;
    const encoding = header.get(headerEncoding);
    const compression = compressionNegotiate(
      acceptCompression,
      encoding,
      header.get(headerAcceptEncoding),
      headerAcceptEncoding,
    );
    const timeout = parseTimeout(header.get(headerTimeout), maxTimeoutMs);
    const isPlain = request.method === 'POST' && parseContentType(header.get(headerContentType))?.binary === true;
    if (!isPlain || compression.request !== null || compression.error || timeout.error) return connects(request);

    const begun = performance.now();
    const read = await readMessage(request.body as AsyncIterable<Uint8Array>, readMaxBytes);
    const message = parsed(input.parse, read.bytes);
    if (message === null) return connects({ ...request, body: replayed(read) });

    const { timeoutMs } = timeout;
    const context = createHandlerContext({
      service: spec.method.parent,
      method: spec.method,
      protocolName: 'grpc',
      requestMethod: request.method,
      timeoutMs: timeoutMs === undefined ? undefined : timeoutMs - (performance.now() - begun),
      shutdownSignal,
      requestSignal: request.signal,
      requestHeader: header,
      url: request.url,
      responseHeader: { [headerContentType]: contentTypeProto },
      responseTrailer: { [headerGrpcStatus]: grpcStatusOk },
      contextValues: request.contextValues,
    });
    if (compression.response !== null) context.responseHeader.set(headerEncoding, compression.response.name);
    let body: AsyncIterable<Uint8Array> | undefined;
    try {
      const answer = output.serialize(await invokeUnaryImplementation(spec, context, message, []));
      const { flags, data } = await envelopeCompress(
        { flags: 0, data: answer },
        compression.response,
        compressMinBytes,
      );
      body = createAsyncIterable([encodeEnvelope(flags, data)]);
    } catch (error) {
      const told = error instanceof ConnectError ? error : new ConnectError('internal error', Code.Internal);
      setTrailerStatus(context.responseTrailer, told);
    }
    context.abort(ENDED);
    return { status: 200, header: context.responseHeader, body, trailer: context.responseTrailer };
  };
}

/** What was read of a request, and what is left to read. */
interface Read {
  chunks: Uint8Array[];
  rest: AsyncIterator<Uint8Array>;
  /** Why there is nothing left to read: the request broke off, or its caller is not let in. */
  failure?: unknown;
}

/** Reads a request that is one uncompressed message of at most `most` bytes, and its `bytes`; of another as far as that shows. */
async function readMessage(body: AsyncIterable<Uint8Array>, most: number): Promise<Read & { bytes?: Uint8Array }> {
  const read: Read & { bytes?: Uint8Array } = { chunks: [], rest: body[Symbol.asyncIterator]() };
  let length = 0;
  try {
    for (let next = await read.rest.next(); next.done !== true; next = await read.rest.next()) {
      read.chunks.push(next.value);
      length += next.value.length;
      if (length > most + ENVELOPE_BYTES) return read;
    }
  } catch (error) {
    return { ...read, failure: error };
  }
  const all = read.chunks.length === 1 ? (read.chunks[0] as Uint8Array) : Buffer.concat(read.chunks);
  if (all.length < ENVELOPE_BYTES || all[0] !== 0) return read;
  const { buffer, byteOffset } = all;
  if (new DataView(buffer, byteOffset).getUint32(1) === all.length - ENVELOPE_BYTES)
    read.bytes = all.subarray(ENVELOPE_BYTES);
  return read;
}

async function* replayed(read: Read): AsyncGenerator<Uint8Array> {
  yield* read.chunks;
  if ('failure' in read) throw read.failure;
  yield* { [Symbol.asyncIterator]: () => read.rest };
}

/** Null when `bytes` are no such message: Connect's handler tells that. */
function parsed<M>(parse: (bytes: Uint8Array) => M, bytes: Uint8Array | undefined): M | null {
  if (bytes === undefined) return null;
  try {
    return parse(bytes);
  } catch {
    return null;
  }
}
