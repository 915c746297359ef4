// What each version of Ironic's API has: the one table that decides which routes exist, which fields are shown, written and
// selected, which filters and sort keys are accepted, and what the OpenAPI document and the errors list.
import type { Json } from '../core/json.ts';
import type { NodeSortKey } from '../core/store.ts';

/** The newest minor version: that of Ironic 39. */
export const MAX_MINOR = 115;

/** First minor version in which nodes have names. */
export const NAMES_MINOR = 5;
/** First minor version in which names may contain all unreserved characters of URLs, not only those of host names. */
export const FREE_NAMES_MINOR = 10;
/** First minor version in which new nodes are in the provision state `enroll`; before, they are `available`. */
export const ENROLL_MINOR = 11;
/** First minor version in which virtual media can be listed; attached and detached they can be since 1.89. */
export const LIST_VMEDIA_MINOR = 93;
/** First minor version in which a path's suffix `.json` has no meaning. */
export const PLAIN_JSON_MINOR = 91;

/** How a field of a node is written. */
export interface Written {
  kind: 'text' | 'boolean' | 'object' | 'uuid' | 'interface';
  /** The value after setting it to null or removing it. */
  default: Json;
  /** Maximum length of a text, in characters. */
  maxLength?: number;
  /** Minimum length of a text, in characters; default 0. */
  minLength?: number;
  /** The only request that can set it; both when absent. */
  on?: 'create' | 'patch';
  /** The core's name of the field; absent for attributes, which the core stores. */
  core?: 'name' | 'driver' | 'vendorInterface' | 'driverInfo' | 'extra' | 'properties' | 'description' | 'maintenance';
}

/** A field of a node. Every one is shown. */
export interface NodeField {
  /** The first minor version that has it. */
  from: number;
  /** Absent for a field that is only read. */
  write?: Written;
  /** What lists are sorted by for this field; absent for one that cannot be a sort key. */
  sort?: NodeSortKey;
  /** The value in every node, for a feature that is not served. */
  constant?: Json;
}

/** A kind of interface of Ironic's hardware types, in the order of its documents. Only `vendor` does anything here. */
export const INTERFACES: ReadonlyMap<string, { fieldFrom: number; driverFrom: number }> = new Map([
  ['network', { fieldFrom: 20, driverFrom: 30 }],
  ['management', { fieldFrom: 31, driverFrom: 30 }],
  ['power', { fieldFrom: 31, driverFrom: 30 }],
  ['deploy', { fieldFrom: 31, driverFrom: 30 }],
  ['bios', { fieldFrom: 40, driverFrom: 40 }],
  ['vendor', { fieldFrom: 31, driverFrom: 30 }],
  ['storage', { fieldFrom: 33, driverFrom: 33 }],
  ['rescue', { fieldFrom: 38, driverFrom: 38 }],
  ['console', { fieldFrom: 31, driverFrom: 30 }],
  ['raid', { fieldFrom: 31, driverFrom: 30 }],
  ['boot', { fieldFrom: 31, driverFrom: 30 }],
  ['inspect', { fieldFrom: 31, driverFrom: 30 }],
  ['firmware', { fieldFrom: 86, driverFrom: 86 }],
]);

const text = (maxLength: number, core?: Written['core']): Written => ({ kind: 'text', default: null, maxLength, core });
const flag = (fallback: boolean | null): Written => ({ kind: 'boolean', default: fallback });
const object = (core?: Written['core']): Written => ({ kind: 'object', default: {}, core });
const uuid: Written = { kind: 'uuid', default: null };

/** A field with the same value in every node: such a sort key leaves the order of enrolment. */
const same = (from: number, constant: Json): NodeField => ({ from, constant, sort: 'id' });
/** The same for a document, which is no sort key in Ironic either. */
const sameDocument = (from: number, constant: Json): NodeField => ({ from, constant });
const read = (from: number, sort?: NodeSortKey): NodeField => ({ from, sort });
const write = (from: number, written: Written, sort?: NodeSortKey): NodeField => ({ from, write: written, sort });
/** A field that the core stores as an attribute of that name. */
const attribute = (from: number, name: string, written: Written): [string, NodeField] => [
  name,
  { from, write: written, sort: `attributes.${name}` },
];
const interfaceField = (kind: string): [string, NodeField] =>
  attribute(INTERFACES.get(kind)?.fieldFrom ?? 1, `${kind}_interface`, { kind: 'interface', default: null });

/** All fields of a node, in the order of Ironic's documents. */
export const NODE_FIELDS: ReadonlyMap<string, NodeField> = new Map<string, NodeField>([
  ['uuid', read(1, 'uuid')],
  ['created_at', read(1, 'createTime')],
  ['updated_at', read(1, 'updateTime')],
  attribute(47, 'automated_clean', flag(null)),
  interfaceField('bios'),
  interfaceField('boot'),
  attribute(75, 'boot_mode', { ...text(255), on: 'create' }),
  ['clean_step', sameDocument(7, {})],
  attribute(46, 'conductor_group', { ...text(255), default: '' }),
  attribute(1, 'console_enabled', { ...flag(false), on: 'create' }),
  interfaceField('console'),
  interfaceField('deploy'),
  ['deploy_step', sameDocument(44, {})],
  ['description', write(51, text(4096, 'description'), 'description')],
  attribute(95, 'disable_power_off', flag(false)),
  ['driver', write(1, text(255, 'driver'), 'driver')],
  ['driver_info', write(1, object('driverInfo'))],
  ['driver_internal_info', sameDocument(3, {})],
  ['extra', write(1, object('extra'))],
  ['fault', same(42, null)],
  interfaceField('firmware'),
  ['health', same(109, null)],
  ['inspection_finished_at', same(6, null)],
  ['inspection_started_at', same(6, null)],
  interfaceField('inspect'),
  ['instance_info', write(1, object())],
  attribute(104, 'instance_name', { ...text(255), minLength: 1 }),
  attribute(1, 'instance_uuid', uuid),
  ['last_error', read(1, 'lastError')],
  attribute(65, 'lessee', text(255)),
  ['maintenance', write(1, { ...flag(false), core: 'maintenance' }, 'maintenance')],
  ['maintenance_reason', read(1, 'maintenanceReason')],
  interfaceField('management'),
  ['name', write(NAMES_MINOR, text(255, 'name'), 'name')],
  ['network_data', write(66, object())],
  interfaceField('network'),
  attribute(50, 'owner', text(255)),
  attribute(83, 'parent_node', text(36)),
  interfaceField('power'),
  ['power_state', same(1, null)],
  ['properties', write(1, object('properties'))],
  attribute(48, 'protected', { ...flag(false), on: 'patch' }),
  attribute(48, 'protected_reason', { ...text(4096), on: 'patch' }),
  ['provision_state', read(1, 'attributes.provision_state')],
  ['provision_updated_at', same(1, null)],
  ['raid_config', sameDocument(12, {})],
  interfaceField('raid'),
  interfaceField('rescue'),
  ['reservation', read(1, 'holder')],
  attribute(21, 'resource_class', text(80)),
  attribute(61, 'retired', flag(false)),
  attribute(61, 'retired_reason', text(4096)),
  attribute(75, 'secure_boot', { ...flag(null), on: 'create' }),
  ['service_step', sameDocument(87, {})],
  attribute(82, 'shard', text(255)),
  interfaceField('storage'),
  ['target_power_state', same(1, null)],
  ['target_provision_state', same(1, null)],
  ['target_raid_config', sameDocument(12, {})],
  ['traits', sameDocument(37, [])],
  ['vendor_interface', write(31, text(255, 'vendorInterface'), 'vendorInterface')],
  ['links', read(1)],
  ['conductor', read(49)],
  ['allocation_uuid', sameDocument(52, null)],
  ['chassis_uuid', { from: 1, write: uuid }],
  ['ports', read(1)],
  ['states', read(14)],
  ['portgroups', read(24)],
  ['volume', read(32)],
]);

/** A parameter of a query. */
export interface Parameter {
  /** The first minor version that has it. */
  from: number;
  kind: 'text' | 'boolean' | 'uuid' | 'list' | 'integer' | 'enum';
  /** The allowed values of an `enum`, and Ironic's words for another one. */
  values?: readonly string[];
  invalid?: (value: string) => string;
  /** The status of a request at an earlier version; default 406. */
  early?: 400;
}

const parameter = (from: number, kind: Parameter['kind']): Parameter => ({ from, kind });

/** The states of Ironic's machine, which a filter may name. Nodes here are in `enroll`, or in `available`. */
const PROVISION_STATES = [
  ...['active', 'adopt failed', 'adopting', 'available', 'clean failed', 'clean hold', 'clean wait', 'cleaning'],
  ...['deleting', 'deploy failed', 'deploy hold', 'deploying', 'enroll', 'error', 'inspect failed'],
  ...['inspect wait', 'inspecting', 'manageable', 'rescue', 'rescue failed', 'rescue wait', 'rescuing'],
  ...['service failed', 'service hold', 'service wait', 'servicing', 'unrescue failed', 'unrescuing', 'verifying'],
  'wait call-back',
];

const FAULTS = ['power failure', 'clean failure', 'rescue abort failure', 'service failure'];

const PAGE_PARAMETERS = {
  limit: parameter(1, 'integer'),
  sort_key: parameter(1, 'text'),
  sort_dir: parameter(1, 'text'),
} as const;

/** The parameters that select nodes. */
export const NODE_FILTERS: Readonly<Record<string, Parameter>> = {
  associated: parameter(1, 'boolean'),
  chassis_uuid: parameter(1, 'uuid'),
  conductor: parameter(49, 'text'),
  conductor_group: parameter(46, 'text'),
  description_contains: parameter(1, 'text'),
  driver: parameter(16, 'text'),
  fault: {
    ...parameter(42, 'enum'),
    values: FAULTS,
    invalid: (fault) => `Unrecognized fault "${fault}" is specified, allowed faults are ${FAULTS.join(', ')}`,
  },
  include_children: parameter(83, 'boolean'),
  instance_name: parameter(104, 'text'),
  instance_uuid: parameter(1, 'uuid'),
  lessee: parameter(65, 'text'),
  maintenance: parameter(1, 'boolean'),
  owner: parameter(50, 'text'),
  parent_node: parameter(83, 'text'),
  project: parameter(1, 'text'),
  provision_state: {
    ...parameter(9, 'enum'),
    values: PROVISION_STATES,
    invalid: (state) => `Provision state "${state}" is not valid`,
  },
  resource_class: parameter(21, 'text'),
  retired: parameter(1, 'boolean'),
  shard: parameter(82, 'list'),
  sharded: parameter(82, 'boolean'),
};

/** The query of each list and document that Ironic has in versions. */
export const PARAMETERS = {
  nodesInDetail: { ...NODE_FILTERS, ...PAGE_PARAMETERS, marker: parameter(1, 'uuid') },
  nodes: {
    ...NODE_FILTERS,
    ...PAGE_PARAMETERS,
    marker: parameter(1, 'uuid'),
    fields: parameter(8, 'list'),
    detail: { ...parameter(43, 'boolean'), early: 400 },
  },
  node: { fields: parameter(8, 'list') },
  nodePatch: { reset_interfaces: parameter(45, 'boolean') },
  drivers: { type: parameter(30, 'text'), detail: parameter(30, 'boolean'), fields: parameter(77, 'list') },
  driver: { fields: parameter(77, 'list') },
  conductors: {
    ...PAGE_PARAMETERS,
    marker: parameter(49, 'text'),
    fields: parameter(49, 'list'),
    detail: parameter(49, 'boolean'),
  },
  conductor: { fields: parameter(49, 'list') },
} as const satisfies Record<string, Readonly<Record<string, Parameter>>>;

/** The fields of a driver with their first version, in the order of its documents; the interfaces only in detail. */
export const DRIVER_FIELDS: ReadonlyMap<string, number> = new Map([
  ['name', 1],
  ['hosts', 1],
  ['links', 1],
  ['properties', 14],
  ['type', 30],
  ...[...INTERFACES].flatMap(([kind, { driverFrom }]): [string, number][] => [
    [`default_${kind}_interface`, driverFrom],
    [`enabled_${kind}_interfaces`, driverFrom],
  ]),
]);

/** The optional collections of `/v1` in Ironic's order with their first version. Not all are served; clients look them up. */
export const COLLECTIONS: ReadonlyMap<string, number> = new Map([
  ['portgroups', 23],
  ['volume', 32],
  ['lookup', 22],
  ['heartbeat', 22],
  ['conductors', 49],
  ['allocations', 52],
  ['events', 54],
  ['deploy_templates', 55],
  ['shards', 82],
  ['runbooks', 92],
  ['inspection_rules', 96],
  ['continue_inspection', 84],
]);

/** The parts of a node with their first version; those that are absent exist in every version. */
const NODE_PARTS: ReadonlyMap<string, number> = new Map([
  ['allocation', 52],
  ['bios', 40],
  ['children', 83],
  ['firmware', 86],
  ['history', 78],
  ['inventory', 81],
  ['portgroups', 24],
  ['traits', 37],
  ['vifs', 28],
  ['vmedia', 89],
  ['volume', 32],
]);

/** First minor version with the RAID configuration of nodes and the RAID properties of drivers. */
const RAID_MINOR = 12;

/** Returns the first minor version of a route's path, for example `/v1/conductors/:host`; a path of no such route is in all. */
export function routeFrom(path: string): number {
  const [, , collection = '', , part = '', detail = ''] = path.split('/');
  if (part === 'raid' || detail === 'raid') return RAID_MINOR;
  if (collection === 'nodes') return NODE_PARTS.get(part) ?? 1;
  // The ramdisk calls it at every version.
  return collection === 'continue_inspection' ? 1 : (COLLECTIONS.get(collection) ?? 1);
}
