import { ANONYMOUS } from '../core/caller.ts';
import type { Authenticator } from './authenticator.ts';

/** `auth.type: none`: everybody is believed to be the one anonymous admin. */
export const noAuthenticator: Authenticator = {
  challenge: null,
  authenticate: () => ANONYMOUS,
  close: async () => {},
};
