import { crc32 } from 'node:zlib';
import { invalidArgument } from '../errors.ts';
import type { ChangeBounds, ChangeKind } from './changeStore.ts';

/** A position in a log of changes. */
export type Place = Pick<ChangeBounds, 'log'> & { position: number };

const VERSION = 1;
const KINDS: Readonly<Record<ChangeKind, number>> = { job: 1, node: 2, event: 3 };

/** Version, kind, the log's eight bytes, the position, and a checksum of these. */
const CHECKED_BYTES = 18;
const BYTES = CHECKED_BYTES + 4;

/** Returns the cursor of a place: opaque to callers, the same on every replica. */
export function toCursor(kind: ChangeKind, { log, position }: Place): string {
  const bytes = Buffer.alloc(BYTES);
  bytes[0] = VERSION;
  bytes[1] = KINDS[kind];
  bytes.write(log, 2, 8, 'hex');
  bytes.writeBigUInt64BE(BigInt(position), 10);
  bytes.writeUInt32BE(crc32(bytes.subarray(0, CHECKED_BYTES)), CHECKED_BYTES);
  return bytes.toString('base64url');
}

/**
 * Returns the place of a cursor.
 * @throws kind `invalid_argument` when it is not a cursor of such a watch
 */
export function readCursor(kind: ChangeKind, cursor: string): Place {
  const bytes = Buffer.from(cursor.slice(0, 2 * BYTES), 'base64url');
  const isCursor =
    bytes.length === BYTES &&
    bytes.toString('base64url') === cursor &&
    bytes.readUInt32BE(CHECKED_BYTES) === crc32(bytes.subarray(0, CHECKED_BYTES)) &&
    bytes[0] === VERSION &&
    bytes[1] === KINDS[kind];
  const position = isCursor ? Number(bytes.readBigUInt64BE(10)) : Number.NaN;
  if (!Number.isSafeInteger(position)) {
    const description = `must be the cursor of a message of a watch of ${kind}s; start again without one`;
    throw invalidArgument('cursor', description, `cursor ${description}`);
  }
  return { log: bytes.toString('hex', 2, 10), position };
}
