import { isJsonObject, type Json, type JsonObject } from '../../core/json.ts';
import { MASK } from '../../core/secrets.ts';
import { CommandFailure, EXIT_STATUS } from '../exitStatus.ts';
import { requestRest } from '../rest.ts';
import type { Server } from '../server.ts';

/** A node as Ironic tells of it. */
export interface IronicNode {
  uuid: string;
  name: string | null;
  driver: string;
  vendorInterface: string | null;
  /** Who holds it; null when it is free. */
  reservation: string | null;
  maintenance: boolean;
  maintenanceReason: string | null;
  /** What enrols it: the fields that are kept here, those that have a value. Secrets of driver_info are masked. */
  document: JsonObject;
}

/** The most nodes of a page. */
const PAGE = 200;

/**
 * The fields that are kept. What deployment alone reads (`instance_info`, `network_data`, the interfaces that are not
 * served) stays behind; reservation and maintenance are not set with the others.
 */
const FIELDS = [
  'uuid',
  'name',
  'driver',
  'vendor_interface',
  'driver_info',
  'extra',
  'properties',
  'description',
  'automated_clean',
  'chassis_uuid',
  'conductor_group',
  'instance_uuid',
  'lessee',
  'owner',
  'protected',
  'protected_reason',
  'resource_class',
  'retired',
  'retired_reason',
  'shard',
];

/**
 * Every node of the Ironic at `source`, in its order.
 * @throws CommandFailure when it cannot be reached, refuses, or is no Ironic
 */
export async function readIronicNodes(source: Server): Promise<IronicNode[]> {
  const found: IronicNode[] = [];
  const seen = new Set<string>();
  for (;;) {
    const last = found.at(-1);
    const marker = last === undefined ? '' : `&marker=${encodeURIComponent(last.uuid)}`;
    const page = await requestRest(source, 'GET', `/v1/nodes/detail?limit=${PAGE}${marker}`);
    if (!isJsonObject(page) || !Array.isArray(page.nodes)) throw noIronic(source);
    // Only what is new: one that is enrolled meanwhile may shift the pages, and a marker that is ignored would never end.
    const nodes = page.nodes.map((document) => readNode(source, document)).filter(({ uuid }) => !seen.has(uuid));
    for (const { uuid } of nodes) seen.add(uuid);
    found.push(...nodes);
    // The address in `next` is not followed: it is whatever the other side says.
    if (page.next === undefined || nodes.length === 0) return found;
  }
}

/** The paths of `driverInfo`, as lists of keys, whose values Ironic does not tell. */
export function maskedPaths(value: Json, path: readonly string[] = []): string[][] {
  if (typeof value === 'string') return value === MASK || value.includes(`${MASK}@`) ? [[...path]] : [];
  if (typeof value !== 'object' || value === null) return [];
  return Object.entries(value).flatMap(([key, member]) => maskedPaths(member, [...path, key]));
}

function readNode(source: Server, document: Json): IronicNode {
  if (!isJsonObject(document)) throw noIronic(source);
  const { uuid, driver } = document;
  if (typeof uuid !== 'string' || typeof driver !== 'string') throw noIronic(source);
  return {
    uuid,
    driver,
    name: textOrNull(document.name),
    vendorInterface: textOrNull(document.vendor_interface),
    reservation: textOrNull(document.reservation),
    maintenance: document.maintenance === true,
    maintenanceReason: textOrNull(document.maintenance_reason),
    document: Object.fromEntries(
      FIELDS.flatMap((key) => {
        const value = document[key];
        return value === undefined || isEmpty(value) ? [] : [[key, value]];
      }),
    ),
  };
}

function isEmpty(value: Json): boolean {
  if (value === null || value === '' || value === false) return true;
  return typeof value === 'object' && Object.keys(value).length === 0;
}

function textOrNull(value: Json | undefined): string | null {
  return typeof value === 'string' && value !== '' ? value : null;
}

function noIronic({ url }: Server): CommandFailure {
  return new CommandFailure(EXIT_STATUS.failed, `${url} does not list nodes as Ironic does`);
}
