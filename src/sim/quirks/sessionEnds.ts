import type { BmcState, Quirk, RedfishResponse } from '../bmc.ts';
import { refuse, refuseAsVendor } from '../messages.ts';
import { page } from '../quirk.ts';

const LOGIN_PAGE = '<html><head><title>Log in</title></head><body><form action="/login"></form></body></html>';

/** How BMCs refuse the token of a session that has ended, and how early a session ends. */
export const sessionEndQuirks: Quirk[] = [
  ended('403', '403 NoValidSession (sushy)', () => ({ ...refuse('NoValidSession'), status: 403 })),
  ended('403-vendor', "403 with the vendor's own SessionTimeout (Huawei iBMC)", () =>
    refuseAsVendor(403, { id: 'iBMC.1.0.SessionTimeout', text: 'The session has timed out.' }),
  ),
  ended('403-expired', '403 with SessionExpired and no text', () =>
    page(403, 'application/json', '{"error":{"@Message.ExtendedInfo":[{"MessageId":"Oem.1.0.SessionExpired"}]}}'),
  ),
  ended('401-vendor', '401 with a message of its own', () =>
    refuseAsVendor(401, { id: 'SMC.1.0.TokenUnknown', text: 'The token is unknown.' }),
  ),
  ended('401-html', '401 with its login page', () => page(401, 'text/html', LOGIN_PAGE)),
  ended('401-empty', '401 without a body', () => ({ status: 401, headers: {}, body: null })),
  ended('401-no-body', '401 whose chunks never come (check_redfish#90)', () => ({
    ...page(401, 'text/html', LOGIN_PAGE),
    delivery: 'no-body',
  })),
  ended('401-half-body', '401 whose body breaks off', () => ({ ...refuse('NoValidSession'), delivery: 'half-body' })),
  ended('403-half-body', '403 NoValidSession whose body breaks off after the MessageId', () => ({
    ...page(
      403,
      'application/json',
      `{"error":{"code":"Base.1.8.NoValidSession","message":"There is no valid session"}}${' '.repeat(200)}`,
    ),
    delivery: 'half-body',
  })),
  ended('401-reset', '401 and a reset of the connection after the head', () => ({
    ...refuse('NoValidSession'),
    delivery: 'reset-after-head',
  })),
  ended('reset', 'a reset of the connection, without a response', () => ({
    ...refuse('NoValidSession'),
    delivery: 'reset',
  })),
  ...[10, 25].map((requests) => endsAfter(`session-serves-${requests}`, requests)),
];

function ended(form: string, response: string, make: () => RedfishResponse): Quirk {
  return {
    name: `ended-session-${form}`,
    description: `the token of an ended session gets ${response}`,
    refuseCredentials: (refused, fault) => (fault === 'session' ? make() : refused),
  };
}

/** Makes a quirk that ends a session after a number of requests, so that the next one is refused. */
export function endsAfter(name: string, requests: number): Quirk {
  const served = new WeakMap<BmcState, Map<string, number>>();
  return {
    name,
    description: `a session ends after ${requests} requests, whatever they are`,
    beforeAuthentication: ({ headers, method }, bmc) => {
      const token = headers['x-auth-token'];
      // A log-out is served: it ends the session anyway.
      const session = typeof token === 'string' && method !== 'DELETE' ? bmc.sessions?.use(token) : undefined;
      if (!session) return undefined;
      const counts = served.get(bmc) ?? new Map<string, number>();
      served.set(bmc, counts);
      const count = (counts.get(session.id) ?? 0) + 1;
      counts.set(session.id, count);
      if (count > requests) bmc.sessions?.end(session.path);
      return undefined;
    },
  };
}
