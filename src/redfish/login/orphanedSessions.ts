import { isJsonObject, type JsonObject } from '../../core/json.ts';
import { samePath } from '../links.ts';
import { linkPaths } from '../resources/system.ts';

/** So many log-ins without an answer are remembered, and so many of a BMC's sessions looked at. */
const MOST_LOST = 8;
const MOST_SESSIONS = 16;
/** How inexact a `CreatedTime` is: in whole seconds, as most BMCs tell it, or finer. */
const WHOLE_SECONDS_MS = 1000;
const FINER_MS = 50;

/** A session that can ask for the others. */
export interface OwnSession {
  path: string;
  /** When its log-in was sent and answered, by the monotonic clock. */
  made: Span;
}

/** By the monotonic clock, in milliseconds. */
export interface Span {
  from: number;
  to: number;
}

/**
 * The log-ins of one account that got no answer, and may have made a session all the same. BMCs hold few sessions, so
 * such a one is looked for and deleted with the help of the session that was opened after it. It is known by its account,
 * its client's address and the time at which it was made; where a BMC does not tell these, it ends by the BMC's own
 * timeout.
 */
export class LostLogIns {
  /** From when to when each was under way, by the monotonic clock. */
  #times: Span[] = [];

  /** A log-in that began at `from` ended now without an answer. */
  add(from: number): void {
    this.#times.push({ from, to: performance.now() });
    if (this.#times.length > MOST_LOST) this.#times.shift();
  }

  /** Whether there are some that may have left a session. */
  get some(): boolean {
    return this.#times.length > 0;
  }

  /** Nothing of them can be left, as after a restart of the BMC. */
  clear(): void {
    this.#times = [];
  }

  /**
   * Finds the sessions that were made, deletes them, and forgets the log-ins.
   * @param read answers the document at a path
   * @throws what `read` and `remove` throw; then they are still remembered
   */
  async endSessions(
    collection: string,
    origin: string,
    own: OwnSession,
    read: (path: string) => Promise<JsonObject>,
    remove: (path: string) => Promise<void>,
  ): Promise<void> {
    if (!this.some) return;
    const { Members: members } = await read(collection);
    const others = linkPaths(members, origin).filter((path) => !samePath(path, own.path));
    if (others.length > 0) {
      const ours = await read(own.path);
      for (const path of others.slice(-MOST_SESSIONS)) {
        const other = await read(path);
        if (isJsonObject(other) && this.#isLost(other, ours, own.made)) await remove(path);
      }
    }
    this.clear();
  }

  #isLost(other: JsonObject, ours: JsonObject, made: Span): boolean {
    if (other.UserName !== ours.UserName || other.ClientOriginIPAddress !== ours.ClientOriginIPAddress) return false;
    const times = [String(ours.CreatedTime), String(other.CreatedTime)];
    // The two are told by the same clock, which need not be right.
    const age = Date.parse(times[0]!) - Date.parse(times[1]!);
    const inexact = times.every((time) => /\d\.\d/.test(time)) ? FINER_MS : WHOLE_SECONDS_MS;
    return this.#times.some(({ from, to }) => made.to - age >= from - inexact && made.from - age <= to + inexact);
  }
}
