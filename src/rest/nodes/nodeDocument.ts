import type { Core } from '../../core/core.ts';
import type { JsonObject } from '../../core/json.ts';
import type { Node } from '../../core/node.ts';
import { maskSecrets } from '../../core/secrets.ts';
import { NAMES_MINOR } from '../apiVersion.ts';
import type { Exchange } from '../context.ts';
import { baseUrl, selfAndBookmark } from '../links.ts';
import { badParameter } from '../query.ts';
import { NODE_FIELDS } from './nodeFields.ts';

/** The inputs of a node's document besides the node. */
interface DocumentSite {
  /** Scheme and authority of its links. */
  base: string;
  /** Name of the process that serves the request, shown as the node's conductor. */
  host: string;
}

/** The fields in a list by default. Links are added to any selection. */
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

const alwaysNull = () => null;
const emptyObject = () => ({});
const attribute =
  (key: string): Member =>
  ({ attributes }) =>
    attributes[key] ?? NODE_FIELDS.get(key)?.default ?? null;
const subresource =
  (segment: string): Member =>
  ({ uuid }, { base }) =>
    selfAndBookmark(base, `nodes/${uuid}/${segment}`);

/** All keys of a node's document, in the recorded order. Fields of unsupported features are null or empty. */
const MEMBERS: ReadonlyMap<string, Member> = new Map<string, Member>([
  ['uuid', ({ uuid }) => uuid],
  ['created_at', ({ createTime }) => pythonTime(createTime)],
  ['updated_at', ({ updateTime }) => updateTime && pythonTime(updateTime)],
  ['automated_clean', attribute('automated_clean')],
  ['bios_interface', alwaysNull],
  ['boot_interface', alwaysNull],
  ['boot_mode', alwaysNull],
  ['clean_step', emptyObject],
  ['conductor_group', attribute('conductor_group')],
  ['console_enabled', () => false],
  ['console_interface', alwaysNull],
  ['deploy_interface', alwaysNull],
  ['deploy_step', emptyObject],
  ['description', ({ description }) => description],
  ['driver', ({ driver }) => driver],
  ['driver_info', ({ driverInfo }) => maskSecrets(driverInfo)],
  ['driver_internal_info', emptyObject],
  ['extra', ({ extra }) => extra],
  ['fault', alwaysNull],
  ['inspection_finished_at', alwaysNull],
  ['inspection_started_at', alwaysNull],
  ['inspect_interface', alwaysNull],
  ['instance_info', ({ attributes }) => maskSecrets((attributes.instance_info ?? {}) as JsonObject)],
  ['instance_uuid', attribute('instance_uuid')],
  ['last_error', ({ lastError }) => lastError],
  ['lessee', attribute('lessee')],
  ['maintenance', ({ maintenance }) => maintenance],
  ['maintenance_reason', ({ maintenanceReason }) => maintenanceReason],
  ['management_interface', alwaysNull],
  ['name', ({ name }) => name],
  ['network_data', ({ attributes }) => maskSecrets((attributes.network_data ?? {}) as JsonObject)],
  ['network_interface', alwaysNull],
  ['owner', attribute('owner')],
  ['power_interface', alwaysNull],
  ['power_state', alwaysNull],
  ['properties', ({ properties }) => properties],
  ['protected', attribute('protected')],
  ['protected_reason', attribute('protected_reason')],
  ['provision_state', () => PROVISION_STATE],
  ['provision_updated_at', alwaysNull],
  ['raid_config', emptyObject],
  ['raid_interface', alwaysNull],
  ['rescue_interface', alwaysNull],
  ['reservation', ({ reservation }) => reservation?.holder ?? null],
  ['resource_class', attribute('resource_class')],
  ['retired', attribute('retired')],
  ['retired_reason', attribute('retired_reason')],
  ['secure_boot', alwaysNull],
  ['shard', attribute('shard')],
  ['storage_interface', alwaysNull],
  ['target_power_state', alwaysNull],
  ['target_provision_state', alwaysNull],
  ['target_raid_config', emptyObject],
  ['traits', () => []],
  ['vendor_interface', ({ vendorInterface }) => vendorInterface],
  ['links', ({ uuid }, { base }) => selfAndBookmark(base, `nodes/${uuid}`)],
  ['conductor', (_node, { host }) => host],
  ['allocation_uuid', alwaysNull],
  ['chassis_uuid', attribute('chassis_uuid')],
  ['ports', subresource('ports')],
  ['states', subresource('states')],
  ['portgroups', subresource('portgroups')],
  ['volume', subresource('volume')],
]);

/** The keys of a node's document. */
export const NODE_KEYS: readonly string[] = [...MEMBERS.keys()];

/** First minor version of keys that were added to Ironic's document later. */
const FIRST_MINOR: Readonly<Record<string, number>> = { name: NAMES_MINOR, shard: 82 };

/**
 * Returns a function that renders nodes in Ironic's form, with secrets masked.
 * @param fields the keys to show, which have passed `checkNodeFields`; links are always added; null for all
 */
export function nodeRenderer(
  exchange: Exchange,
  { host }: Core,
  fields: readonly string[] | null,
): (node: Node) => Record<string, unknown> {
  const site: DocumentSite = { base: baseUrl(exchange), host };
  const keys = fields === null ? NODE_KEYS : [...new Set([...fields, 'links'])];
  const members = keys
    .filter((key) => exchange.minor >= (FIRST_MINOR[key] ?? 0))
    .map((key) => [key, MEMBERS.get(key) ?? alwaysNull] as const);
  return (node) => {
    const document: Record<string, unknown> = {};
    for (const [key, member] of members) document[key] = member(node, site) ?? null;
    return document;
  };
}

/** Returns `fields`. Throws `invalid_argument`, worded as recorded ("show unknown field"), for an unknown one. */
export function checkNodeFields(fields: readonly string[] | null): readonly string[] | null {
  for (const field of fields ?? []) {
    if (!MEMBERS.has(field))
      throw badParameter('fields', `${field} is not a field`, `Field ${field} is not a valid field.`);
  }
  return fields;
}

/** Formats a time as Ironic does, in UTC: `2026-11-23T06:37:41.189+00:00`. */
function pythonTime(time: Date): string {
  return time.toISOString().replace('Z', '+00:00');
}
