import { setTimeout as sleep } from 'node:timers/promises';
import { z } from 'zod';
import type { BmcEvents } from './bmcEvents.ts';
import { EVENT } from './records.ts';

/** Milliseconds between two batches of a flow. */
const TICK_MS = 10;

/** Many events, one post each. */
export const FLOW = z.strictObject({
  /** The number of events in all; unlimited by default. */
  count: z.int().min(1).optional(),
  /** Events per second in all; as fast as possible by default. */
  rate: z.number().positive().max(1_000_000).optional(),
  /** Whether to wait while a BMC's queue is full, so that none is dropped there; false by default, as BMCs do not. */
  patient: z.boolean().optional(),
  /** What each event holds; by default the messages of the BMC's registries, one after the other. */
  event: EVENT.omit({ id: true }).optional(),
});

export type FlowInput = z.infer<typeof FLOW>;

/**
 * Makes BMCs send events in turn. Resolves with their number when all are made; they may still wait to be sent.
 * @param signal ends it early
 */
export async function sendEvents(
  bmcs: readonly { events: BmcEvents }[],
  flow: FlowInput,
  signal?: AbortSignal,
): Promise<number> {
  const { count = Number.POSITIVE_INFINITY, rate, patient = false, event } = flow;
  const start = performance.now();
  const isOver = () => signal?.aborted === true;
  let made = 0;
  while (made < count && !isOver()) {
    const due = rate === undefined ? made + 1000 : Math.ceil(((performance.now() - start) / 1000) * rate);
    for (const end = Math.min(due, count); made < end && !isOver(); made++) {
      const events = bmcs[made % bmcs.length]?.events;
      if (events === undefined) return made;
      while (patient && events.isFull && !isOver()) await sleep(1);
      events.send(event ?? { messageId: events.messageIds[made % events.messageIds.length] });
    }
    if (made < count) await sleep(rate === undefined ? 0 : TICK_MS);
  }
  return made;
}
