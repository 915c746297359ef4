import { isUtf8 } from 'node:buffer';
import { type DescMethod, fromBinary } from '@bufbuild/protobuf';
import { Code, ConnectError } from '@connectrpc/connect';
import type { UniversalHandlerFn } from '@connectrpc/connect/protocol';
import { compressionGzip } from '@connectrpc/connect-node';
import { invalidArgument, type PassthruError } from '../core/errors.ts';
import { refuseInexactNumbers } from '../core/exactNumbers.ts';
import { type Json, nestsDeeperThan } from '../core/json.ts';
import type { Logger } from '../core/logger.ts';
import { toConnectError } from './errors.ts';
import { envelopesOf, receiveMessage, replay } from './receivedMessage.ts';

/** Media types of a message: alone, or in an envelope of Connect's streams, gRPC or gRPC-Web (the groups). */
const MEDIA_TYPE =
  /^application\/(?:(?<alone>proto|json)|connect\+(?<connect>proto|json)|grpc(?:-web)?(?:\+(?<grpc>proto|json))?)(?:;|$)/i;

/** The levels that Connect accepts. */
const CONNECT_DEPTH = 100;

interface MethodOptions {
  method: DescMethod;
  /** The path of the method without its leading slash, for logs. */
  name: string;
  readMaxBytes: number;
  log: Logger;
}

/** How the messages of a request are written. */
interface Format {
  isJson: boolean;
  isEnveloped: boolean;
  isGzip: boolean;
}

/**
 * Returns `handle` with a request refused as INVALID_ARGUMENT whose message cannot be decompressed or parsed (it nests too
 * deep, a text is not UTF-8, it ends early), or has a number that would be stored as another one. Connect reports most of
 * them as INTERNAL, as if the service had failed. What breaks the rules of a protocol (the number of messages, their size,
 * an unknown compression) is left to Connect, and so are streams of messages.
 */
export function refuseMalformed(handle: UniversalHandlerFn, options: MethodOptions): UniversalHandlerFn {
  const { method, name, readMaxBytes, log } = options;
  if (method.methodKind === 'client_streaming' || method.methodKind === 'bidi_streaming') return handle;
  return async (request) => {
    const format = formatOf(request.header);
    if (format === null || request.method !== 'POST') return handle(request);
    const received = await receiveMessage(request.body as AsyncIterable<Uint8Array>, readMaxBytes, format.isEnveloped);
    const fault = 'failure' in received ? null : await findFault(received.chunks, format, method, readMaxBytes);
    return handle({ ...request, body: fault === null ? replay(received) : refused(fault, name, log) });
  };
}

/** Returns how a request's messages are written; null for an unknown media type. */
function formatOf(header: Headers): Format | null {
  const match = MEDIA_TYPE.exec(header.get('Content-Type') ?? '');
  if (match === null) return null;
  const { alone, connect, grpc } = match.groups as Partial<Record<'alone' | 'connect' | 'grpc', string>>;
  const encoding = alone ? 'Content-Encoding' : connect ? 'Connect-Content-Encoding' : 'Grpc-Encoding';
  return {
    isJson: (alone ?? connect ?? grpc)?.toLowerCase() === 'json',
    isEnveloped: alone === undefined,
    isGzip: header.get(encoding) === compressionGzip.name,
  };
}

/** As many as Connect reads: it refuses the second. To check more would let 1 MiB, decompressed, cost half a minute. */
const MAX_MESSAGES = 2;

/** Returns why one of the first messages of `chunks` is refused; null when none is. */
async function findFault(
  chunks: readonly Uint8Array[],
  { isJson, isEnveloped, isGzip }: Format,
  method: DescMethod,
  maxBytes: number,
): Promise<PassthruError | null> {
  const all = chunks.length === 1 ? chunks[0]! : Buffer.concat(chunks);
  const messages = isEnveloped ? envelopesOf(all, MAX_MESSAGES) : [{ isCompressed: isGzip, content: all }];
  for (const { isCompressed, content } of messages) {
    // Connect has a code of its own for a compression that the request does not name.
    if (isCompressed && !isGzip) continue;
    try {
      const message = isCompressed ? await decompress(content, maxBytes) : content;
      // Too large.
      if (message === null || message.length > maxBytes) continue;
      if (isJson) checkJson(message);
      else checkBinary(method, message);
    } catch (error) {
      return error as PassthruError;
    }
  }
  return null;
}

/** Returns the decompressed message; null when it is larger than `maxBytes`. */
async function decompress(content: Uint8Array, maxBytes: number): Promise<Uint8Array | null> {
  try {
    return await compressionGzip.decompress(content as Uint8Array<ArrayBuffer>, maxBytes);
  } catch (error) {
    if (ConnectError.from(error).code === Code.ResourceExhausted) return null;
    throw invalidMessage('must be compressed as it says, with gzip');
  }
}

function checkBinary({ input }: DescMethod, message: Uint8Array): void {
  try {
    fromBinary(input, message);
  } catch {
    throw invalidMessage('must be a valid message of at most 30 levels, with texts in UTF-8');
  }
}

/** Repeats no part of the message, which may be a secret. */
function checkJson(message: Uint8Array): void {
  const text = Buffer.from(message.buffer, message.byteOffset, message.byteLength).toString();
  let document: Json;
  try {
    if (!isUtf8(message)) throw new SyntaxError();
    document = JSON.parse(text) as Json;
  } catch {
    throw invalidMessage('must be valid JSON in UTF-8');
  }
  // Connect refuses what is deeper.
  if (!nestsDeeperThan(document, CONNECT_DEPTH)) refuseInexactNumbers(text, 'message');
}

function invalidMessage(description: string): PassthruError {
  return invalidArgument('message', description, `The request ${description}`);
}

/** A body that fails with the refusal, which Connect then sends in the form of the call's protocol. */
// biome-ignore lint/correctness/useYield: it fails at the first read
async function* refused(fault: PassthruError, name: string, log: Logger): AsyncGenerator<Uint8Array> {
  throw toConnectError(fault, log, name);
}
