import { invalidArgument, PassthruError } from '../core/errors.ts';
import { refuseInexactNumbers } from '../core/exactNumbers.ts';
import { isJsonObject, type Json, type JsonObject, MAX_DEPTH, nestsDeeperThan } from '../core/json.ts';
import { type HttpRequest, MAX_DROPPED_BYTES } from '../http/message.ts';

/** Maximum size of a body, in bytes. */
const MAX_BODY_BYTES = 1024 * 1024;

const decoder = new TextDecoder('utf-8', { fatal: true });

/**
 * Whether a request may have a body: an HTTP/1.1 request with neither header has none (RFC 9112, 6.3). HTTP/2 signals the end
 * of the stream.
 */
export function hasBody({ httpVersionMajor, headers }: HttpRequest): boolean {
  return (
    httpVersionMajor !== 1 || headers['content-length'] !== undefined || headers['transfer-encoding'] !== undefined
  );
}

/**
 * Reads the body of a request that may have one to its end, regardless of its Content-Length. Throws `too_large` over 1 MiB,
 * `cancelled` if the client disconnects.
 * @param keep whether to return the body; otherwise it is discarded
 */
export function readBody(request: HttpRequest, keep = true): Promise<Buffer> {
  return new Promise((resolve, reject) => {
    const chunks: Buffer[] = [];
    let length = 0;
    const onClose = () => {
      // Every request closes eventually; creating an unused error would cost as much as reading the body.
      if (!request.readableEnded) reject(new PassthruError('cancelled', 'The caller disconnected'));
    };
    // Closed during authentication.
    if (request.destroyed) return onClose();
    request.on('data', (chunk: Buffer) => {
      length += chunk.length;
      if (length > MAX_DROPPED_BYTES) {
        reject(tooLarge());
        request.destroy();
      } else if (length > MAX_BODY_BYTES) chunks.length = 0;
      else if (keep) chunks.push(chunk);
    });
    request.on('end', () => {
      if (length > MAX_BODY_BYTES) reject(tooLarge());
      else resolve(chunks.length === 1 ? (chunks[0] as Buffer) : Buffer.concat(chunks));
    });
    // An HTTP/1.1 request emits an error only to those who listen for one, and is closed too.
    if ('stream' in request) request.on('error', onClose);
    request.on('close', onClose);
  });
}

/**
 * Parses a body as JSON, regardless of its content type; undefined when it is empty.
 * Throws `invalid_argument` for invalid UTF-8 or JSON, more than 30 levels, numbers that would be changed, and strings that
 * neither a store nor a Protobuf message can hold. No message contains a part of the body, which may be a secret.
 */
export function parseBody(body: Buffer): Json | undefined {
  if (body.length === 0) return undefined;
  let document: Json;
  let text: string;
  try {
    text = decoder.decode(body);
    document = JSON.parse(text) as Json;
  } catch {
    throw invalidArgument('body', 'The request body is not valid JSON in UTF-8');
  }
  if (nestsDeeperThan(document))
    throw invalidArgument('body', `The request body nests deeper than ${MAX_DEPTH} levels`);
  // Only an escape makes one: the bytes are valid UTF-8, and JSON has no null character in a string.
  if (text.includes('\\u') && holdsBrokenText(document)) {
    throw invalidArgument(
      'body',
      'The request body contains a string with a null character or half of a surrogate pair',
    );
  }
  refuseInexactNumbers(text, 'body');
  return document;
}

/** Parses a body that must be a JSON object; an empty one counts as `{}`. Throws as `parseBody`. */
export function parseObjectBody(body: Buffer): JsonObject {
  const document = body.length === 0 ? {} : parseBody(body);
  if (!isJsonObject(document)) throw invalidArgument('body', 'The request body must be a JSON object');
  return document;
}

function holdsBrokenText(value: Json): boolean {
  if (typeof value === 'string') return value.includes('\0') || !value.isWellFormed();
  if (typeof value !== 'object' || value === null) return false;
  if (Array.isArray(value)) return value.some(holdsBrokenText);
  return Object.entries(value).some(([key, member]) => holdsBrokenText(key) || holdsBrokenText(member));
}

function tooLarge(): PassthruError {
  return new PassthruError('too_large', `The request body is larger than ${MAX_BODY_BYTES} bytes`);
}
