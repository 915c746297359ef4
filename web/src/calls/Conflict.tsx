import type { Reservation } from '../../../gen/passthru/v1/error_pb.ts';
import { ReservationFacts } from '../nodes/ReservationFacts.tsx';
import { texts } from '../texts.ts';

interface ConflictProps {
  node: string;
  lock: Reservation;
  waiting: boolean;
  onWait(): void;
  onStop(): void;
}

/** Says who holds the node, and offers to call when it is free. */
export function Conflict({ node, lock, waiting, onWait, onStop }: ConflictProps) {
  return (
    <section aria-label={texts.calls.locked(node)}>
      {waiting ? (
        <p className="message info" role="status">
          {texts.calls.waiting}
        </p>
      ) : (
        <p className="message error" role="alert">
          {texts.calls.locked(node)}
        </p>
      )}
      <ReservationFacts reservation={lock} />
      {waiting ? (
        <button type="button" onClick={onStop}>
          {texts.calls.stopWaiting}
        </button>
      ) : (
        <button type="button" onClick={onWait}>
          {texts.calls.wait}
        </button>
      )}
    </section>
  );
}
