import type { RedfishClient } from '../client.ts';
import { RedfishError } from '../errors.ts';

/**
 * A part of a machine that could not be read: it sleeps (a GPU baseboard that is off), is closed to the account, or is
 * broken. The others are used, and this one is named where that matters.
 */
export interface Unreadable {
  path: string;
  /** The BMC's own words. */
  error: RedfishError;
}

/** How long a part is waited for on which the result does not depend alone, in ms. */
const PATIENCE_MS = 5000;

/** How long a BMC may take to respond for such a part, in ms: one that sleeps may accept the request and say nothing. */
const RESPONSE_MS = 10_000;

/** Errors that concern the BMC or the account as a whole, not one part of it. */
const WHOLE: ReadonlySet<RedfishError['kind']> = new Set(['busy', 'tls', 'stopped', 'outcome-unknown']);

/** Returns a client that waits for a part, and repeats its reads, for a short time only. */
export function patientFor(client: RedfishClient): RedfishClient {
  return client.with({ patienceMs: PATIENCE_MS, timeoutMs: RESPONSE_MS });
}

/**
 * Returns `error` as that of the part at `path`.
 * @throws `error` when it does not concern this part alone
 */
export function asUnreadable(client: RedfishClient, path: string, error: unknown): Unreadable {
  client.signal.throwIfAborted();
  if (!(error instanceof RedfishError) || WHOLE.has(error.kind)) throw error;
  if (error.kind === 'auth' && error.status !== 403) throw error;
  return { path, error };
}

/** The results of reading several parts. */
export interface Parts<T> {
  values: T[];
  unreadable: Unreadable[];
}

/**
 * Reads each part, and returns those that can be read and those that cannot. One of several is waited for a short time only.
 * @param needed whether nothing can be done without any of them: when none could be read, all are read again with patience
 */
export async function readParts<Place, T>(
  client: RedfishClient,
  places: Place[],
  pathOf: (place: Place) => string,
  read: (client: RedfishClient, place: Place) => Promise<T>,
  needed: boolean,
): Promise<Parts<T>> {
  const readAll = async (reader: RedfishClient): Promise<Parts<T>> => {
    const parts: Parts<T> = { values: [], unreadable: [] };
    const results = await Promise.allSettled(places.map((place) => read(reader, place)));
    for (const [index, result] of results.entries()) {
      if (result.status === 'fulfilled') parts.values.push(result.value);
      else parts.unreadable.push(asUnreadable(client, pathOf(places[index]!), result.reason));
    }
    return parts;
  };
  if (needed && places.length === 1) return readAll(client);
  const parts = await readAll(patientFor(client));
  if (!needed || parts.values.length > 0 || !parts.unreadable.some(maySleep)) return parts;
  return readAll(client);
}

/** Whether a part may be readable in a while: the BMC did not respond, or failed. What is closed or absent stays so. */
export function maySleep({ error }: Unreadable): boolean {
  return error.status < 400 || error.status >= 500 || [408, 429].includes(error.status) || isNotReady(error);
}

/** Whether the BMC said under 4xx that something is not ready (iDRAC's SWC0700, SYS518; iLO). */
function isNotReady({ status, message }: RedfishError): boolean {
  return status === 400 || status === 409 || /not ready|busy|in progress|initiali[sz]/i.test(message);
}

/** Whether the BMC has no such resource, or none that can be read. */
export function isAbsent({ error }: Unreadable): boolean {
  return [404, 405, 410, 501].includes(error.status);
}
