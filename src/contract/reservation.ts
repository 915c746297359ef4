import { create } from '@bufbuild/protobuf';
import { timestampFromDate } from '@bufbuild/protobuf/wkt';
import {
  ReservationKind,
  type Reservation as ReservationMessage,
  ReservationSchema,
} from '../../gen/passthru/v1/error_pb.ts';
import type { Reservation } from '../core/reservation.ts';

/** Converts `reservation` to its message. */
export function reservationToMessage(reservation: Reservation): ReservationMessage {
  return create(ReservationSchema, {
    holder: reservation.holder,
    kind: reservation.kind === 'held' ? ReservationKind.HELD : ReservationKind.CALL,
    method: reservation.method ?? '',
    requestedBy: reservation.requestedBy,
    job: reservation.job ?? '',
    since: timestampFromDate(reservation.since),
  });
}
