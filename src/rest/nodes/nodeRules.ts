// Ironic's rules between the fields of a node that the core stores without interpreting them.
import type { Core } from '../../core/core.ts';
import { invalidArgument, PassthruError } from '../../core/errors.ts';
import { isJsonObject, type Json, type JsonObject } from '../../core/json.ts';
import type { Node } from '../../core/node.ts';
import { ENROLL_MINOR } from '../apiTable.ts';
import { interfaceNames, KEPT_INTERFACES } from '../interfaceNames.ts';

/** The provision state of a node that was created before version 1.11. */
const AVAILABLE = 'available';

/** Shown as null before this version. */
const AVAILABLE_MINOR = 2;

/** Returns the attributes of a new node that it has by the version of the request that creates it. */
export function initialAttributes(minor: number): JsonObject {
  return minor < ENROLL_MINOR ? { provision_state: AVAILABLE } : {};
}

/** Returns the provision state of a node: nodes here never leave the one that they are created in. */
export function provisionState({ attributes }: Pick<Node, 'attributes'>, minor: number): string | null {
  if (attributes.provision_state !== AVAILABLE) return 'enroll';
  return minor < AVAILABLE_MINOR ? null : AVAILABLE;
}

/** Returns the filter for nodes in this state; null for a state that no node here has. */
export function provisionStateFilter(state: string): { provision_state: string | null } | null {
  if (state === 'enroll') return { provision_state: null };
  return state === AVAILABLE ? { provision_state: AVAILABLE } : null;
}

/**
 * Returns the attributes that a node has after a change, with what follows from it. Throws `invalid_argument` or
 * `failed_precondition`, in Ironic's words, if a rule forbids the change.
 * @param before the attributes before the change; null for a new node
 * @param changed the keys that the change names
 */
export function settleAttributes(
  node: Pick<Node, 'uuid' | 'attributes'>,
  before: JsonObject | null,
  changed: ReadonlySet<string>,
): JsonObject {
  const after: JsonObject = { ...node.attributes };
  if (typeof after.conductor_group === 'string') after.conductor_group = after.conductor_group.toLowerCase();
  // As Ironic does for the callers that set a display name only.
  const info = after.instance_info;
  const displayName =
    changed.has('instance_info') && isJsonObject(info ?? null) ? (info as JsonObject).display_name : null;
  if (typeof displayName === 'string' && displayName !== '' && isUnset(after.instance_name)) {
    after.instance_name = displayName.slice(0, 255);
  }
  // As in Ironic, a new node may have a reason alone.
  if (before !== null) {
    settleReason(after, before, 'protected', changed);
    settleReason(after, before, 'retired', changed);
  }
  checkProtected(node.uuid, after, before ?? {});
  checkRetired(node.uuid, after, before ?? {});
  const instance = before?.instance_uuid;
  if (!isUnset(after.instance_uuid) && !isUnset(instance) && after.instance_uuid !== instance) {
    const message = `Node ${node.uuid} is associated with instance ${instance}.`;
    throw new PassthruError('failed_precondition', message, {
      violations: [{ field: 'instance_uuid', description: 'must be removed before another one is set' }],
    });
  }
  return after;
}

/** The reason of a flag goes with it; an update cannot give it without the flag. */
function settleReason(
  after: JsonObject,
  before: JsonObject,
  flag: 'protected' | 'retired',
  changed: ReadonlySet<string>,
): void {
  const reason = `${flag}_reason`;
  if (after[flag] === true || isUnset(after[reason])) return;
  if (before[flag] === true) delete after[reason];
  else if (changed.has(reason)) {
    throw invalidArgument(reason, `needs ${flag}`, `The ${reason} field can only be set when ${flag} is True`);
  }
}

function checkProtected(uuid: string, after: JsonObject, before: JsonObject): void {
  if (after.protected !== true || before.protected === true) return;
  const state = provisionState({ attributes: after }, AVAILABLE_MINOR);
  const message = `Node ${uuid} can only be made protected in provision states 'active' or 'rescue', the current state is '${state}'`;
  throw new PassthruError('failed_precondition', message, {
    violations: [{ field: 'protected', description: 'can be set in provision states that nodes here are never in' }],
  });
}

function checkRetired(uuid: string, after: JsonObject, before: JsonObject): void {
  if (after.retired !== true || before.retired === true || after.provision_state !== AVAILABLE) return;
  const message = `Node ${uuid} can not have 'retired' set in provision state 'available', the current state is 'available'`;
  throw new PassthruError('failed_precondition', message, {
    violations: [{ field: 'retired', description: "cannot be set in the provision state 'available'" }],
  });
}

/** Throws `invalid_argument`, in Ironic's words, if a node of `driver` cannot have one of the interfaces in its attributes. */
export function checkInterfaces(driver: string, attributes: JsonObject): void {
  for (const [key, kind] of KEPT_INTERFACES) {
    const name = attributes[key] ?? null;
    if (name === null) continue;
    const valid = interfaceNames(driver, kind);
    if (valid.includes(String(name))) continue;
    const message = `Could not find the following interface in the 'ironic.hardware.interfaces.${kind}' entrypoint: ${name}. Valid interfaces are ${valid.join(', ')}.`;
    throw invalidArgument(key, `must be one of ${valid.join(', ')}`, message);
  }
}

/**
 * Returns the UUID of the node that is to be the parent, which may be given by name. Throws `invalid_argument`, in Ironic's
 * words, which do not tell whether it exists.
 * @param owner the owner that both must have
 */
export async function findParent(core: Core, parent: string, owner: Json): Promise<string> {
  const found = await core.nodes.get(parent).catch(() => null);
  if (found !== null && (found.attributes.owner ?? null) === owner) return found.uuid;
  const message = `Unable to apply the requested parent_node '${parent}'. Requested value was invalid.`;
  throw invalidArgument('parent_node', 'must be a node with the same owner', message);
}

function isUnset(value: Json | undefined): boolean {
  return value === undefined || value === null || value === '';
}
