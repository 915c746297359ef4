import { eventDocument } from '../../contract/event.ts';
import { NO_RAW, type StoredEvent } from '../../core/events/event.ts';
import type { MissedEvents } from '../../core/events/handover/handoverTarget.ts';

/** The size that all that pass CloudEvents on must take, in bytes (CloudEvents 1.0.2, "Size Limits"). */
const MOST_BYTES = 64 * 1024;

/** An event in the JSON format of CloudEvents 1.0. */
export interface CloudEvent {
  id: string;
  /** JSON. */
  body: string;
}

/** Returns an event as its receivers get it; without `raw` where that makes it longer than all of them must take. */
export function cloudEvent(event: StoredEvent): CloudEvent {
  const whole = toBody(event);
  if (event.content.kind === 'gap' || Buffer.byteLength(whole) <= MOST_BYTES) return { id: event.id, body: whole };
  return { id: event.id, body: toBody({ ...event, content: { ...event.content, raw: NO_RAW } }) };
}

function toBody(event: StoredEvent): string {
  const { id, position, nodeUuid, receiveTime, content } = event;
  const { origin, severity } = content.kind === 'gap' ? { origin: '', severity: null } : content;
  return JSON.stringify({
    specversion: '1.0',
    id,
    source: `/v1/nodes/${nodeUuid}`,
    type: `passthru.v1.event.${content.kind}`,
    ...(origin === '' ? {} : { subject: origin }),
    // Of one clock for all, as the specification asks for: the BMC's is in the data.
    time: receiveTime.toISOString(),
    ...(severity === null ? {} : { severity }),
    // An extension of CloudEvents, in the order of texts.
    sequence: String(position).padStart(16, '0'),
    datacontenttype: 'application/json',
    data: eventDocument(event),
  });
}

/** Returns an event that tells of others which were removed before they could be delivered. */
export function missedEvent({ first, last, count }: MissedEvents, now: Date): CloudEvent {
  const id = `missed-${last}`;
  const data = { first_id: first, last_id: last, count };
  const event = { specversion: '1.0', id, source: '/v1/events', type: 'passthru.v1.event.missed' };
  return {
    id,
    body: JSON.stringify({ ...event, time: now.toISOString(), datacontenttype: 'application/json', data }),
  };
}
