import { create } from '@bufbuild/protobuf';
import { timestampFromDate } from '@bufbuild/protobuf/wkt';
import { type Node as NodeMessage, NodeSchema } from '../../gen/passthru/v1/node_pb.ts';
import type { Node } from '../core/node.ts';
import { maskSecrets } from '../core/secrets.ts';
import { reservationToMessage } from './reservation.ts';
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
