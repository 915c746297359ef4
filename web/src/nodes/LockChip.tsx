import type { Reservation } from '../../../gen/passthru/v1/error_pb.ts';
import { millis, Since } from '../parts/time.tsx';
import { texts } from '../texts.ts';

/** Who holds a node, with what, and for how long; nothing for a free node. */
export function LockChip({ reservation }: { reservation: Reservation | undefined }) {
  if (reservation === undefined) return null;
  const { holder, method, since } = reservation;
  return (
    <span className="chip locked">
      <span className="visually-hidden">{texts.locks.lockedBy} </span>
      <b>{holder}</b>
      {method !== '' && <span> · {method}</span>}
      {since !== undefined && (
        <span>
          {' · '}
          <Since at={millis(since)} />
        </span>
      )}
    </span>
  );
}
