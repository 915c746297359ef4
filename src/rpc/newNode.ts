import type { Node as NodeMessage } from '../../gen/passthru/v1/node_pb.ts';
import { isFiniteJson } from '../contract/value.ts';
import type { JsonObject } from '../core/json.ts';
import type { NewNode } from '../core/node.ts';
import { refuseField } from './errors.ts';

/**
 * The node that a caller wants to enrol; what a message cannot leave out is absent when it is empty. Fields that are
 * output only are ignored.
 * @throws kind `invalid_argument` when driver is missing or a Struct holds what JSON cannot
 */
export function newNode(given: NodeMessage): NewNode {
  if (given.driver === '') throw refuseField('node.driver', 'must be given');
  return {
    uuid: given.uuid === '' ? undefined : given.uuid,
    name: textOrNull(given.name),
    driver: given.driver,
    vendorInterface: textOrNull(given.vendorInterface),
    driverInfo: readStruct('node.driver_info', given.driverInfo),
    extra: readStruct('node.extra', given.extra),
    properties: readStruct('node.properties', given.properties),
    description: textOrNull(given.description),
    maintenance: given.maintenance,
    maintenanceReason: textOrNull(given.maintenanceReason),
  };
}

/** A proto3 text without presence: null when empty. */
export function textOrNull(text: string): string | null {
  return text === '' ? null : text;
}

/** The object in a Struct field; empty when absent. Throws kind `invalid_argument` when it holds NaN or an infinity. */
export function readStruct(field: string, struct: JsonObject | undefined): JsonObject {
  if (struct === undefined) return {};
  if (!isFiniteJson(struct)) throw refuseField(field, 'must hold no NaN and no infinite number');
  return struct;
}
