// The nodes over REST: Ironic's routes, documents, lists and JSON Patch.
import type { Core } from '../../core/core.ts';
import { PassthruError, toPassthruError } from '../../core/errors.ts';
import { checkNodeIdent, isUuid, type Node, type NodeUpdate } from '../../core/node.ts';
import { NAMES_MINOR, PARAMETERS } from '../apiTable.ts';
import { parseBody, parseObjectBody } from '../body.ts';
import { clientSignal, type Exchange, enter, enterNode } from '../context.ts';
import { baseUrl } from '../links.ts';
import { badParameter, booleanParameter, fieldsParameter, readQuery } from '../query.ts';
import { sendEmpty, sendJson } from '../response.ts';
import { readParameters } from '../versionGate.ts';
import { readPatch } from './jsonPatch.ts';
import { checkNodeFields, nodeRenderer } from './nodeDocument.ts';
import { checkPatchedFields, nodeChanges, patchedText, readMaintenanceReason, readNewNode } from './nodeInput.ts';
import { findParent } from './nodeRules.ts';

/** POST /v1/nodes */
export async function createNode(exchange: Exchange): Promise<void> {
  const { body, rawQuery, caller } = exchange;
  readQuery(rawQuery);
  const document = parseObjectBody(body);
  const core = enter(exchange);
  const given = readNewNode(exchange, document);
  const { parent_node: parent, owner = null } = given.attributes ?? {};
  if (typeof parent === 'string') {
    given.attributes = { ...given.attributes, parent_node: await findParent(core, parent, owner) };
  }
  const node = await core.nodes.create(given, caller);
  const location = `${baseUrl(exchange)}/v1/nodes/${node.uuid}`;
  sendJson(exchange, 201, nodeRenderer(exchange, core, null)(node), ['Location', location]);
}

/** GET /v1/nodes/N */
export async function showNode(exchange: Exchange): Promise<void> {
  const query = readParameters(exchange, PARAMETERS.node);
  const fields = checkNodeFields(exchange, fieldsParameter(query));
  const document = await onNode(exchange, async (core, ident) =>
    nodeRenderer(exchange, core, fields)(await core.nodes.get(ident)),
  );
  sendJson(exchange, 200, document);
}

/** PATCH /v1/nodes/N: a JSON Patch */
export async function patchNode(exchange: Exchange): Promise<void> {
  const { body, caller } = exchange;
  const resetInterfaces = booleanParameter(readParameters(exchange, PARAMETERS.nodePatch), 'reset_interfaces') ?? false;
  const patch = readPatch(parseBody(body));
  const signal = clientSignal(exchange);
  const document = await onNode(exchange, async (core, ident) => {
    checkPatchedFields(exchange, patch);
    if (resetInterfaces && patchedText(patch, 'driver') === null) {
      const message = "The reset_interfaces parameter can only be used when changing the node's driver.";
      throw badParameter('reset_interfaces', 'needs a change of the driver', message);
    }
    const named = patchedText(patch, 'parent_node');
    const owner = patchedText(patch, 'owner') ?? (named && ((await core.nodes.get(ident)).attributes.owner ?? null));
    const parent = named && (await findParent(core, named, owner));
    const change = (current: Node) => nodeChanges(exchange, current, patch, { resetInterfaces, parent });
    return nodeRenderer(exchange, core, null)(await core.nodes.update(ident, change, caller, signal));
  });
  sendJson(exchange, 200, document);
}

/** DELETE /v1/nodes/N */
export async function deleteNode(exchange: Exchange): Promise<void> {
  readQuery(exchange.rawQuery);
  const signal = clientSignal(exchange);
  await onNode(exchange, (core, ident) => core.nodes.delete(ident, exchange.caller, signal));
  sendEmpty(exchange, 204);
}

/**
 * Runs `work` on the node of the path. A suffix `.json` that was taken off the path may be a part of the node's name: if there
 * is no node without it, as in Ironic, `work` runs once more on the node with it.
 */
async function onNode<T>(exchange: Exchange, work: (core: Core, ident: string) => Promise<T>): Promise<T> {
  const { core, ident } = enterNode(exchange);
  try {
    return await work(core, ident);
  } catch (error) {
    if (!exchange.jsonSuffix || toPassthruError(error).kind !== 'node_not_found') throw error;
    const whole = `${ident}.json`;
    checkNodeIdent(whole);
    return await work(core, whole);
  }
}

/** PUT /v1/nodes/N/maintenance */
export async function setMaintenance(exchange: Exchange): Promise<void> {
  const fromQuery = readQuery(exchange.rawQuery, ['reason']).get('reason') ?? null;
  const maintenanceReason = readMaintenanceReason(parseBody(exchange.body) ?? null, fromQuery);
  await changeMaintenance(exchange, { maintenance: true, maintenanceReason });
}

/** DELETE /v1/nodes/N/maintenance */
export async function unsetMaintenance(exchange: Exchange): Promise<void> {
  readQuery(exchange.rawQuery);
  await changeMaintenance(exchange, { maintenance: false, maintenanceReason: null });
}

async function changeMaintenance(exchange: Exchange, changes: NodeUpdate): Promise<void> {
  const { core, ident } = enterNode(exchange);
  await core.nodes.update(ident, () => changes, exchange.caller, clientSignal(exchange));
  sendEmpty(exchange, 202);
}

/** GET /v1/nodes/N/validate: validates the vendor interface, the only one that is supported. */
export async function validateNode(exchange: Exchange): Promise<void> {
  readQuery(exchange.rawQuery);
  if (exchange.minor < NAMES_MINOR && !isUuid(exchange.params.ident ?? '')) {
    checkNodeIdent(exchange.params.ident ?? '');
    throw new PassthruError('version_not_acceptable', 'Request not acceptable. Nodes have names since version 1.5.', {
      violations: [{ field: 'node', description: 'must be a UUID before version 1.5' }],
    });
  }
  const { core, ident } = enterNode(exchange);
  const reason = await core.nodes.validate(ident);
  sendJson(exchange, 200, { vendor: { result: reason === null, reason } });
}
