import type { Documents } from '../documents.ts';
import type { Quirk } from '../quirk.ts';
import { idrac9Profile } from './idrac9.ts';
import { ilo5Profile } from './ilo5.ts';
import { openbmcProfile } from './openbmc.ts';
import { plainProfile } from './plain.ts';
import { supermicroProfile } from './supermicro.ts';
import { xccProfile } from './xcc.ts';

/** What a simulated BMC is made from. */
export interface Profile {
  /** The word for `--profile`; for a capture the file's name. */
  name: string;
  /** One line for `--list-profiles`. */
  description: string;
  /** What a BMC answers before anything has been changed, by path without a trailing slash. */
  documents: Documents;
  /** What it does otherwise than the specification; nothing by default. */
  quirks?: readonly Quirk[];
}

/** The profiles that come with the simulator, by name. */
export const PROFILES: ReadonlyMap<string, Profile> = new Map(
  [plainProfile, ilo5Profile, idrac9Profile, xccProfile, supermicroProfile, openbmcProfile].map((profile) => [
    profile.name,
    profile,
  ]),
);
