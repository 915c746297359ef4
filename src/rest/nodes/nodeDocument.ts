import type { Core } from '../../core/core.ts';
import type { JsonObject } from '../../core/json.ts';
import type { Node } from '../../core/node.ts';
import { maskSecrets } from '../../core/secrets.ts';
import { NODE_FIELDS } from '../apiTable.ts';
import type { Exchange } from '../context.ts';
import { baseUrl, selfAndBookmark } from '../links.ts';
import { badParameter } from '../query.ts';
import { pythonTime } from '../response.ts';
import { checkVersion } from '../versionGate.ts';
import { provisionState } from './nodeRules.ts';

/** The inputs of a node's document besides the node. */
interface DocumentSite {
  /** Scheme and authority of its links. */
  base: string;
  /** Name of the process that serves the request, shown as the node's conductor. */
  host: string;
  /** The minor version of the request. */
  minor: number;
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

type Member = (node: Node, site: DocumentSite) => unknown;

const attribute = (key: string): Member => {
  const fallback = NODE_FIELDS.get(key)?.write?.default ?? null;
  return ({ attributes }) => attributes[key] ?? fallback;
};
const subresource =
  (segment: string): Member =>
  ({ uuid }, { base }) =>
    selfAndBookmark(base, `nodes/${uuid}/${segment}`);
const maskedAttribute =
  (key: string): Member =>
  ({ attributes }) =>
    maskSecrets((attributes[key] ?? {}) as JsonObject);

/** The fields that are neither constant nor an attribute shown as it is. */
const COMPUTED: ReadonlyMap<string, Member> = new Map<string, Member>([
  ['uuid', ({ uuid }) => uuid],
  ['created_at', ({ createTime }) => pythonTime(createTime)],
  ['updated_at', ({ updateTime }) => updateTime && pythonTime(updateTime)],
  ['description', ({ description }) => description],
  ['driver', ({ driver }) => driver],
  ['driver_info', ({ driverInfo }) => maskSecrets(driverInfo)],
  ['extra', ({ extra }) => extra],
  ['instance_info', maskedAttribute('instance_info')],
  ['last_error', ({ lastError }) => lastError],
  ['maintenance', ({ maintenance }) => maintenance],
  ['maintenance_reason', ({ maintenanceReason }) => maintenanceReason],
  ['name', ({ name }) => name],
  ['network_data', maskedAttribute('network_data')],
  ['properties', ({ properties }) => properties],
  ['provision_state', (node, { minor }) => provisionState(node, minor)],
  ['reservation', ({ reservation }) => reservation?.holder ?? null],
  ['vendor_interface', ({ vendorInterface }) => vendorInterface],
  ['links', ({ uuid }, { base }) => selfAndBookmark(base, `nodes/${uuid}`)],
  ['conductor', (_node, { host }) => host],
  ['ports', subresource('ports')],
  ['states', subresource('states')],
  ['portgroups', subresource('portgroups')],
  ['volume', subresource('volume')],
]);

/** All fields in order, with their first version. */
const MEMBERS: readonly (readonly [key: string, from: number, member: Member])[] = [...NODE_FIELDS].map(
  ([key, { from, constant }]) => [
    key,
    from,
    COMPUTED.get(key) ?? (constant === undefined ? attribute(key) : () => constant),
  ],
);

/**
 * Returns a function that renders nodes in Ironic's form of the request's version, with secrets masked.
 * @param fields the keys to show, which have passed `checkNodeFields`; links are always added; null for all
 */
export function nodeRenderer(
  exchange: Exchange,
  { host }: Core,
  fields: readonly string[] | null,
): (node: Node) => Record<string, unknown> {
  const { minor } = exchange;
  const site: DocumentSite = { base: baseUrl(exchange), host, minor };
  const members = MEMBERS.filter(
    ([key, from]) => minor >= from && (fields === null || key === 'links' || fields.includes(key)),
  );
  return (node) => {
    const document: Record<string, unknown> = {};
    for (const [key, , member] of members) document[key] = member(node, site) ?? null;
    return document;
  };
}

/**
 * Returns `fields`. Throws `version_not_acceptable` for one that the request's version lacks, `invalid_argument`, worded as
 * recorded ("show unknown field"), for an unknown one.
 */
export function checkNodeFields(exchange: Exchange, fields: readonly string[] | null): readonly string[] | null {
  for (const key of fields ?? []) {
    const field = NODE_FIELDS.get(key);
    if (field === undefined)
      throw badParameter('fields', `${key} is not a field`, `Field ${key} is not a valid field.`);
    checkVersion(exchange, key, field.from);
  }
  return fields;
}
