import { constants, type OutgoingHttpHeaders, type ServerHttp2Stream } from 'node:http2';
import { Code, type ConnectError } from '@connectrpc/connect';
import { contentTypeProto, setTrailerStatus } from '@connectrpc/connect/protocol-grpc';
import { REQUEST_ID_HEADER } from '../edge/requestScope.ts';
import { ENVELOPE_BYTES } from './receivedMessage.ts';
import { toNodeHeaders } from './universal.ts';

const REQUEST_ID = REQUEST_ID_HEADER.toLowerCase();

/** Up to how many bytes a message is copied behind its envelope: both are one write then. */
const COPIED_BYTES = 16 * 1024;

const WITH_TRAILERS = { waitForTrailers: true };
const OK: OutgoingHttpHeaders = { 'grpc-status': '0' };

/** What a method adds to its response; null for nothing. */
interface Metadata {
  readonly header: Headers | null;
  readonly trailer: Headers | null;
}

/** Sends the response of a successful gRPC call: its message, compressed if `encoding` is given and `isCompressed`. */
export function sendMessage(
  stream: ServerHttp2Stream,
  requestId: string,
  message: Uint8Array,
  { isCompressed, encoding }: { isCompressed: boolean; encoding: string | null },
  { header, trailer }: Metadata,
): void {
  const headers = responseHeaders(requestId, header);
  if (encoding !== null) headers['grpc-encoding'] = encoding;
  sendHead(stream, headers, trailer === null ? OK : { ...OK, ...toNodeHeaders(trailer) });
  const isCopied = message.length <= COPIED_BYTES;
  const envelope = Buffer.allocUnsafe(ENVELOPE_BYTES + (isCopied ? message.length : 0));
  envelope[0] = isCompressed ? 1 : 0;
  envelope.writeUInt32BE(message.length, 1);
  if (isCopied) {
    envelope.set(message, ENVELOPE_BYTES);
    stream.end(envelope);
  } else {
    stream.write(envelope);
    stream.end(message);
  }
}

/** Sends the status of a failed gRPC call. Throws for a text that ends within a surrogate pair. */
export function sendStatus(
  stream: ServerHttp2Stream,
  requestId: string,
  error: ConnectError,
  { header, trailer }: Metadata,
): void {
  const trailers = toNodeHeaders(setTrailerStatus(trailer ?? new Headers(), error));
  sendHead(stream, responseHeaders(requestId, header), trailers);
  stream.end();
}

/** Ends a call whose response could not be written, so that its caller does not wait for it. */
export function sendUnwritten(stream: ServerHttp2Stream): void {
  if (stream.destroyed || stream.closed || stream.writableEnded) return;
  if (stream.headersSent) {
    stream.close(constants.NGHTTP2_INTERNAL_ERROR);
    return;
  }
  // A Trailers-Only response (gRPC over HTTP/2, Responses).
  stream.respond(
    {
      'content-type': contentTypeProto,
      'grpc-status': String(Code.Internal),
      'grpc-message': 'the response could not be written',
    },
    { endStream: true },
  );
}

/** Begins a response that `trailers` end. */
export function sendHead(stream: ServerHttp2Stream, headers: OutgoingHttpHeaders, trailers: OutgoingHttpHeaders): void {
  stream.on('wantTrailers', () => stream.sendTrailers(trailers));
  stream.respond(headers, WITH_TRAILERS);
}

export function responseHeaders(requestId: string, added: Headers | null): OutgoingHttpHeaders {
  const headers: OutgoingHttpHeaders = { ':status': 200, 'content-type': contentTypeProto, [REQUEST_ID]: requestId };
  return added === null ? headers : { ...toNodeHeaders(added), ...headers };
}
