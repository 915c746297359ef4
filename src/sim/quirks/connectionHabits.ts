import type { Quirk } from '../bmc.ts';
import type { ConnectionHabits } from '../connections.ts';

export const idleClosed = habit(
  'idle-closed',
  'an unused connection is closed after 200 ms, whatever Keep-Alive says',
  {
    idleMs: 200,
  },
);

export const stallsLongConnections = habit(
  'stalls-long-connections',
  'a connection serves 20 requests; the next gets no answer',
  { stallsAfter: 20 },
);

export const fewRequests503 = habit('few-requests-503', 'four requests at once; more get 503', {
  maxRequests: 4,
  overload: '503',
});

export const oneRequest503 = habit('one-request-503', 'one request at once; more get 503', {
  maxRequests: 1,
  overload: '503',
});

export const fewRequestsReset = habit('few-requests-reset', 'four requests at once; the connection of more is reset', {
  maxRequests: 4,
  overload: 'reset',
});

/** A quirk of other numbers than the named ones, for a test that wants them. */
export function habit(name: string, description: string, connections: Partial<ConnectionHabits>): Quirk {
  return { name, description, connections };
}
