import type { Reservation } from '../reservation.ts';
import { WaitingLine } from '../waiting.ts';
import type { Tenure } from './lease.ts';

/** The callers of this process that wait for one node, or for a turn within one hold on it, first come, first served. */
export interface Line {
  readonly nodeUuid: string;
  /** The digest of the key of the hold; null for callers without one. */
  readonly key: string | null;
  /** The last known holder. */
  blocker: Reservation;
  readonly waiting: WaitingLine;
  /** The fence under which this process holds the node; the tenure of an attempt whose result is unknown; else null. */
  holding: number | Tenure | null;
  /** Ends the pause of the first in line; null while it does not pause. */
  nudge: (() => void) | null;
  /** Whether the node was released since the last attempt of the first in line began. */
  nudged: boolean;
}

/**
 * The lines of all nodes. Callers with a key have a line of their own: those without one, which may wait for the end of the
 * hold, must not be before them.
 */
export class Lines {
  readonly #byNode = new Map<string, Line>();
  /** The lines of callers with a key by node, then by key. */
  readonly #withKey = new Map<string, Map<string, Line>>();

  get(nodeUuid: string, key: string | null): Line | undefined {
    return key === null ? this.#byNode.get(nodeUuid) : this.#withKey.get(nodeUuid)?.get(key);
  }

  /** Begins a line that does not exist yet. */
  begin(nodeUuid: string, key: string | null, blocker: Reservation): Line {
    const waiting = new WaitingLine();
    const line: Line = { nodeUuid, key, blocker, waiting, holding: null, nudge: null, nudged: false };
    if (key === null) this.#byNode.set(nodeUuid, line);
    else {
      const lines = this.#withKey.get(nodeUuid) ?? new Map<string, Line>();
      this.#withKey.set(nodeUuid, lines.set(key, line));
    }
    return line;
  }

  /** Passes the turn to the next in line; ends a line without one. */
  passOn(line: Line): void {
    line.holding = null;
    if (line.waiting.grant()) return;
    const { nodeUuid, key } = line;
    if (key === null) {
      this.#byNode.delete(nodeUuid);
      return;
    }
    const lines = this.#withKey.get(nodeUuid);
    lines?.delete(key);
    if (lines?.size === 0) this.#withKey.delete(nodeUuid);
  }

  /** Lets the first in each line of a node try again now. */
  nudge(nodeUuid: string): void {
    nudge(this.#byNode.get(nodeUuid));
    for (const line of this.#withKey.get(nodeUuid)?.values() ?? []) nudge(line);
  }

  /** As `nudge`, for every node. */
  nudgeAll(): void {
    for (const line of this.#byNode.values()) nudge(line);
    for (const nodeUuid of this.#withKey.keys()) this.nudge(nodeUuid);
  }
}

function nudge(line: Line | undefined): void {
  if (line === undefined) return;
  line.nudged = true;
  line.nudge?.();
}
