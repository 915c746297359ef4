import type { BmcState, Quirk, RedfishResponse } from '../bmc.ts';
import type { VendorMessage } from '../messages.ts';
import { refuse, refuseAsVendor } from '../messages.ts';
import { isRead, page } from '../quirk.ts';
import { withHeaders } from '../response.ts';

const NOT_READY: VendorMessage = {
  id: 'IDRAC.2.8.SWC0700',
  text: 'iDRAC is not ready. The configuration values cannot be accessed.',
  resolution: 'Wait until the iDRAC has started, and retry.',
};
const STARTING: VendorMessage = {
  id: 'iLO.2.14.InvalidOperationForSystemState',
  text: 'The data is not available, because the system is still in POST.',
};

/** Reads that fail, and succeed when they are repeated. */
export const readQuirks: Quirk[] = [
  failing('500-html', '500 in HTML (sushy)', () => page(500, 'text/html', '<html><body>Something broke</body></html>')),
  failing('500', '500 InternalError', () => refuse('InternalError')),
  failing('502', '502 of a proxy', () => page(502, 'text/html', '<h1>Bad Gateway</h1>')),
  failing('504', '504 of a proxy', () => page(504, 'text/html', '<h1>Gateway Time-out</h1>')),
  failing('503', '503 without a time', () => page(503, 'text/plain', 'starting')),
  failing('503-retry-after', '503 with Retry-After', () =>
    withHeaders(page(503, 'text/plain', ''), { 'Retry-After': '1' }),
  ),
  failing('503-seconds', '503 whose message names the seconds', () => refuse('ServiceTemporarilyUnavailable', '1')),
  failing('429', '429 with Retry-After', () =>
    withHeaders(page(429, 'text/plain', 'Too many requests'), { 'Retry-After': '1' }),
  ),
  failing('reset', 'a reset of the connection', () => ({ ...refuse('InternalError'), delivery: 'reset' })),
  failing('half-body', 'a document that breaks off', null),
  ...([400, 409, 503] as const).flatMap((status) => [
    failing(`not-ready-${status}`, `${status} with iDRAC's "not ready" (badfish#129)`, () =>
      refuseAsVendor(status, NOT_READY),
    ),
    failing(`in-post-${status}`, `${status} with iLO's InvalidOperationForSystemState`, () =>
      refuseAsVendor(status, STARTING),
    ),
  ]),
];

function failing(form: string, response: string, make: (() => RedfishResponse) | null): Quirk {
  return readsFail(`first-read-${form}`, `the first read of each document gets ${response}`, 1, make);
}

/** Makes a quirk that answers the first `times` reads of each path by `make`; null: by the document, of which a half is missing. */
export function readsFail(
  name: string,
  description: string,
  times: number,
  make: (() => RedfishResponse) | null,
): Quirk {
  const reads = new WeakMap<BmcState, Map<string, number>>();
  return {
    name,
    description,
    handle: (request, bmc, next) => {
      const { path } = request;
      if (!isRead(request)) return next(request);
      const counts = reads.get(bmc) ?? new Map<string, number>();
      reads.set(bmc, counts);
      const count = (counts.get(path) ?? 0) + 1;
      counts.set(path, count);
      if (count > times) return next(request);
      return make === null ? { ...next(request), delivery: 'half-body' } : make();
    },
  };
}
