/** The bytes before a message: whether it is compressed, and its length (gRPC over HTTP/2, Length-Prefixed-Message). */
export const ENVELOPE_BYTES = 5;

/** A request that was read, as far as needed. */
interface Received {
  chunks: Uint8Array[];
  rest: AsyncIterator<Uint8Array>;
  /** Why reading ended early: the request broke off, or its caller was refused. */
  failure?: unknown;
}

/**
 * Reads a request until it ends, or exceeds `maxBytes` of message.
 * @param isEnveloped whether its message has an envelope
 */
export async function receiveMessage(
  body: AsyncIterable<Uint8Array>,
  maxBytes: number,
  isEnveloped: boolean,
): Promise<Received> {
  const received: Received = { chunks: [], rest: body[Symbol.asyncIterator]() };
  const { chunks, rest } = received;
  const before = isEnveloped ? ENVELOPE_BYTES : 0;
  let length = 0;
  try {
    for (let next = await rest.next(); next.done !== true; next = await rest.next()) {
      chunks.push(next.value);
      length += next.value.length;
      if (length > maxBytes + before) return received;
    }
  } catch (error) {
    return { ...received, failure: error };
  }
  return received;
}

/** A message in its envelope. */
interface Enveloped {
  isCompressed: boolean;
  content: Uint8Array;
}

/** Returns the message that is all of `bytes`; null when they are not one message in a known envelope. */
export function onlyMessage(bytes: Uint8Array): Enveloped | null {
  if (bytes.length < ENVELOPE_BYTES || bytes[0]! > 1) return null;
  const length = ((bytes[1]! << 24) | (bytes[2]! << 16) | (bytes[3]! << 8) | bytes[4]!) >>> 0;
  if (length !== bytes.length - ENVELOPE_BYTES) return null;
  return { isCompressed: bytes[0] === 1, content: bytes.subarray(ENVELOPE_BYTES) };
}

/** Yields a request as if nothing of it had been read. */
export async function* replay(received: Received): AsyncGenerator<Uint8Array> {
  const { chunks, rest } = received;
  try {
    yield* chunks;
    if ('failure' in received) throw received.failure;
    yield* { [Symbol.asyncIterator]: () => rest };
  } finally {
    // Connect stops early when a message is too large. Without this, what follows on the connection is never read.
    await rest.return?.();
  }
}

/** Returns the messages of the first complete envelopes of `bytes`, at most `count`. */
export function envelopesOf(bytes: Uint8Array, count: number): Enveloped[] {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const messages = [];
  for (let at = 0; messages.length < count && at + ENVELOPE_BYTES <= bytes.length; ) {
    const end = at + ENVELOPE_BYTES + view.getUint32(at + 1);
    if (end > bytes.length) break;
    messages.push({ isCompressed: (bytes[at]! & 1) === 1, content: bytes.subarray(at + ENVELOPE_BYTES, end) });
    at = end;
  }
  return messages;
}
