import { type Caller, checkOwner } from '../caller.ts';
import type { LockRequest, RenewRequest } from '../core.ts';
import { invalidArgument, PassthruError } from '../errors.ts';
import { storableText } from '../json.ts';
import type { Logger } from '../logger.ts';
import type { Node } from '../node.ts';
import type { Hold, StoredNode } from '../store.ts';
import type { Locks } from './locks.ts';
import { newReservationKey, reservationKeyDigest } from './reservationKey.ts';

const MAX_TEXT_LENGTH = 255;

/** Holds nodes for callers, renews and ends the holds. Whoever has the key of a hold may do the latter two. */
export class Holds {
  readonly #locks: Locks;
  readonly #maxDuration: number;
  readonly #log: Logger;

  /** @param maxDuration the longest duration of a hold that a caller may set, in milliseconds */
  constructor(locks: Locks, maxDuration: number, log: Logger) {
    this.#locks = locks;
    this.#maxDuration = maxDuration;
    this.#log = log;
  }

  /** Checks what can be checked without the node. Throws kind `invalid_argument`. */
  check({ holder, reason, duration }: Pick<LockRequest, 'holder' | 'reason' | 'duration'>): void {
    if (holder !== null) checkText('holder', holder, 1);
    if (reason != null) checkText('reason', reason, 0);
    this.#checkDuration(duration ?? null);
  }

  /** Takes the node and returns the key of the hold. Throws kind `node_locked`. */
  async take(node: Node, request: LockRequest): Promise<string> {
    const { caller, reason = null, duration = null, lockWait, signal } = request;
    const holder = request.holder ?? caller.name;
    checkText('holder', holder, 1);
    const key = newReservationKey();
    const whose = { holder, requestedBy: caller.name, reason: reason === '' ? null : reason };
    const terms = { key: reservationKeyDigest(key), duration };
    const purpose = { kind: 'held' as const, method: null, job: null, ...whose, ...terms };
    const lock = await this.#locks.acquire(node, purpose, this.#locks.wait(lockWait), signal);
    lock.leave();
    this.#log.info({ node: node.uuid, holder, caller: caller.name, duration }, 'node locked');
    return key;
  }

  /** Gives a hold another duration from now. Throws kinds `invalid_argument`, `reservation_ended`, `permission_denied`. */
  async renew({ uuid }: Node, { reservationKey, duration, caller }: RenewRequest): Promise<void> {
    this.#checkDuration(duration);
    const key = reservationKey === null ? null : reservationKeyDigest(reservationKey);
    for (;;) {
      const hold = await this.#find(uuid, key);
      if (hold === null) throw notHeld(uuid);
      if (key === null) checkOwner(caller, hold.reservation.requestedBy, `renew the lock of node ${uuid}`);
      const renewed = await this.#locks.renewHold(uuid, hold, duration);
      if (renewed === null) continue;
      this.#log.info({ node: uuid, holder: renewed.holder, caller: caller.name, duration }, 'lock of node renewed');
      return;
    }
  }

  /**
   * Ends a hold; does nothing on a free node when no key is given.
   * @throws kind `reservation_ended` for the key of another hold; `failed_precondition` when only a call has the node;
   *   `permission_denied` without the key, for a caller who neither took it nor is an admin
   */
  async end(node: StoredNode, reservationKey: string | null, caller: Caller): Promise<void> {
    const { uuid } = node;
    const key = reservationKey === null ? null : reservationKeyDigest(reservationKey);
    for (;;) {
      const hold = await this.#find(uuid, key);
      if (hold === null) {
        if (node.reservation?.kind === 'call') throw isCalled(node);
        return;
      }
      const { holder, requestedBy } = hold.reservation;
      if (key === null) checkOwner(caller, requestedBy, `unlock node ${uuid}, held for ${holder}`);
      if (!(await this.#locks.endHold(uuid, hold))) continue;
      this.#log.info({ node: uuid, holder, caller: caller.name }, 'node unlocked');
      return;
    }
  }

  /** Returns the hold with this key, or without one whichever there is. Throws kind `reservation_ended`. */
  #find(uuid: string, key: string | null): Promise<Hold | null> {
    return key === null ? this.#locks.hold(uuid) : this.#locks.checkHeld(uuid, key);
  }

  #checkDuration(duration: number | null): void {
    if (duration === null || (duration > 0 && duration <= this.#maxDuration)) return;
    const allowed = `must be more than 0 and at most ${this.#maxDuration / 1000} seconds, or absent to hold the node until it is unlocked`;
    throw invalidArgument('duration', allowed, `duration ${allowed}, not ${duration / 1000} seconds`);
  }
}

function checkText(field: string, text: string, least: number): void {
  const isPlain = !/\p{Cc}/u.test(text) && storableText(text) === text;
  if (text.length >= least && text.length <= MAX_TEXT_LENGTH && isPlain) return;
  const allowed = `must be ${least === 0 ? 'at most' : `${least} to`} ${MAX_TEXT_LENGTH} characters without control characters`;
  throw invalidArgument(field, allowed, `${field} ${allowed}`);
}

function notHeld(uuid: string): PassthruError {
  return new PassthruError(
    'reservation_ended',
    `Node ${uuid} is not locked (any more), so that there is no lock to renew.`,
  );
}

function isCalled({ uuid, reservation }: StoredNode): PassthruError {
  const { holder, method, job } = reservation as NonNullable<Node['reservation']>;
  const abort =
    job === null ? 'it is aborted when its caller leaves or its deadline passes' : `cancel job ${job} to end it`;
  return new PassthruError(
    'failed_precondition',
    `Node ${uuid} is reserved by ${holder} for a call of ${method}, which ends by itself; ${abort}. A method that ignores that is given up after a minute and the time of one request; a restart of ${holder} ends it at once.`,
    { lock: reservation ?? undefined },
  );
}
