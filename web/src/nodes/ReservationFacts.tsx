import { Link } from 'wouter';
import type { Reservation } from '../../../gen/passthru/v1/error_pb.ts';
import { Fact, Facts } from '../parts/Facts.tsx';
import { clockTime, millis, Since } from '../parts/time.tsx';
import { texts } from '../texts.ts';

/** Who holds a node, with what, why, since when and until when. */
export function ReservationFacts({ reservation }: { reservation: Reservation }) {
  const { holder, method, job, requestedBy, reason } = reservation;
  const since = millis(reservation.since);
  const until = millis(reservation.expireTime);
  return (
    <Facts>
      <Fact name={texts.node.holder}>{holder}</Fact>
      {method !== '' && <Fact name={texts.node.method}>{method}</Fact>}
      {job !== '' && (
        <Fact name={texts.node.job}>
          <Link href={`/jobs/${job}`}>{job}</Link>
        </Fact>
      )}
      {requestedBy !== '' && <Fact name={texts.node.requestedBy}>{requestedBy}</Fact>}
      {reason !== '' && <Fact name={texts.node.reason}>{reason}</Fact>}
      {since !== null && (
        <Fact name={texts.node.since}>
          {clockTime(since)} (<Since at={since} />)
        </Fact>
      )}
      {until !== null && <Fact name={texts.node.until}>{clockTime(until)}</Fact>}
    </Facts>
  );
}
