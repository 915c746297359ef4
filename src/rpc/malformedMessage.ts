import { type DescMethod, fromBinary } from '@bufbuild/protobuf';
import type { UniversalHandlerFn } from '@connectrpc/connect/protocol';
import { invalidArgument } from '../core/errors.ts';
import type { Logger } from '../core/logger.ts';
import { toConnectError } from './errors.ts';
import { receiveMessage, replay } from './receivedMessage.ts';

/** Media types of a binary message, in an envelope or not (the group). */
const BINARY = /^application\/(?:(proto)|connect\+proto|grpc(?:-web)?(?:\+proto)?)(?:;|$)/i;

interface MethodOptions {
  method: DescMethod;
  /** The path of the method without its leading slash, for logs. */
  name: string;
  readMaxBytes: number;
  log: Logger;
}

/**
 * Returns `handle` with a request whose binary message cannot be parsed (it nests too deep, a text is not UTF-8, it ends
 * early) refused as INVALID_ARGUMENT. Connect reports it as INTERNAL, as if the service had failed. Compressed messages and
 * streams of messages are left to Connect.
 */
export function refuseMalformed(handle: UniversalHandlerFn, options: MethodOptions): UniversalHandlerFn {
  const { method, name, readMaxBytes, log } = options;
  if (method.methodKind === 'client_streaming' || method.methodKind === 'bidi_streaming') return handle;
  return async (request) => {
    const { header } = request;
    const [type, plain] = BINARY.exec(header.get('Content-Type') ?? '') ?? [];
    const isCompressed = plain !== undefined && (header.get('Content-Encoding') ?? 'identity') !== 'identity';
    if (type === undefined || isCompressed || request.method !== 'POST') return handle(request);
    const received = await receiveMessage(request.body as AsyncIterable<Uint8Array>, readMaxBytes, plain === undefined);
    const isValid = received.message === undefined || parses(method, received.message);
    return handle({ ...request, body: isValid ? replay(received) : refused(name, log) });
  };
}

function parses({ input }: DescMethod, message: Uint8Array): boolean {
  try {
    fromBinary(input, message);
    return true;
  } catch {
    return false;
  }
}

/** A body that fails with the refusal, which Connect then sends in the form of the call's protocol. */
// biome-ignore lint/correctness/useYield: it fails at the first read
async function* refused(name: string, log: Logger): AsyncGenerator<Uint8Array> {
  const description = 'must be a valid message of at most 30 levels, with texts in UTF-8';
  throw toConnectError(invalidArgument('message', description, `The request ${description}`), log, name);
}
