import type { Profile } from '../bmc.ts';
import { idrac9Profile } from './idrac9.ts';
import { ilo5Profile } from './ilo5.ts';
import { openbmcProfile } from './openbmc.ts';
import { plainProfile } from './plain.ts';
import { supermicroProfile } from './supermicro.ts';
import { xccProfile } from './xcc.ts';

/** The profiles that come with the simulator, by name. */
export const PROFILES: ReadonlyMap<string, Profile> = new Map(
  [plainProfile, ilo5Profile, idrac9Profile, xccProfile, supermicroProfile, openbmcProfile].map((profile) => [
    profile.name,
    profile,
  ]),
);
