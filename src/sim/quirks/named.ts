// The quirks: each makes a simulated BMC deviate as some real one does.
import type { Quirk } from '../bmc.ts';
import { busyQuirks } from './busy.ts';
import { connectionQuirks } from './connections.ts';
import { errorQuirks } from './errors.ts';
import { eventServiceQuirks } from './eventService.ts';
import { mediaActionQuirks } from './mediaActions.ts';
import { mediaDeviceQuirks } from './mediaDevices.ts';
import { mediaPlaceQuirks } from './mediaPlace.ts';
import { responseQuirks } from './responses.ts';
import { sessionQuirks } from './sessions.ts';
import { subscriptionQuirks } from './subscriptions.ts';
import { taskQuirks } from './tasks.ts';

/** The named quirks, by name, in the order of `--list-quirks`. */
export const QUIRKS: ReadonlyMap<string, Quirk> = new Map(
  [
    ...mediaPlaceQuirks,
    ...mediaDeviceQuirks,
    ...mediaActionQuirks,
    ...eventServiceQuirks,
    ...subscriptionQuirks,
    ...errorQuirks,
    ...busyQuirks,
    ...taskQuirks,
    ...responseQuirks,
    ...sessionQuirks,
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
