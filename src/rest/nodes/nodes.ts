import type { Core } from '../../core/core.ts';
import type { Node } from '../../core/node.ts';
import { parseBody, parseObjectBody } from '../body.ts';
import { clientSignal, type Exchange, enter } from '../context.ts';
import { baseUrl } from '../links.ts';
import { booleanParameter, listParameter, readQuery } from '../query.ts';
import { sendEmpty, sendJson } from '../response.ts';
import { readPatch } from './jsonPatch.ts';
import { checkNodeFields, type DocumentSite, nodeDocument } from './nodeDocument.ts';
import { readMaintenanceReason, readNewNode } from './nodeInput.ts';
import { enterNode } from './nodeParam.ts';
import { checkPatchedFields, nodeChanges } from './nodePatch.ts';

/** POST /v1/nodes */
export async function createNode(exchange: Exchange): Promise<void> {
  const { body, rawQuery, caller } = exchange;
  readQuery(rawQuery);
  const document = parseObjectBody(body);
  const core = enter(exchange);
  const node = await core.nodes.create(readNewNode(document), caller);
  const site = documentSite(exchange, core);
  const location = `${site.base}/v1/nodes/${node.uuid}`;
  sendJson(exchange, 201, nodeDocument(node, site, null), ['Location', location]);
}

/** GET /v1/nodes/N */
export async function showNode(exchange: Exchange): Promise<void> {
  const query = readQuery(exchange.rawQuery, ['fields']);
  const fields = checkNodeFields(listParameter(query, 'fields'));
  const { core, ident } = enterNode(exchange);
  sendJson(exchange, 200, nodeDocument(await core.nodes.get(ident), documentSite(exchange, core), fields));
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
  sendJson(exchange, 200, nodeDocument(node, documentSite(exchange, core), null));
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
  const { body, rawQuery, caller } = exchange;
  readQuery(rawQuery);
  const maintenanceReason = readMaintenanceReason(parseObjectBody(body));
  const change = () => ({ maintenance: true, maintenanceReason });
  const { core, ident } = enterNode(exchange);
  await core.nodes.update(ident, change, caller, clientSignal(exchange));
  sendEmpty(exchange, 202);
}

/** DELETE /v1/nodes/N/maintenance */
export async function unsetMaintenance(exchange: Exchange): Promise<void> {
  readQuery(exchange.rawQuery);
  const change = () => ({ maintenance: false, maintenanceReason: null });
  const { core, ident } = enterNode(exchange);
  await core.nodes.update(ident, change, exchange.caller, clientSignal(exchange));
  sendEmpty(exchange, 202);
}

/** GET /v1/nodes/N/validate: validates the vendor interface, the only one that is supported. */
export async function validateNode(exchange: Exchange): Promise<void> {
  readQuery(exchange.rawQuery);
  const { core, ident } = enterNode(exchange);
  const reason = await core.nodes.validate(ident);
  sendJson(exchange, 200, { vendor: { result: reason === null, reason } });
}

/** Returns what a node's document depends on besides the node. */
export function documentSite(exchange: Exchange, { host }: Core): DocumentSite {
  return { base: baseUrl(exchange), minor: exchange.minor, host };
}
