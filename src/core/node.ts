import { invalidArgument, PassthruError } from './errors.ts';
import type { JsonObject } from './json.ts';
import type { Reservation } from './reservation.ts';

/** A bare-metal machine. Plain data, never modified in place. */
export interface Node {
  uuid: string;
  /** Null when the node has none. */
  name: string | null;
  /** The hardware type's name. */
  driver: string;
  vendorInterface: string;
  /** How the driver reaches the machine. Contains secrets: show it through `maskSecrets` only. */
  driverInfo: JsonObject;
  extra: JsonObject;
  properties: JsonObject;
  description: string | null;
  maintenance: boolean;
  maintenanceReason: string | null;
  /** Ironic's other fields by their keys (`owner`, `resource_class`, …). Only `checkRemovable` and `UNIQUE_ATTRIBUTES` read any. */
  attributes: JsonObject;
  /** The error of the last asynchronous call; null when it did not fail. */
  lastError: string | null;
  /** Null when the node is free. */
  reservation: Reservation | null;
  createTime: Date;
  /** Null for a node that was never changed. */
  updateTime: Date | null;
}

/** The fields of a node that may be changed. */
export type NodeChanges = Partial<Omit<Node, 'uuid' | 'lastError' | 'reservation' | 'createTime' | 'updateTime'>>;

/** The changes of an update as requested; `vendorInterface: null` means the driver's default. */
export type NodeUpdate = Omit<NodeChanges, 'vendorInterface'> & { vendorInterface?: string | null };

/** The fields of a node to create; absent ones get their defaults. */
export type NewNode = NodeUpdate & { uuid?: string; driver: string };

const UUID = /^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$/i;
const NAME = /^[A-Za-z0-9\-._~]{1,255}$/;

/** Names that collide with REST routes under /v1/nodes. */
const RESERVED_NAMES = new Set([
  'allocation',
  'bios',
  'detail',
  'events',
  'firmware',
  'history',
  'inventory',
  'maintenance',
  'management',
  'methods',
  'portgroups',
  'ports',
  'states',
  'traits',
  'validate',
  'vendor_passthru',
  'vifs',
  'volume',
  '.',
  '..',
]);

/** Whether `text` is a UUID with hyphens. */
export function isUuid(text: string): boolean {
  return UUID.test(text);
}

/**
 * Whether `text` can be a node's name: unreserved characters of URLs (RFC 3986, 2.3), as in Ironic, but neither a UUID nor
 * the name of a route.
 */
export function isNodeName(text: string): boolean {
  return NAME.test(text) && !isUuid(text) && !RESERVED_NAMES.has(text);
}

/** Attributes whose value at most one node has. */
export const UNIQUE_ATTRIBUTES: readonly string[] = ['instance_uuid'];

/**
 * Throws when a node must not be removed, as in Ironic: kind `failed_precondition` while it has an instance and is not in
 * maintenance, `permission_denied` when it is protected.
 */
export function checkRemovable({ uuid, attributes, maintenance }: Node): void {
  const { instance_uuid: instance = null } = attributes;
  if (instance !== null && !maintenance) {
    throw new PassthruError('failed_precondition', `Node ${uuid} is associated with instance ${instance}.`);
  }
  if (attributes.protected === true) {
    throw new PassthruError(
      'permission_denied',
      `Node ${uuid} is protected and can not be undeployed, rebuilt or deleted.`,
    );
  }
}

/** Throws kind `invalid_argument` when `text` can be neither a node's UUID nor its name. */
export function checkNodeIdent(text: string): void {
  if (isUuid(text) || NAME.test(text)) return;
  // Worded as Ironic does.
  throw invalidArgument('node', `Expected UUID or name for node_ident: ${text}`);
}
