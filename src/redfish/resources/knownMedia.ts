import type { RedfishClient } from '../client.ts';
import type { MediaPlace, MediaSlot } from './mediaDevice.ts';
import type { ComputerSystem } from './system.ts';
import type { Unreadable } from './unreadable.ts';

/** The places of devices that were found before. */
export interface KnownSlots {
  slots: MediaSlot[];
  /** Parts that are closed or absent. Those that slept then are not known. */
  unreadable: Unreadable[];
}

/** The collections of virtual media of a system. */
export interface KnownCollections {
  places: MediaPlace[];
  unreadable: Unreadable[];
}

const LINKS = 'media links of ';

/** The keys in `Discovered` of what is known of a system's virtual media. */
export const mediaKeys = {
  links: (systemPath: string) => LINKS + systemPath,
  collections: (systemPath: string) => `media collections of ${systemPath}`,
  /** Of all devices. */
  slots: (systemPath: string) => `media slots of ${systemPath}`,
  /** Of the devices in the system's own collection. */
  ownSlots: (systemPath: string) => `own media slots of ${systemPath}`,
};

/**
 * Returns the slots that were found before, with twins; null when they must be searched for (again).
 * @param ownSuffice whether those of the system's own collection do where no others are known
 */
export function knownMediaSlots(client: RedfishClient, systemPath: string, ownSuffice: boolean): KnownSlots | null {
  const known = (key: string) => client.discovered.peek<KnownSlots>(key) ?? null;
  return known(mediaKeys.slots(systemPath)) ?? (ownSuffice ? known(mediaKeys.ownSlots(systemPath)) : null);
}

/** The virtual media of a system, as far as they were discovered. */
export interface KnownMedia {
  system: ComputerSystem;
  collections: MediaPlace[];
  slots: MediaSlot[];
  /** Whether its managers were searched; otherwise only its own collection is known. */
  searched: boolean;
  /** Managers, collections and devices. */
  unreadable: Unreadable[];
}

/** Returns the virtual media in a snapshot of `Discovered`. */
export function knownMedia(discovered: ReadonlyMap<string, unknown>): KnownMedia[] {
  return [...discovered].flatMap(([key, value]) => {
    if (!key.startsWith(LINKS)) return [];
    const system = value as ComputerSystem;
    const systemPath = key.slice(LINKS.length);
    const own = system.virtualMedia === null ? [] : [{ path: system.virtualMedia, owner: 'system' as const }];
    const collections = discovered.get(mediaKeys.collections(systemPath)) as KnownCollections | undefined;
    const slots = [mediaKeys.slots, mediaKeys.ownSlots]
      .map((keyOf) => discovered.get(keyOf(systemPath)) as KnownSlots | undefined)
      .find((found) => found !== undefined);
    return [
      {
        system,
        collections: collections?.places ?? own,
        slots: slots?.slots ?? [],
        searched: collections !== undefined,
        unreadable: [...(collections?.unreadable ?? []), ...(slots?.unreadable ?? [])],
      },
    ];
  });
}
