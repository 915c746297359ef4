import type { Quirk } from '../bmc.ts';
import { ROOT } from '../bmc.ts';

export const redirectsToSlash = redirects('redirect-to-slash', ROOT, `${ROOT}/`);
export const redirectsFromSlash = redirects('redirect-from-slash', `${ROOT}/`, ROOT);

/** 308 keeps the method, which a client must not change here. */
function redirects(name: string, from: string, to: string): Quirk {
  return {
    name,
    description: `${from} redirects to ${to}`,
    precedes: ({ target }) =>
      target.replace(/[?#].*$/s, '') === from ? { status: 308, headers: { Location: to }, body: null } : undefined,
  };
}
