/** The types of frames (RFC 9113, 6). */
export const FRAME = {
  data: 0,
  headers: 1,
  priority: 2,
  reset: 3,
  settings: 4,
  ping: 6,
  windowUpdate: 8,
  continuation: 9,
} as const;

export const END_STREAM = 1;
export const END_HEADERS = 4;

/** The start of a client's connection, including an empty SETTINGS. */
export const HELLO = Buffer.concat([Buffer.from('PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n'), frame(FRAME.settings, 0, 0)]);

/** `GET /` and `POST /` at the authority `a`, by HPACK's static table. */
export const GET = Buffer.from([0x82, 0x86, 0x84, 0x41, 1, 0x61]);
export const POST = Buffer.from([0x83, 0x86, 0x84, 0x41, 1, 0x61]);

/** Returns an encoded frame. */
export function frame(type: number, flags: number, stream: number, payload: Uint8Array = new Uint8Array()): Buffer {
  const head = Buffer.alloc(9);
  head.writeUIntBE(payload.length, 0, 3);
  head[3] = type;
  head[4] = flags;
  head.writeUInt32BE(stream >>> 0, 5);
  return Buffer.concat([head, payload]);
}

/** Returns a number as frames encode it. */
export function word(value: number): Buffer {
  const bytes = Buffer.alloc(4);
  bytes.writeUInt32BE(value);
  return bytes;
}

/** Returns the id of the `index`th stream that a client opens, from 0. */
export function streamId(index: number): number {
  return 1 + 2 * index;
}

/** Returns a request that is reset immediately (CVE-2023-44487). */
export function rapidReset(index: number): Buffer {
  const id = streamId(index);
  return Buffer.concat([frame(FRAME.headers, END_STREAM | END_HEADERS, id, GET), frame(FRAME.reset, 0, id, word(8))]);
}
