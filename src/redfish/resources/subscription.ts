import type { JsonObject } from '../../core/json.ts';
import type { RedfishClient } from '../client.ts';
import { ifFound, RedfishError, withFinding } from '../errors.ts';
import { lastSegment, locationPath, textOf } from '../links.ts';
import { hasMessage, type RedfishResponse } from '../wire/response.ts';
import { getCollection } from './collection.ts';
import { onSubscriptions } from './eventService.ts';
import { followTask, poll } from './task.ts';

/** iLO has one message for both unknown and read-only properties. */
const UNKNOWN = ['PropertyUnknown', 'PropertyNotWritableOrUnknown'];

/** Sent unless the caller gives others; those that the BMC does not know are omitted. */
const DEFAULTS = { Protocol: 'Redfish', Context: '', EventTypes: ['Alert'] };

/** The properties of a new subscription that the caller gives. The values of HttpHeaders are redacted in errors. */
export type NewSubscription = JsonObject & { Destination: string; HttpHeaders?: Record<string, string>[] };

/**
 * Creates a subscription and returns its document, in one request where the BMC returns it. Otherwise it is read from
 * `Location`, or searched by Destination and Context.
 * @param ifExists whether to fail or to return the existing subscription when the BMC has one with this Destination and
 *   Context; `return` reads the subscriptions first, because not every BMC refuses a second one
 * @throws kind `exists`, with the id of the first, when the BMC refused a second subscription to that destination;
 *   `outcome-unknown`, with what was found, when the BMC did not respond
 */
export async function createSubscription(
  caller: RedfishClient,
  given: NewSubscription,
  ifExists: 'refuse' | 'return' = 'refuse',
): Promise<JsonObject> {
  const client = caller.with({ secrets: (given.HttpHeaders ?? []).flatMap((header) => Object.values(header)) });
  const properties = { ...DEFAULTS, ...given };
  const matches = (document: JsonObject) =>
    document.Destination === given.Destination && (document.Context ?? '') === properties.Context;
  if (ifExists === 'return') {
    const existing = await findSubscription(client, matches);
    if (existing !== null) return existing;
  }
  let response: RedfishResponse | null;
  try {
    response = await post(client, given);
  } catch (error) {
    if (!(error instanceof RedfishError)) throw error;
    if (error.kind === 'outcome-unknown') {
      const found = await findCreated(client, matches, error, 0);
      if (ifExists === 'return') return found;
      throw withFinding(error, `The BMC has a subscription with that destination and context now: ${idOf(found)}`);
    }
    if (!meansDuplicate(error, given.Destination)) throw error;
    const existing = await findSubscription(client, ({ Destination }) => Destination === given.Destination)
      // The refusal is reported with or without the id.
      .catch(() => null);
    client.signal.throwIfAborted();
    if (existing !== null && ifExists === 'return' && matches(existing)) return existing;
    throw existsError(error, existing);
  }
  const document = response?.document ?? {};
  // A body that is only a message has no Id.
  if (textOf(document, 'Id') !== null && textOf(document, 'Destination') !== null) return document;
  const path = createdPath(response, document);
  if (path === null) {
    const status = response?.status ?? 202;
    const message = `The BMC returned ${status} without the path of the new subscription`;
    return findCreated(client, matches, new RedfishError('outcome-unknown', message, { status, url: client.origin }));
  }
  try {
    return { Id: lastSegment(path), ...(await client.get(path)) };
  } catch (error) {
    if (!(error instanceof RedfishError)) throw error;
    // It was created at that path; failing to read it must not look like a failure to create it.
    return { ...properties, Id: lastSegment(path) };
  }
}

async function post(client: RedfishClient, given: NewSubscription): Promise<RedfishResponse | null> {
  let defaults: JsonObject = DEFAULTS;
  for (;;) {
    try {
      return await onSubscriptions(client, async (path) =>
        followTask(client, await client.post(path, { ...defaults, ...given })),
      );
    } catch (error) {
      // BMCs name all unknown properties, or one at a time. Each retry omits at least one, so that this ends.
      const unknown = unknownProperties(error);
      const remaining = Object.entries(defaults).filter(([key]) => !unknown.includes(key));
      if (remaining.length === Object.keys(defaults).length || unknown.some((key) => key in given)) throw error;
      defaults = Object.fromEntries(remaining);
    }
  }
}

/** Returns the properties that a refusal names as unknown, in MessageArgs or RelatedProperties. */
function unknownProperties(error: unknown): string[] {
  if (!(error instanceof RedfishError) || error.kind !== 'refused') return [];
  const entries = error.extendedInfo.filter((entry) => hasMessage([entry], ...UNKNOWN));
  return entries.flatMap(({ MessageArgs, RelatedProperties }) =>
    [MessageArgs, RelatedProperties]
      .flatMap((names) => (Array.isArray(names) ? names : []))
      .map((name) => String(name).replace(/^[#/]+/, '')),
  );
}

/** Returns the path of a new subscription; null when the BMC does not return it. */
function createdPath(response: RedfishResponse | null, document: JsonObject): string | null {
  // In a 202 and in an ended task, the location is that of the task.
  if (response === null || response.status === 202 || textOf(document, 'TaskState') !== null) return null;
  return locationPath(response.headers.location ?? textOf(document, '@odata.id') ?? undefined);
}

/** Whether `error` means a duplicate: ResourceAlreadyExists (iLO), PropertyValueModified of the destination (iDRAC). */
function meansDuplicate(error: RedfishError, destination: string): boolean {
  const failedTask = error.kind === 'failed' && error.status === 200;
  if (error.kind !== 'refused' && !failedTask) return false;
  if (hasMessage(error.extendedInfo, 'ResourceAlreadyExists')) return true;
  return error.extendedInfo.some(
    (entry) => hasMessage([entry], 'PropertyValueModified') && JSON.stringify(entry).includes(destination),
  );
}

function existsError({ message, status, extendedInfo, url }: RedfishError, existing: JsonObject | null): RedfishError {
  const id = existing === null ? '' : `, with the id ${idOf(existing)}`;
  const text = `the BMC has a subscription to that destination already${id}. Error: ${message}`;
  return new RedfishError('exists', text, { status, extendedInfo, url });
}

/**
 * Returns the subscription that a request of unknown outcome has created.
 * @param limitMs how long to look for it, in ms; see `poll`
 * @throws `error` with what was found. That none was found is no proof: the BMC may still be processing the request.
 */
async function findCreated(
  client: RedfishClient,
  matches: (document: JsonObject) => boolean,
  error: RedfishError,
  limitMs?: number,
): Promise<JsonObject> {
  let finding =
    'The BMC lists no subscription with that destination and context yet, and may still create it; ' +
    'check with get_all_subscriptions before repeating';
  try {
    const found = await poll(() => findSubscription(client, matches), client.signal, limitMs);
    if (found !== null) return found;
  } catch {
    client.signal.throwIfAborted();
    finding = 'The subscriptions of the BMC could not be read; check with get_all_subscriptions before repeating';
  }
  throw withFinding(error, finding);
}

function idOf(document: JsonObject): string {
  return textOf(document, 'Id') ?? lastSegment(textOf(document, '@odata.id') ?? '');
}

/** Returns the newest subscription that `matches`; null when there is none. */
async function findSubscription(
  client: RedfishClient,
  matches: (document: JsonObject) => boolean,
): Promise<JsonObject | null> {
  const { members } = await onSubscriptions(client, (path) => getCollection(client, path));
  for (const { path, document } of members.reverse()) {
    const found = document ?? (await ifFound(client.get(path)));
    if (found !== null && matches(found)) return { '@odata.id': path, ...found };
  }
  return null;
}
