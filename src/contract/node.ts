import { create } from '@bufbuild/protobuf';
import { timestampFromDate } from '@bufbuild/protobuf/wkt';
import {
  ReservationKind,
  type Reservation as ReservationMessage,
  ReservationSchema,
} from '../../gen/passthru/v1/error_pb.ts';
import { type Node as NodeMessage, NodeSchema } from '../../gen/passthru/v1/node_pb.ts';
import type { Node } from '../core/node.ts';
import type { Reservation } from '../core/reservation.ts';
import { maskSecrets } from '../core/secrets.ts';
import { jsonToStruct } from './value.ts';

/** Converts `node` to its message, with the secrets of driver_info masked. */
export function nodeToMessage(node: Node): NodeMessage {
  return create(NodeSchema, {
    uuid: node.uuid,
    name: node.name ?? '',
    driver: node.driver,
    vendorInterface: node.vendorInterface,
    driverInfo: jsonToStruct(maskSecrets(node.driverInfo)),
    extra: jsonToStruct(node.extra),
    properties: jsonToStruct(node.properties),
    description: node.description ?? '',
    maintenance: node.maintenance,
    maintenanceReason: node.maintenanceReason ?? '',
    reservation: node.reservation ? reservationToMessage(node.reservation) : undefined,
    lastError: node.lastError ?? '',
    createTime: timestampFromDate(node.createTime),
    updateTime: node.updateTime ? timestampFromDate(node.updateTime) : undefined,
  });
}

/** Converts `reservation` to its message. */
export function reservationToMessage(reservation: Reservation): ReservationMessage {
  return create(ReservationSchema, {
    holder: reservation.holder,
    kind: reservation.kind === 'held' ? ReservationKind.HELD : ReservationKind.CALL,
    method: reservation.method ?? '',
    requestedBy: reservation.requestedBy,
    job: reservation.job ?? '',
    since: timestampFromDate(reservation.since),
    reason: reservation.reason ?? '',
    expireTime: reservation.expireTime === null ? undefined : timestampFromDate(reservation.expireTime),
  });
}
