import type { JsonObject } from '../../core/json.ts';
import type { Node } from '../../core/node.ts';
import { maskSecrets } from '../../core/secrets.ts';
import { NAMES_MINOR } from '../apiVersion.ts';
import { selfAndBookmark } from '../links.ts';
import { badParameter } from '../query.ts';
import { NODE_FIELDS } from './nodeFields.ts';

/** Where a document is shown: what its links begin with, and at which version. */
export interface DocumentSite {
  /** Scheme and authority. */
  base: string;
  minor: number;
  /** The name of the process that serves the node. */
  host: string;
}

/** What a list shows of each node when nothing else is asked for, and every node's links with it. */
export const SUMMARY_FIELDS: readonly string[] = [
  'uuid',
  'instance_uuid',
  'maintenance',
  'power_state',
  'provision_state',
  'name',
];

/** The provision state of every node: nodes here never leave the one that they are enrolled in. */
export const PROVISION_STATE = 'enroll';

type Member = (node: Node, site: DocumentSite) => unknown;

const nothing = () => null;
const emptyObject = () => ({});
const attribute =
  (key: string): Member =>
  ({ attributes }) =>
    attributes[key] ?? NODE_FIELDS.get(key)?.default ?? null;
const below =
  (segment: string): Member =>
  ({ uuid }, { base }) =>
    selfAndBookmark(base, `nodes/${uuid}/${segment}`);

/** Every recorded key of a node's document, in the recorded order. What the service does not do is null or empty. */
const MEMBERS: ReadonlyMap<string, Member> = new Map<string, Member>([
  ['uuid', ({ uuid }) => uuid],
  ['created_at', ({ createTime }) => pythonTime(createTime)],
  ['updated_at', ({ updateTime }) => updateTime && pythonTime(updateTime)],
  ['automated_clean', attribute('automated_clean')],
  ['bios_interface', nothing],
  ['boot_interface', nothing],
  ['boot_mode', nothing],
  ['clean_step', emptyObject],
  ['conductor_group', attribute('conductor_group')],
  ['console_enabled', () => false],
  ['console_interface', nothing],
  ['deploy_interface', nothing],
  ['deploy_step', emptyObject],
  ['description', ({ description }) => description],
  ['driver', ({ driver }) => driver],
  ['driver_info', ({ driverInfo }) => maskSecrets(driverInfo)],
  ['driver_internal_info', emptyObject],
  ['extra', ({ extra }) => extra],
  ['fault', nothing],
  ['inspection_finished_at', nothing],
  ['inspection_started_at', nothing],
  ['inspect_interface', nothing],
  ['instance_info', ({ attributes }) => maskSecrets((attributes.instance_info ?? {}) as JsonObject)],
  ['instance_uuid', attribute('instance_uuid')],
  ['last_error', ({ lastError }) => lastError],
  ['lessee', attribute('lessee')],
  ['maintenance', ({ maintenance }) => maintenance],
  ['maintenance_reason', ({ maintenanceReason }) => maintenanceReason],
  ['management_interface', nothing],
  ['name', ({ name }) => name],
  ['network_data', ({ attributes }) => maskSecrets((attributes.network_data ?? {}) as JsonObject)],
  ['network_interface', nothing],
  ['owner', attribute('owner')],
  ['power_interface', nothing],
  ['power_state', nothing],
  ['properties', ({ properties }) => properties],
  ['protected', attribute('protected')],
  ['protected_reason', attribute('protected_reason')],
  ['provision_state', () => PROVISION_STATE],
  ['provision_updated_at', nothing],
  ['raid_config', emptyObject],
  ['raid_interface', nothing],
  ['rescue_interface', nothing],
  ['reservation', ({ reservation }) => reservation?.holder ?? null],
  ['resource_class', attribute('resource_class')],
  ['retired', attribute('retired')],
  ['retired_reason', attribute('retired_reason')],
  ['secure_boot', nothing],
  ['shard', attribute('shard')],
  ['storage_interface', nothing],
  ['target_power_state', nothing],
  ['target_provision_state', nothing],
  ['target_raid_config', emptyObject],
  ['traits', () => []],
  ['vendor_interface', ({ vendorInterface }) => vendorInterface],
  ['links', ({ uuid }, { base }) => selfAndBookmark(base, `nodes/${uuid}`)],
  ['conductor', (_node, { host }) => host],
  ['allocation_uuid', nothing],
  ['chassis_uuid', attribute('chassis_uuid')],
  ['ports', below('ports')],
  ['states', below('states')],
  ['portgroups', below('portgroups')],
  ['volume', below('volume')],
]);

/** The keys of a node's document. */
export const NODE_KEYS: readonly string[] = [...MEMBERS.keys()];

/** The first version whose documents have the key. */
const FIRST_MINOR: Readonly<Record<string, number>> = { name: NAMES_MINOR, shard: 82 };

/**
 * A node as Ironic shows it. Secrets are masked.
 * @param fields the keys to show, of those that `checkNodeFields` lets through; links come with any; null for all
 */
export function nodeDocument(
  node: Node,
  site: DocumentSite,
  fields: readonly string[] | null,
): Record<string, unknown> {
  const document: Record<string, unknown> = {};
  for (const key of fields === null ? MEMBERS.keys() : new Set([...fields, 'links'])) {
    if (site.minor < (FIRST_MINOR[key] ?? 0)) continue;
    document[key] = MEMBERS.get(key)?.(node, site) ?? null;
  }
  return document;
}

/** Throws `invalid_argument`, worded as recorded ("show unknown field"), when one of `fields` is none of a node's. */
export function checkNodeFields(fields: readonly string[] | null): readonly string[] | null {
  for (const field of fields ?? []) {
    if (!MEMBERS.has(field))
      throw badParameter('fields', `${field} is not a field`, `Field ${field} is not a valid field.`);
  }
  return fields;
}

/** A time as Ironic writes it, in UTC: `2026-11-23T06:37:41.189+00:00`. */
export function pythonTime(time: Date): string {
  return time.toISOString().replace('Z', '+00:00');
}
