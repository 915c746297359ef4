// The quirks: each makes a simulated BMC deviate as some real one does.
import type { Quirk } from '../bmc.ts';
import { busyQuirks } from './busy.ts';
import { collectionQuirks } from './collections.ts';
import { connectionQuirks } from './connections.ts';
import { refusedDefaultQuirks } from './defaults.ts';
import { destinationQuirks } from './destinations.ts';
import { errorQuirks } from './errors.ts';
import { etagQuirks } from './etags.ts';
import { eventBodyQuirks } from './eventBodies.ts';
import { eventRecordQuirks } from './eventRecords.ts';
import { eventSenderQuirks } from './eventSenders.ts';
import { eventServiceQuirks } from './eventService.ts';
import { loginQuirks } from './logins.ts';
import { mediaActionQuirks } from './mediaActions.ts';
import { mediaDeviceQuirks } from './mediaDevices.ts';
import { mediaInsertQuirks } from './mediaInserts.ts';
import { mediaPlaceQuirks } from './mediaPlace.ts';
import { readQuirks } from './reads.ts';
import { responseQuirks } from './responses.ts';
import { serviceRootQuirks } from './serviceRoot.ts';
import { sessionEndQuirks } from './sessionEnds.ts';
import { sessionQuirks } from './sessions.ts';
import { sleepingPartQuirks } from './sleepingParts.ts';
import { subscriptionQuirks } from './subscriptions.ts';
import { taskQuirks } from './tasks.ts';
import { testEventQuirks } from './testEvents.ts';

/** The named quirks, by name, in the order of `--list-quirks`. */
export const QUIRKS: ReadonlyMap<string, Quirk> = new Map(
  [
    ...mediaPlaceQuirks,
    ...mediaDeviceQuirks,
    ...mediaActionQuirks,
    ...mediaInsertQuirks,
    ...eventServiceQuirks,
    ...subscriptionQuirks,
    ...refusedDefaultQuirks,
    ...destinationQuirks,
    ...eventSenderQuirks,
    ...eventRecordQuirks,
    ...eventBodyQuirks,
    ...testEventQuirks,
    ...collectionQuirks,
    ...sleepingPartQuirks,
    ...serviceRootQuirks,
    ...errorQuirks,
    ...busyQuirks,
    ...readQuirks,
    ...taskQuirks,
    ...responseQuirks,
    ...etagQuirks,
    ...sessionQuirks,
    ...loginQuirks,
    ...sessionEndQuirks,
    ...connectionQuirks,
  ].map((quirk) => [quirk.name, quirk]),
);

/** Returns the quirks with these names. Throws an Error for an unknown name. */
export function quirksNamed(...names: string[]): Quirk[] {
  return names.map((name) => {
    const quirk = QUIRKS.get(name);
    if (!quirk) throw new Error(`unknown quirk ${name}`);
    return quirk;
  });
}
