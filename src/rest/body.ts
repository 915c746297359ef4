import { PassthruError } from '../core/errors.ts';
import { isJsonObject, type Json, type JsonObject, MAX_DEPTH, nestsDeeperThan } from '../core/json.ts';
import type { HttpRequest } from '../http/message.ts';

/** The largest body, in bytes. */
export const MAX_BODY_BYTES = 1024 * 1024;

/**
 * How much of a body that is too large is read and dropped, in bytes, so that a client that sends all before it
 * listens gets its 413. Whoever sends more is cut off.
 */
const MAX_DROPPED_BYTES = 16 * 1024 * 1024;

const EMPTY = Buffer.alloc(0);
const decoder = new TextDecoder('utf-8', { fatal: true });

/**
 * Reads a request's body to its end, whatever its Content-Length says.
 * Throws `too_large` over 1 MiB, `cancelled` when the client leaves.
 */
export function readBody(request: HttpRequest): Promise<Buffer> {
  return receive(request, true);
}

/** As `readBody`, of a body that nobody wants: nothing of it is kept. */
export async function dropBody(request: HttpRequest): Promise<void> {
  await receive(request, false);
}

function receive(request: HttpRequest, keep: boolean): Promise<Buffer> {
  // RFC 9112, 6.3: an HTTP/1.1 request without both has no body. HTTP/2 says by itself that there is none.
  if (
    request.httpVersionMajor === 1 &&
    request.headers['content-length'] === undefined &&
    request.headers['transfer-encoding'] === undefined
  ) {
    return Promise.resolve(EMPTY);
  }
  return new Promise((resolve, reject) => {
    const chunks: Buffer[] = [];
    let length = 0;
    const gone = () => {
      // Every request closes in the end; an error made for nothing would cost as much as reading the body.
      if (!request.readableEnded) reject(new PassthruError('cancelled', 'The caller went away'));
    };
    // While it was asked who calls.
    if (request.destroyed) return gone();
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
    request.on('error', gone);
    request.on('close', gone);
  });
}

/**
 * The JSON document that a body holds, whatever its content type; undefined when it is empty.
 * Throws `invalid_argument` for bytes that are not UTF-8, malformed JSON, more than 30 levels, and strings that no
 * store and no Protobuf message could hold. No message repeats a part of the body: it may be a secret.
 */
export function parseBody(body: Buffer): Json | undefined {
  if (body.length === 0) return undefined;
  let document: Json;
  try {
    document = JSON.parse(decoder.decode(body)) as Json;
  } catch {
    throw badBody('The request body is not valid JSON in UTF-8');
  }
  if (nestsDeeperThan(document)) throw badBody(`The request body nests deeper than ${MAX_DEPTH} levels`);
  if (holdsBrokenText(document)) {
    throw badBody('The request body holds a string with a null character or half of a surrogate pair');
  }
  return document;
}

/** As `parseBody`, for a body that is a JSON object; an empty one counts as `{}`. */
export function parseObjectBody(body: Buffer): JsonObject {
  const document = body.length === 0 ? {} : parseBody(body);
  if (!isJsonObject(document)) throw badBody('The request body must be a JSON object');
  return document;
}

function holdsBrokenText(value: Json): boolean {
  if (typeof value === 'string') return value.includes('\0') || !value.isWellFormed();
  if (typeof value !== 'object' || value === null) return false;
  if (Array.isArray(value)) return value.some(holdsBrokenText);
  return Object.entries(value).some(([key, member]) => holdsBrokenText(key) || holdsBrokenText(member));
}

function badBody(message: string): PassthruError {
  return new PassthruError('invalid_argument', message, { violations: [{ field: 'body', description: message }] });
}

function tooLarge(): PassthruError {
  return new PassthruError('too_large', `The request body is larger than ${MAX_BODY_BYTES} bytes`);
}
