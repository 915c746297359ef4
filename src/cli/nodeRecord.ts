import { ReservationKind } from '../../gen/passthru/v1/error_pb.ts';
import type { Node } from '../../gen/passthru/v1/node_pb.ts';
import type { Json } from '../core/json.ts';
import { type Listing, orNull, timeOrNull } from './print/output.ts';

/** Ironic's columns of `baremetal node list`. */
const COLUMNS = ['UUID', 'Name', 'Instance UUID', 'Power State', 'Provisioning State', 'Maintenance'];

/** The additional columns of `--long`. */
const LONG_COLUMNS = [
  'Driver',
  'Vendor Interface',
  'Reservation',
  'Description',
  'Last Error',
  'Created At',
  'Updated At',
];

/** The columns for a narrow terminal: those of Ironic that are the same for all nodes of this service give way. */
const NARROW_COLUMNS = ['UUID', 'Name', 'Driver', 'Reservation', 'Maintenance'];

/**
 * Lists `nodes` under Ironic's columns; the others can be selected. Fields that this service lacks are shown as for a newly
 * enrolled node.
 * @param long shows all columns
 */
export function nodeListing(nodes: readonly Node[], long: boolean, empty: string): Listing {
  const columns = [...COLUMNS, ...LONG_COLUMNS];
  return {
    columns,
    shown: long ? columns : COLUMNS,
    narrow: long ? undefined : NARROW_COLUMNS,
    empty,
    rows: nodes.map((node) => [
      node.uuid,
      orNull(node.name),
      null,
      null,
      'enroll',
      node.maintenance,
      node.driver,
      node.vendorInterface,
      node.reservation?.holder ?? null,
      orNull(node.description),
      orNull(node.lastError),
      timeOrNull(node.createTime),
      timeOrNull(node.updateTime),
    ]),
  };
}

/** Returns `node` by Ironic's field names; `lock` has details of the reservation that Ironic lacks, null when free. */
export function nodeRecord(node: Node): Record<string, Json> {
  const { reservation } = node;
  return {
    created_at: timeOrNull(node.createTime),
    description: orNull(node.description),
    driver: node.driver,
    driver_info: node.driverInfo ?? {},
    extra: node.extra ?? {},
    last_error: orNull(node.lastError),
    lock:
      reservation === undefined
        ? null
        : {
            kind: reservation.kind === ReservationKind.HELD ? 'held' : 'call',
            method: orNull(reservation.method),
            requested_by: orNull(reservation.requestedBy),
            job: orNull(reservation.job),
            since: timeOrNull(reservation.since),
            reason: orNull(reservation.reason),
            expire_time: timeOrNull(reservation.expireTime),
          },
    maintenance: node.maintenance,
    maintenance_reason: orNull(node.maintenanceReason),
    name: orNull(node.name),
    properties: node.properties ?? {},
    reservation: reservation?.holder ?? null,
    updated_at: timeOrNull(node.updateTime),
    uuid: node.uuid,
    vendor_interface: node.vendorInterface,
  };
}
