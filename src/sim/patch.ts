import type { Json, JsonObject } from '../core/json.ts';
import { isJsonObject } from '../core/json.ts';
import type { Answer, BmcState, RedfishRequest } from './bmc.ts';
import type { RedfishDocument } from './documents.ts';
import type { Complaint } from './messages.ts';
import { refuse, refuseAll, shown } from './messages.ts';
import { documentAnswer, readObject, refuseStale } from './response.ts';

/** Properties that no BMC lets a client change. */
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
 * PATCH of a document (DSP0266, "PATCH"): properties that it has take the given values, objects are merged. 200 with
 * the document. When anything is wrong with the request nothing changes, though Redfish would allow a part to.
 */
export function patchDocument(request: RedfishRequest, bmc: BmcState): Answer {
  const before = bmc.documents.get(request.path) as RedfishDocument;
  const stale = refuseStale(request, before);
  if (stale) return stale;
  const read = readObject(request);
  if ('refusal' in read) return read.refusal;
  if (Object.keys(read.object).length === 0) return refuse('EmptyJSON');
  const complaints: Complaint[] = [];
  const after = merged(before, read.object, '', complaints);
  if (complaints.length > 0) return refuseAll(complaints);
  bmc.documents.set(request.path, after);
  return documentAnswer(bmc.documents.get(request.path) as RedfishDocument);
}

function merged(before: RedfishDocument, change: JsonObject, above: string, complaints: Complaint[]): JsonObject {
  const after: JsonObject = { ...before };
  for (const [name, value] of Object.entries(change)) {
    const property = `${above}${name}`;
    const old = Object.hasOwn(before, name) ? before[name] : undefined;
    const isLink = isJsonObject(old) && '@odata.id' in old;
    if (old === undefined) complaints.push({ name: 'PropertyUnknown', args: [property], property });
    else if (name.includes('@') || isLink || (above === '' && READ_ONLY.has(name))) {
      complaints.push({ name: 'PropertyNotWritable', args: [property], property });
    } else if (!sameType(old, value)) {
      complaints.push({ name: 'PropertyValueTypeError', args: [shown(value), property], property });
    } else if (isJsonObject(old) && isJsonObject(value)) {
      after[name] = merged(old, value, `${property}/`, complaints);
    } else after[name] = value;
  }
  return after;
}

/** Null stands for a value of any type. */
function sameType(old: Json, value: Json): boolean {
  return old === null || value === null || (typeof old === typeof value && Array.isArray(old) === Array.isArray(value));
}
