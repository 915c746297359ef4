/** The encoding of each message that does not change; null until it is needed. */
const encodings = new WeakMap<object, Uint8Array | null>();

/**
 * Marks a message that never changes and is sent often, so that gRPC encodes it once: a list of methods, with the schemas of
 * their arguments, takes longer to encode than a call takes. Returns the message.
 */
export function encodeOnce<M extends object>(message: M): M {
  encodings.set(message, null);
  return message;
}

/** Returns the encoding of a message by `encode`, or the one kept of a message that never changes. */
export function encoded<M extends object>(message: M, encode: (message: M) => Uint8Array): Uint8Array {
  const kept = encodings.get(message);
  if (kept === undefined) return encode(message);
  if (kept !== null) return kept;
  const bytes = encode(message);
  encodings.set(message, bytes);
  return bytes;
}
