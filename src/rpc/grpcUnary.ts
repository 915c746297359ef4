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
import { encoded } from './encodedOnce.ts';
import { receiveMessage, replay } from './receivedMessage.ts';

type Options = Pick<
  UniversalHandlerOptions,
  'readMaxBytes' | 'writeMaxBytes' | 'maxTimeoutMs' | 'compressMinBytes' | 'acceptCompression' | 'shutdownSignal'
>;

/** The abort reason of ended calls. One for all: an error per call, with its stack, would cost a tenth of a call. */
const ENDED = new Error('the call has ended');

/**
 * Returns a fast handler for the usual gRPC call: one uncompressed binary message. Connect's own handler, made for
 * streams, passes it through nine generators, which costs more processor time than a call under its lock. Anything else
 * (JSON, compression, oversized or malformed messages, a timeout over the maximum) falls back to `fallback`, Connect's
 * handler, with the body replayed.
 */
export function grpcUnaryHandler(
  spec: MethodImplSpec & { kind: 'unary' },
  options: Options,
  fallback: UniversalHandlerFn,
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
    if (!isPlain || compression.request !== null || compression.error || timeout.error) return fallback(request);

    const begun = performance.now();
    const received = await receiveMessage(request.body as AsyncIterable<Uint8Array>, readMaxBytes);
    const message = tryParse(input.parse, received.message);
    if (message === null) return fallback({ ...request, body: replay(received) });

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
      const response = encoded(await invokeUnaryImplementation(spec, context, message, []), output.serialize);
      const { flags, data } = await envelopeCompress(
        { flags: 0, data: response },
        compression.response,
        compressMinBytes,
      );
      body = createAsyncIterable([encodeEnvelope(flags, data)]);
    } catch (error) {
      const status = error instanceof ConnectError ? error : new ConnectError('internal error', Code.Internal);
      setTrailerStatus(context.responseTrailer, status);
    }
    context.abort(ENDED);
    return { status: 200, header: context.responseHeader, body, trailer: context.responseTrailer };
  };
}

/** Returns the parsed message; null when it is absent or malformed, which `fallback` reports. */
function tryParse<M>(parse: (bytes: Uint8Array) => M, bytes: Uint8Array | undefined): M | null {
  if (bytes === undefined) return null;
  try {
    return parse(bytes);
  } catch {
    return null;
  }
}
