import type { Documents } from './documents.ts';
import { plainProfile } from './profiles/plain.ts';

/** What a simulated BMC is made from. */
export interface Profile {
  /** The word for `--profile`; for a capture the file's name. */
  name: string;
  /** One line for `--list-profiles`. */
  description: string;
  /** What a BMC answers before anything has been changed, by path without a trailing slash. */
  documents: Documents;
}

/** The profiles that come with the simulator, by name. */
export const PROFILES: ReadonlyMap<string, Profile> = new Map([[plainProfile.name, plainProfile]]);
