import { isJsonObject, type Json, type JsonObject } from '../../core/json.ts';
import { MASK } from '../../core/secrets.ts';
import { CommandFailure, EXIT_STATUS } from '../exitStatus.ts';
import { requestRest, textOrNull } from '../rest.ts';
import type { Server } from '../server.ts';

/** A node as Ironic describes it. */
export interface IronicNode {
  uuid: string;
  name: string | null;
  driver: string;
  vendorInterface: string | null;
  /** The holder; null when free. */
  reservation: string | null;
  maintenance: boolean;
  maintenanceReason: string | null;
  /** The body that enrols it: the supported fields with a value. Secrets of driver_info are masked. */
  document: JsonObject;
}

/** The page size. */
const PAGE_SIZE = 200;

/**
 * The fields that are imported. Fields for deployment only (`instance_info`, `network_data`, other interfaces) are not;
 * reservation and maintenance are set by separate requests.
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
 * Reads all nodes of the Ironic at `source`, in its order.
 * @throws CommandFailure when it is unreachable, refuses the request, or is not an Ironic
 */
export async function readIronicNodes(source: Server): Promise<IronicNode[]> {
  const found: IronicNode[] = [];
  const seen = new Set<string>();
  for (;;) {
    const last = found.at(-1);
    const marker = last === undefined ? '' : `&marker=${encodeURIComponent(last.uuid)}`;
    const page = await requestRest(source, 'GET', `/v1/nodes/detail?limit=${PAGE_SIZE}${marker}`);
    if (!isJsonObject(page) || !Array.isArray(page.nodes)) throw notIronic(source);
    // Only new ones: a node enrolled meanwhile may shift the pages, and an ignored marker would repeat them forever.
    const nodes = page.nodes.map((document) => readNode(source, document)).filter(({ uuid }) => !seen.has(uuid));
    for (const { uuid } of nodes) seen.add(uuid);
    found.push(...nodes);
    // The URL in `next` is not followed, since the server could point it anywhere.
    if (page.next === undefined || nodes.length === 0) return found;
  }
}

/** Returns the paths, as lists of keys, of the values that Ironic masks. */
export function maskedPaths(value: Json, path: readonly string[] = []): string[][] {
  if (typeof value === 'string') return value === MASK || value.includes(`${MASK}@`) ? [[...path]] : [];
  if (typeof value !== 'object' || value === null) return [];
  return Object.entries(value).flatMap(([key, member]) => maskedPaths(member, [...path, key]));
}

function readNode(source: Server, document: Json): IronicNode {
  if (!isJsonObject(document)) throw notIronic(source);
  const { uuid, driver } = document;
  if (typeof uuid !== 'string' || typeof driver !== 'string') throw notIronic(source);
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

function notIronic({ url }: Server): CommandFailure {
  return new CommandFailure(EXIT_STATUS.failed, `${url} did not return a list of nodes; is this the URL of an Ironic?`);
}
