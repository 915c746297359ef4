import type { Json, JsonObject } from '../core/json.ts';
import { isJsonObject } from '../core/json.ts';
import type { BmcState, RedfishRequest, RedfishResponse } from './bmc.ts';
import type { RedfishDocument } from './documents.ts';
import type { Message } from './messages.ts';
import { asArgument, refuseAll } from './messages.ts';
import { documentResponse, readPatch } from './response.ts';

/** The properties that clients cannot change in any document. */
const READ_ONLY = new Set([
  'Actions',
  'FirmwareVersion',
  'Id',
  'Links',
  'Manufacturer',
  'Model',
  'Name',
  'PowerState',
  'SerialNumber',
  'Status',
  'UUID',
]);

/**
 * PATCH of a document (DSP0266, "PATCH"): replaces existing properties, merges objects, and returns 200 with the
 * document. An invalid property refuses the whole request, although Redfish allows a partial change.
 */
export function patchDocument(request: RedfishRequest, bmc: BmcState): RedfishResponse {
  const before = bmc.documents.get(request.path) as RedfishDocument;
  const errors: Message[] = [];
  const after = merged(before, readPatch(request, before), '', errors);
  if (errors.length > 0) return refuseAll(errors);
  bmc.documents.set(request.path, after);
  return documentResponse(bmc.documents.get(request.path) as RedfishDocument);
}

function merged(before: RedfishDocument, changes: JsonObject, above: string, errors: Message[]): JsonObject {
  const after: JsonObject = { ...before };
  for (const [name, value] of Object.entries(changes)) {
    const property = `${above}${name}`;
    const old = Object.hasOwn(before, name) ? before[name] : undefined;
    const isLink = isJsonObject(old) && '@odata.id' in old;
    if (old === undefined) errors.push({ name: 'PropertyUnknown', args: [property], property });
    else if (name.includes('@') || isLink || (above === '' && READ_ONLY.has(name))) {
      errors.push({ name: 'PropertyNotWritable', args: [property], property });
    } else if (!isSameType(old, value)) {
      errors.push({ name: 'PropertyValueTypeError', args: [asArgument(value), property], property });
    } else if (isJsonObject(old) && isJsonObject(value)) {
      after[name] = merged(old, value, `${property}/`, errors);
    } else after[name] = value;
  }
  return after;
}

/** Null has any type. */
function isSameType(old: Json, value: Json): boolean {
  return old === null || value === null || (typeof old === typeof value && Array.isArray(old) === Array.isArray(value));
}
