// The nodes over REST: Ironic's routes, documents, lists and JSON Patch.
import type { Node, NodeUpdate } from '../../core/node.ts';
import { parseBody, parseObjectBody } from '../body.ts';
import { clientSignal, type Exchange, enter, enterNode } from '../context.ts';
import { baseUrl } from '../links.ts';
import { booleanParameter, listParameter, readQuery } from '../query.ts';
import { sendEmpty, sendJson } from '../response.ts';
import { readPatch } from './jsonPatch.ts';
import { checkNodeFields, nodeRenderer } from './nodeDocument.ts';
import { checkPatchedFields, nodeChanges, readMaintenanceReason, readNewNode } from './nodeInput.ts';

/** POST /v1/nodes */
export async function createNode(exchange: Exchange): Promise<void> {
  const { body, rawQuery, caller } = exchange;
  readQuery(rawQuery);
  const document = parseObjectBody(body);
  const core = enter(exchange);
  const node = await core.nodes.create(readNewNode(document), caller);
  const location = `${baseUrl(exchange)}/v1/nodes/${node.uuid}`;
  sendJson(exchange, 201, nodeRenderer(exchange, core, null)(node), ['Location', location]);
}

/** GET /v1/nodes/N */
export async function showNode(exchange: Exchange): Promise<void> {
  const query = readQuery(exchange.rawQuery, ['fields']);
  const fields = checkNodeFields(listParameter(query, 'fields'));
  const { core, ident } = enterNode(exchange);
  sendJson(exchange, 200, nodeRenderer(exchange, core, fields)(await core.nodes.get(ident)));
}

/** PATCH /v1/nodes/N: a JSON Patch */
export async function patchNode(exchange: Exchange): Promise<void> {
  const { body, rawQuery, caller } = exchange;
  const reset = booleanParameter(readQuery(rawQuery, ['reset_interfaces']), 'reset_interfaces') ?? false;
  const patch = readPatch(parseBody(body));
  const { core, ident } = enterNode(exchange);
  checkPatchedFields(patch);
  const change = (node: Node) => nodeChanges(node, patch, reset);
  const node = await core.nodes.update(ident, change, caller, clientSignal(exchange));
  sendJson(exchange, 200, nodeRenderer(exchange, core, null)(node));
}

/** DELETE /v1/nodes/N */
export async function deleteNode(exchange: Exchange): Promise<void> {
  readQuery(exchange.rawQuery);
  const { core, ident } = enterNode(exchange);
  await core.nodes.delete(ident, exchange.caller, clientSignal(exchange));
  sendEmpty(exchange, 204);
}

/** PUT /v1/nodes/N/maintenance */
export async function setMaintenance(exchange: Exchange): Promise<void> {
  readQuery(exchange.rawQuery);
  const maintenanceReason = readMaintenanceReason(parseObjectBody(exchange.body));
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
  const { core, ident } = enterNode(exchange);
  const reason = await core.nodes.validate(ident);
  sendJson(exchange, 200, { vendor: { result: reason === null, reason } });
}
