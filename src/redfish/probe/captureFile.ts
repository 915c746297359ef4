import type { Json, JsonObject } from '../../core/json.ts';
import { etagForm } from './formKinds.ts';
import type { Kind } from './kind.ts';
import type { Machine, SeenDevice } from './machine.ts';
import { isDocument, type RecordedResponse, type Recording } from './recording.ts';

/** The member of a capture that holds what its documents do not show; `passthru sim --capture` reads it. */
export const CAPTURE_KEY = '@passthru.capture';

/** The names of headers as they are written. */
const HEADER_NAMES: Readonly<Record<string, string>> = {
  allow: 'Allow',
  'content-type': 'Content-Type',
  etag: 'ETag',
  location: 'Location',
  'retry-after': 'Retry-After',
  'www-authenticate': 'WWW-Authenticate',
};

/** Returns the capture of a redacted recording: the documents by path, and beside them what they do not show. */
export function toCapture(recording: Recording, { devices }: Machine, kinds: readonly Kind[], made: Date): JsonObject {
  const uniform = etagForm(recording);
  const responses: JsonObject = {};
  const documents: JsonObject = {};
  const { login, root, strangers } = recording;
  const isStranger = login.kind === 'none' || login.kind === 'failed';
  for (const [path, response] of recording.responses) {
    // What an account would get is not known.
    if (isStranger && response.status === 401) continue;
    if (isDocument(response)) documents[path] = response.document;
    const told = isDocument(response) ? oddHeaders(response, uniform) : whole(response);
    if (told !== null) responses[path] = told;
  }
  const open = [...strangers.values(), ...recording.responses.values()].every(({ status }) => status !== 401);
  const anonymous: JsonObject = {};
  for (const [path, response] of recording.strangers) {
    const same = sameAs(response, recording.responses.get(path));
    // Everybody may read the service root, and nobody the rest: that is as it should be (DSP0266, 13.3.3).
    if (path === root ? !same : response.status !== 401) anonymous[path] = same ? { status: 200 } : whole(response);
  }
  const capture: JsonObject = {
    version: 1,
    made: made.toISOString().slice(0, 10),
    ...(isStranger && open ? { open } : {}),
    login: { kind: login.kind, ...(login.refusal === null ? {} : login.refusal) },
    quirks: kinds.filter(({ inCapture }) => inCapture === 'named').map(({ name }) => name),
    ...(uniform === 'none' || uniform === 'empty' ? { headers: { ETag: uniform === 'none' ? null : '' } } : {}),
    pages: Object.fromEntries(recording.pages),
    twins: twinsOf(devices),
    anonymous,
    responses,
  };
  return { [CAPTURE_KEY]: capture, ...documents };
}

/** Returns the devices that seem to be one, listed twice: same id, types and contents. The driver takes them for one too. */
function twinsOf(devices: readonly SeenDevice[]): Json[] {
  const marks = ({ id, types, inserted, image }: SeenDevice) => JSON.stringify([id, types, inserted, image]);
  const [systems, managers] = ['system', 'manager'].map((owner) => devices.filter((device) => device.owner === owner));
  return systems!.flatMap((device) => {
    const index = managers!.findIndex((other) => marks(other) === marks(device));
    return index < 0 ? [] : [[device.path, ...managers!.splice(index, 1).map(({ path }) => path)]];
  });
}

function whole({ status, headers, document, text }: RecordedResponse): JsonObject {
  const named = Object.entries(headers).map(([name, value]): [string, Json] => [HEADER_NAMES[name] ?? name, value]);
  const body = document ?? text;
  return { status, headers: Object.fromEntries(named), ...(body === null ? {} : { body }) };
}

/** Returns the headers of a document that the simulator would not make itself; null when there are none. */
function oddHeaders(
  { headers, document }: RecordedResponse & { document: JsonObject },
  uniform: string,
): JsonObject | null {
  const odd: JsonObject = {};
  const { etag = null, allow } = headers;
  const own = document['@odata.etag'];
  const usual = typeof own === 'string' ? etag === own : etag?.startsWith('"') === true;
  if (!usual && (uniform === 'mixed' || uniform === 'unquoted' || (typeof own === 'string' && etag !== null)))
    odd.ETag = etag;
  // Decides whether a device can be emptied by PATCH.
  if (allow !== undefined && !/\bPATCH\b/i.test(allow) && /#VirtualMedia\./.test(String(document['@odata.type']))) {
    odd.Allow = allow;
  }
  return Object.keys(odd).length === 0 ? null : { headers: odd };
}

function sameAs(one: RecordedResponse, other: RecordedResponse | undefined): boolean {
  return (
    other !== undefined &&
    one.status === other.status &&
    one.text === other.text &&
    JSON.stringify(one.document) === JSON.stringify(other.document)
  );
}
