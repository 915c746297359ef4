import type { EventStreamSink } from '../../core/events/eventsInterface.ts';
import { untilAborted } from '../../core/waiting.ts';
import type { RedfishClient } from '../client.ts';
import { isNotFound, RedfishError } from '../errors.ts';
import { getEventService } from '../resources/eventService.ts';
import type { ResponseStream } from '../wire/stream.ts';
import { EventStreamReader } from './serverSentEvents.ts';

/**
 * How long a stream may say nothing, in ms: then its connection counts as dead. A host that is gone shows sooner, by the probes of
 * TCP, and whoever reads the stream may ask the BMC for a test event.
 */
const SILENCE_MS = 60 * 60_000;

const MEDIA_TYPE = 'text/event-stream';

/**
 * Reads the BMC's stream of events until the BMC ends it, on a connection of its own.
 * @param lastEventId see `EventsInterface.stream`
 * @throws kind `unsupported` when the BMC has none; `failed` when it sends something else; `unreachable` when it breaks or has said
 *   nothing for long; what the sink throws
 */
export async function readEventStream(
  client: RedfishClient,
  lastEventId: string | null,
  sink: EventStreamSink,
  silenceMs = SILENCE_MS,
): Promise<void> {
  // Headers take bytes alone; the id is sent as UTF-8 (WHATWG HTML, "Last-Event-ID").
  const resumed: Record<string, string> =
    lastEventId === null ? {} : { 'last-event-id': Buffer.from(lastEventId).toString('latin1') };
  await using stream = await open(client, { accept: MEDIA_TYPE, 'accept-encoding': 'identity', ...resumed });
  const type = stream.headers['content-type']?.split(';')[0]?.trim().toLowerCase();
  if (type !== undefined && type !== MEDIA_TYPE) {
    throw new RedfishError('failed', `The BMC sent ${type}, not a stream of events`, { url: client.origin });
  }
  sink.opened();
  const reader = new EventStreamReader();
  const decoder = new TextDecoder();
  for (;;) {
    const part = await stream.next(silenceMs);
    if (part === null) return;
    sink.alive();
    for (const { id, data } of reader.read(decoder.decode(part, { stream: true }))) {
      await untilAborted(sink.event(id, data), client.signal);
    }
  }
}

/** Opens the stream, at another path when it is not there any more. */
async function open(client: RedfishClient, headers: Record<string, string>): Promise<ResponseStream> {
  const path = (await getEventService(client)).stream;
  if (path !== null) {
    try {
      return await client.openStream(path, headers);
    } catch (error) {
      if (!isNotFound(error)) throw error;
    }
  }
  // What is known may be of another firmware.
  client.discovered.forget();
  const { stream, enabled } = await getEventService(client);
  if (stream !== null) return client.openStream(stream, headers);
  client.discovered.forget();
  const what = enabled === false ? 'The EventService of the BMC is switched off' : 'The BMC has no stream of events';
  throw new RedfishError('unsupported', `${what} (ServerSentEventUri)`, { url: client.origin });
}
