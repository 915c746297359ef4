import type { BmcState } from '../../core/events/eventsInterface.ts';
import type { JsonObject } from '../../core/json.ts';
import type { RedfishClient } from '../client.ts';
import { isNotFound, RedfishError } from '../errors.ts';
import { textOf } from '../links.ts';
import { getCollection } from '../resources/collection.ts';
import { checkEventsSent, getEventService } from '../resources/eventService.ts';
import { findOnlySystem, getSystem, managersOf } from '../resources/system.ts';
import { asUnreadable, patientFor } from '../resources/unreadable.ts';

/** What a BMC's manager tells of the BMC itself. */
export interface ManagerState extends Pick<BmcState, 'clock' | 'lastReset'> {
  firmwareVersion: string | null;
}

const NOTHING: ManagerState = { clock: null, lastReset: null, firmwareVersion: null };

/**
 * Reads how the BMC is, by three requests once its parts are known.
 * @param systemPath null for the BMC's only system
 * @throws as `checkEventsSent`
 */
export async function readBmcState(client: RedfishClient, systemPath: string | null): Promise<BmcState> {
  const { clock, lastReset } = await readManagerState(client, systemPath);
  await checkEventsSent(client);
  return { clock, lastReset, subscriptions: await readPaths(client) };
}

/** Returns the paths of all subscriptions; null when they cannot be read. */
async function readPaths(client: RedfishClient): Promise<string[] | null> {
  const { subscriptions } = await getEventService(client);
  try {
    const { members, complete } = await getCollection(patientFor(client), subscriptions);
    return complete ? members.map(({ path }) => path) : null;
  } catch (error) {
    asUnreadable(client, subscriptions, error);
    return null;
  }
}

/**
 * Reads the state of the BMC from the manager of a system; one request once the manager is known. Tells nothing where the BMC
 * has no manager, or none that can be read.
 * @param systemPath null for the BMC's only system
 */
export async function readManagerState(client: RedfishClient, systemPath: string | null): Promise<ManagerState> {
  const key = `manager of ${systemPath ?? 'the only system'}`;
  const reader = patientFor(client);
  try {
    const path = await client.discovered.get(key, client.signal, () => findManager(reader, systemPath));
    if (path === null) return NOTHING;
    const document = await reader.get(path);
    return {
      clock: timeIn(document, 'DateTime'),
      lastReset: timeIn(document, 'LastResetTime'),
      firmwareVersion: textOf(document, 'FirmwareVersion'),
    };
  } catch (error) {
    asUnreadable(client, client.root, error);
    if (isNotFound(error)) client.discovered.forget();
    // Without a response the BMC as a whole is away.
    if (error instanceof RedfishError && error.status === 0) throw error;
    return NOTHING;
  }
}

/** Returns the path of the system's first manager; null when it has none. */
async function findManager(client: RedfishClient, systemPath: string | null): Promise<string | null> {
  try {
    const system = await getSystem(client, systemPath ?? (await findOnlySystem(client)));
    const { values } = await managersOf(client, system, false);
    return values[0]?.path ?? null;
  } catch (error) {
    // Several systems, and none is named: their events come all the same.
    if (error instanceof RedfishError && error.kind === 'unsupported') return null;
    throw error;
  }
}

/** Returns a time; null where it is absent or malformed. Some BMCs write `-0600` for the offset `-06:00`. */
function timeIn(document: JsonObject, key: string): Date | null {
  const text = textOf(document, key)?.replace(/([+-]\d{2})(\d{2})$/, '$1:$2');
  const time = new Date(text ?? Number.NaN);
  return Number.isNaN(time.getTime()) ? null : time;
}
