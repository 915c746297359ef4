import { create } from 'content-disposition';
import type { Attachment } from '../core/method.ts';
import type { Exchange } from './context.ts';
import { sendBody } from './response.ts';

/** Sends an attachment with the headers that let a client save it. */
export function sendAttachment(
  exchange: Exchange,
  { data, mediaType, fileName }: Attachment,
  headers: readonly string[] = [],
): void {
  sendBody(exchange, 200, safeMediaType(mediaType), data, [
    'Content-Disposition',
    contentDisposition(fileName),
    // The bytes may be a page made by a BMC, which must not run in the service's origin.
    'X-Content-Type-Options',
    'nosniff',
    ...headers,
  ]);
}

/** Returns the Content-Disposition header (RFC 6266) of a file name, without its directories and control characters. */
export function contentDisposition(fileName: string | null): string {
  const base = (fileName ?? '').toWellFormed().split(/[/\\]/).at(-1) ?? '';
  const name = base.replace(/\p{Cc}/gu, '').trim();
  return create(['', '.', '..'].includes(name) ? undefined : name);
}

/** Returns the media type if it is a valid header value (RFC 9110, 8.3.1), else `application/octet-stream`. */
export function safeMediaType(mediaType: string): string {
  const isValid =
    /^[\w!#$&^.+-]+\/[\w!#$&^.+-]+([ \t]*;[ \t]*[\w!#$&^.+-]+=([\w!#$&^.+-]+|"[\x20\x21\x23-\x5b\x5d-\x7e]*"))*$/.test(
      mediaType,
    );
  return isValid ? mediaType : 'application/octet-stream';
}
