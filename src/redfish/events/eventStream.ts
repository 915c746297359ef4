import type { EventStreamSink } from '../../core/events/eventsInterface.ts';
import { untilAborted } from '../../core/waiting.ts';
import type { RedfishClient } from '../client.ts';
import { RedfishError } from '../errors.ts';
import { getEventService } from '../resources/eventService.ts';
import { EventStreamReader } from './serverSentEvents.ts';

/**
 * How long a stream may say nothing, in ms: then its connection counts as dead. BMCs send a comment every few minutes at most;
 * where they send none, opening the stream again costs two requests.
 */
const SILENCE_MS = 10 * 60_000;

/**
 * Reads the BMC's stream of events until the BMC ends it, on a connection of its own.
 * @param lastEventId see `EventsInterface.stream`
 * @throws kind `unsupported` when the BMC has none; `unreachable` when it breaks or has said nothing for long; what the sink
 *   throws
 */
export async function readEventStream(
  client: RedfishClient,
  lastEventId: string | null,
  sink: EventStreamSink,
  silenceMs = SILENCE_MS,
): Promise<void> {
  const { stream: path, enabled } = await getEventService(client);
  const url = client.origin;
  if (path === null) {
    const what = enabled === false ? 'The EventService of the BMC is switched off' : 'The BMC has no stream of events';
    throw new RedfishError('unsupported', `${what} (ServerSentEventUri)`, { url });
  }
  const headers = { accept: 'text/event-stream', ...(lastEventId === null ? {} : { 'last-event-id': lastEventId }) };
  await using stream = await client.openStream(path, headers);
  sink.opened();
  const reader = new EventStreamReader();
  const decoder = new TextDecoder();
  for (;;) {
    const part = await stream.next(silenceMs);
    if (part === null) return;
    sink.alive();
    try {
      for (const { id, data } of reader.read(decoder.decode(part, { stream: true }))) {
        await untilAborted(sink.event(id, data), client.signal);
      }
    } catch (error) {
      if (error instanceof RangeError) throw new RedfishError('failed', error.message, { url });
      throw error;
    }
  }
}
