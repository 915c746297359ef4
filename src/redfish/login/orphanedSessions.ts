import { isJsonObject, type JsonObject } from '../../core/json.ts';
import { linkPaths, samePath } from '../links.ts';

/** The maximum number of lost logins and of doubtful sessions remembered, and of a BMC's sessions looked at. */
const MAX_LOST = 8;
const MAX_SESSIONS = 16;
/** The tolerance for a `CreatedTime` in whole seconds, as most BMCs give it, and for a finer one. */
const WHOLE_SECONDS_MS = 1000;
const FINER_MS = 50;

/** A session with which the others can be read. */
export interface OwnSession {
  path: string;
  /** From sending its login to receiving the response. */
  made: Span;
}

/** A period by the monotonic clock, in ms. */
export interface Span {
  from: number;
  to: number;
}

/**
 * Sessions that may be left at the BMC: those whose token was dropped because the BMC broke its connections, by their paths,
 * and those that logins may have opened although their responses were lost. BMCs allow few sessions, so they are deleted by
 * means of the next session. The latter are searched for and recognised by account, client address and time of creation; a
 * BMC that does not report these ends them by its own timeout.
 */
export class OrphanedSessions {
  /** When each lost login was under way. */
  #times: Span[] = [];
  /** The paths of the sessions that are known. */
  #paths: string[] = [];

  /** Records a login that began at `from` and has just failed without a response. */
  add(from: number): void {
    this.#times.push({ from, to: performance.now() });
    if (this.#times.length > MAX_LOST) this.#times.shift();
  }

  /** Records a session whose token is not used any more. */
  addSession(path: string): void {
    if (this.#paths.some((known) => samePath(known, path))) return;
    this.#paths.push(path);
    if (this.#paths.length > MAX_LOST) this.#paths.shift();
  }

  /** Whether there may be any. */
  get some(): boolean {
    return this.#times.length > 0 || this.#paths.length > 0;
  }

  /** Forgets those of lost logins: none can be left after a restart of the BMC. */
  clear(): void {
    this.#times = [];
  }

  /**
   * Finds and deletes the sessions.
   * @param own the session with which that is done; null when the BMC sent no path of it
   * @param read returns the document at a path
   * @throws whatever `read` and `remove` throw; then the sessions are still remembered
   */
  async endSessions(
    collection: string,
    origin: string,
    own: OwnSession | null,
    read: (path: string) => Promise<JsonObject>,
    remove: (path: string) => Promise<void>,
  ): Promise<void> {
    for (const path of [...this.#paths]) {
      // A BMC that has restarted may give the same path again.
      if (own === null || !samePath(path, own.path)) await remove(path);
      this.#paths = this.#paths.filter((known) => known !== path);
    }
    if (own === null || this.#times.length === 0) return;
    const { Members: members } = await read(collection);
    const others = linkPaths(members, origin).filter((path) => !samePath(path, own.path));
    if (others.length > 0) {
      const ours = await read(own.path);
      for (const path of others.slice(-MAX_SESSIONS)) {
        const other = await read(path);
        if (isJsonObject(other) && this.#isLost(other, ours, own.made)) await remove(path);
      }
    }
    this.clear();
  }

  #isLost(other: JsonObject, ours: JsonObject, made: Span): boolean {
    if (other.UserName !== ours.UserName || other.ClientOriginIPAddress !== ours.ClientOriginIPAddress) return false;
    const times = [String(ours.CreatedTime), String(other.CreatedTime)];
    // Both times are of the same clock, which need not be right.
    const age = Date.parse(times[0]!) - Date.parse(times[1]!);
    const inexact = times.every((time) => /\d\.\d/.test(time)) ? FINER_MS : WHOLE_SECONDS_MS;
    return this.#times.some(({ from, to }) => made.to - age >= from - inexact && made.from - age <= to + inexact);
  }
}
