import { promisify } from 'node:util';
import { brotliDecompress, gunzip, inflate } from 'node:zlib';
import { invalidArgument, PassthruError } from '../core/errors.ts';
import type { HttpRequest } from '../http/message.ts';

const DECODERS: Readonly<Record<string, (body: Buffer, options: { maxOutputLength: number }) => Promise<Buffer>>> = {
  gzip: promisify<Buffer, object, Buffer>(gunzip),
  'x-gzip': promisify<Buffer, object, Buffer>(gunzip),
  deflate: promisify<Buffer, object, Buffer>(inflate),
  br: promisify<Buffer, object, Buffer>(brotliDecompress),
};

/**
 * Returns the body of a request as text, whatever its media type: BMCs name others, or none. Compressed bodies are accepted.
 * @param max bytes, before and after decompression
 * @throws kind `too_large`, `invalid_argument`, or `cancelled` when the client leaves
 */
export async function readBody(request: HttpRequest, max: number): Promise<string> {
  const encoding = String(request.headers['content-encoding'] ?? 'identity')
    .trim()
    .toLowerCase();
  if (encoding !== 'identity' && !Object.hasOwn(DECODERS, encoding)) {
    throw invalidArgument('Content-Encoding', `must be one of identity, ${Object.keys(DECODERS).join(', ')}`);
  }
  if (Number(request.headers['content-length']) > max) throw tooLarge(max);
  const body = await collect(request, max);
  return (encoding === 'identity' ? body : await decode(body, encoding, max)).toString();
}

function collect(request: HttpRequest, max: number): Promise<Buffer> {
  const { promise, resolve, reject } = Promise.withResolvers<Buffer>();
  const chunks: Buffer[] = [];
  let size = 0;
  const left = () => {
    // Every request closes; an error that nobody gets would cost as much as reading the body.
    if (!request.readableEnded) reject(new PassthruError('cancelled', 'The client has left'));
  };
  // Both may have come about while the sender was looked up; a request without a body has ended from the beginning.
  if (request.readableEnded) resolve(Buffer.alloc(0));
  else if (request.destroyed) left();
  request.on('data', (chunk: Buffer) => {
    size += chunk.length;
    if (size <= max) chunks.push(chunk);
    else {
      request.pause();
      reject(tooLarge(max));
    }
  });
  request.on('end', () => resolve(chunks.length === 1 ? chunks[0]! : Buffer.concat(chunks)));
  request.on('error', left);
  request.on('close', left);
  return promise;
}

async function decode(body: Buffer, encoding: string, max: number): Promise<Buffer> {
  try {
    return await DECODERS[encoding]!(body, { maxOutputLength: max });
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ERR_BUFFER_TOO_LARGE') throw tooLarge(max);
    throw invalidArgument('body', `is not ${encoding}`, `The body is not ${encoding}`);
  }
}

function tooLarge(max: number): PassthruError {
  return new PassthruError('too_large', `The body is longer than ${max} bytes`);
}
