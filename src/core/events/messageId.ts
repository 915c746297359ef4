/** The parts of a message id (DSP0266, "MessageId format"): `Registry.1.0.Message`, with or without a version. */
export interface MessageParts {
  /** As sent; '' when the id names none. */
  registry: string;
  /** As sent; '' when the id ends with the registry, or its version. */
  message: string;
}

/** Bounds the memory for ids, which senders choose; those of a fleet are few. */
const MAX_KNOWN = 1000;
const MAX_LENGTH = 200;
const known = new Map<string, MessageParts>();

/** Returns the parts of a message id. BMCs leave out the version, or the registry. */
export function messageParts(id: string): MessageParts {
  let parts = known.get(id);
  if (parts !== undefined) return parts;
  parts = split(id);
  if (id.length <= MAX_LENGTH) {
    if (known.size >= MAX_KNOWN) known.clear();
    known.set(id, parts);
  }
  return parts;
}

function split(id: string): MessageParts {
  const segments = id.split('.');
  const isNumber = (segment: string) => /^\d+$/.test(segment);
  const version = segments.findIndex(isNumber);
  if (version > 0) {
    let end = version;
    while (end < segments.length && isNumber(segments[end]!)) end++;
    return { registry: segments.slice(0, version).join('.'), message: segments.slice(end).join('.') };
  }
  const [first = '', ...rest] = segments;
  return rest.length === 0 ? { registry: '', message: first } : { registry: first, message: rest.join('.') };
}

/** As `messageParts`, without a difference between upper and lower case: BMCs send the same id in either. */
export function messageKeys(id: string): MessageParts {
  return messageParts(id.toLowerCase());
}
