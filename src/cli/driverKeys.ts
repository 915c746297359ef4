import { nearest } from '../config/problems.ts';
import { visible } from '../process/terminalText.ts';

/** The description of a key that is accepted as Ironic has it, and not read. */
export const UNUSED_PROPERTY = 'Accepted for compatibility with Ironic; not used by this service.';

/**
 * Returns a sentence for each of the keys of driver_info in `given` that `driver` does not read. They are kept, as Ironic
 * keeps them, so that a misspelt one shows only when a call fails.
 * @param known the keys that it reads; a driver that names none may read any
 */
export function unreadKeys(driver: string, known: readonly string[], given: readonly string[]): string[] {
  if (known.length === 0) return [];
  return given
    .filter((key) => !known.includes(key))
    .map((key) => visible(`driver_info: driver ${driver} does not read ${key}; ${guess(key, known)}`));
}

function guess(key: string, known: readonly string[]): string {
  const meant = nearest(key, known);
  return meant === null ? 'passthru driver property list shows the keys that it reads' : `did you mean ${meant}?`;
}
