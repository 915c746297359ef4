/**
 * The clock that leases are held by, in milliseconds; it only goes forward. The monotonic clock stands still while the
 * machine sleeps, and the store's lease runs on: so whatever the wall clock goes forward beyond the monotonic one counts
 * as time that has passed. A wall clock that is set forward costs the running calls their lease at worst; one that is
 * set back changes nothing.
 *
 * @param monotonic milliseconds
 * @param wall milliseconds since any time
 */
export function leaseClock(
  monotonic: () => number = () => performance.now(),
  wall: () => number = Date.now,
): () => number {
  let ahead = wall() - monotonic();
  const first = ahead;
  return () => {
    const now = monotonic();
    ahead = Math.max(ahead, wall() - now);
    return now + ahead - first;
  };
}
