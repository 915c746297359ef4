import { PassthruError } from '../../errors.ts';
import type { Node } from '../../node.ts';
import type { EventRecord } from '../event.ts';
import type { EventSelection, EventSourceTest } from '../eventSource.ts';
import type { Arrivals } from './arrivals.ts';
import type { EventsWork } from './eventsWork.ts';
import { clockFault } from './sourceFault.ts';

export interface TestParts {
  work: EventsWork;
  arrivals: Arrivals;
  /** Milliseconds since 1970. */
  now: () => number;
  /** How long a test event may take to arrive, in milliseconds. */
  testTimeout: number;
}

/** The begin of the error of a test event that did not arrive. */
export const NOT_ARRIVED = 'No test event arrived';

/** How long the test event itself may come after another record, in milliseconds. Some BMCs send it under another message id. */
const MATCH_TIME = 1000;

/**
 * Requests a test event, and waits until it has arrived.
 * @param selection what the BMC was asked to send
 * @returns null when the BMC has no test events
 * @throws what the driver throws
 */
export async function testSource(
  { work, arrivals, now, testTimeout }: TestParts,
  node: Node,
  selection: EventSelection,
  signal: AbortSignal,
): Promise<EventSourceTest | null> {
  const events = work.interfaceOf(node);
  let wanted: string | null = null;
  const any = arrivals.expect(node.uuid, () => true);
  // It may arrive before the BMC has responded: until then any record may be it.
  const exact = arrivals.expect(node.uuid, (record) => wanted === null || isIt(record, wanted));
  const requestTime = now();
  try {
    wanted = await work.read(node, signal, (task) => events.requestTest(task));
    const first = await any.within(testTimeout, signal);
    if (first !== null) {
      const arrived = (await exact.within(MATCH_TIME, signal)) ?? first;
      return { requestTime: new Date(requestTime), roundTrip: Math.max(0, arrived - requestTime), error: null };
    }
  } catch (error) {
    if (error instanceof PassthruError && error.kind === 'bmc_unsupported') return null;
    throw error;
  } finally {
    any.end();
    exact.end();
  }
  const state = await work
    .read(node, signal, async (task) => (await events.readState?.(task)) ?? null)
    .catch(() => null);
  const clock = clockFault(state?.clock ?? null, new Date(now()));
  const seconds = testTimeout / 1000;
  const selected = isSelective(selection) ? 'that the selection leaves test events in, and ' : '';
  const error = `${NOT_ARRIVED} within ${seconds} s: check ${selected}that the BMC can reach events.url (route, firewall, name, certificate)`;
  return { requestTime: new Date(requestTime), roundTrip: null, error: clock === null ? error : `${error}. ${clock}` };
}

/** Whether a BMC was asked for some events alone: then it may leave out test events, and their absence proves nothing. */
export function isSelective(selection: EventSelection): boolean {
  return Object.values(selection).some((values: readonly string[]) => values.length > 0);
}

/** Whether a record is the test event; BMCs change the case of the message id, and put their registry before it. */
function isIt({ messageId }: EventRecord, wanted: string): boolean {
  const name = messageId.slice(messageId.lastIndexOf('.') + 1);
  return name.toLowerCase() === wanted.toLowerCase();
}
