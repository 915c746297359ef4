/** The length of what an HTTP/2 connection begins with (RFC 9113, 3.4), in bytes. */
const PREFACE_LENGTH = 24;
/** The length of a frame without its payload, in bytes (RFC 9113, 4.1). */
const HEAD_LENGTH = 9;
const RST_STREAM = 3;

/**
 * How many streams a client resets in the first bytes of its connection. What a connection brings along before it is a
 * session is read in one go, and nghttp2 ends it for its resets only after that.
 */
export function countResets(bytes: Buffer): number {
  let count = 0;
  let at = PREFACE_LENGTH;
  while (at + HEAD_LENGTH <= bytes.length) {
    if (bytes[at + 3] === RST_STREAM) count += 1;
    at += HEAD_LENGTH + bytes.readUIntBE(at, 3);
  }
  return count;
}
