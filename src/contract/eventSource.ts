import { create } from '@bufbuild/protobuf';
import { durationFromMs, type Timestamp, timestampFromDate } from '@bufbuild/protobuf/wkt';
import {
  type EventSource as EventSourceMessage,
  EventSourceSchema,
  EventSourceState as EventSourceStateEnum,
  EventTransport as EventTransportEnum,
} from '../../gen/passthru/v1/event_pb.ts';
import type { EventSource, EventSourceState, EventTransport } from '../core/events/eventSource.ts';
import { severityToMessage } from './event.ts';

const TRANSPORTS: Readonly<Record<EventTransport, EventTransportEnum>> = {
  push: EventTransportEnum.PUSH,
  sse: EventTransportEnum.SSE,
};

const STATES: Readonly<Record<EventSourceState, EventSourceStateEnum>> = {
  pending: EventSourceStateEnum.PENDING,
  active: EventSourceStateEnum.ACTIVE,
  degraded: EventSourceStateEnum.DEGRADED,
  failed: EventSourceStateEnum.FAILED,
  deleting: EventSourceStateEnum.DELETING,
};

/** Converts an event source to its message. */
export function eventSourceToMessage(source: EventSource): EventSourceMessage {
  const { lastTest } = source;
  return create(EventSourceSchema, {
    nodeUuid: source.nodeUuid,
    nodeName: source.nodeName ?? '',
    transport: transportToMessage(source.transport),
    selection: {
      registryPrefixes: [...source.selection.registryPrefixes],
      messageIds: [...source.selection.messageIds],
      resourceTypes: [...source.selection.resourceTypes],
      severities: source.selection.severities.map(severityToMessage),
    },
    state: STATES[source.state],
    reason: source.reason ?? '',
    stateTime: timestampFromDate(source.stateTime),
    activeTransport: transportToMessage(source.activeTransport),
    subscription: source.subscription ?? '',
    verifyTime: toTimestamp(source.verifyTime),
    nextVerifyTime: toTimestamp(source.nextVerifyTime),
    lastEventTime: toTimestamp(source.lastEventTime),
    lastTest:
      lastTest === null
        ? undefined
        : {
            requestTime: timestampFromDate(lastTest.requestTime),
            roundTrip: lastTest.roundTrip === null ? undefined : durationFromMs(lastTest.roundTrip),
            error: lastTest.error ?? '',
          },
    lastDrift: source.lastDrift ?? '',
    lastDriftTime: toTimestamp(source.lastDriftTime),
    renewals: BigInt(source.renewals),
    owner: source.owner ?? '',
    createTime: timestampFromDate(source.createTime),
    updateTime: toTimestamp(source.updateTime),
  });
}

function toTimestamp(time: Date | null): Timestamp | undefined {
  return time === null ? undefined : timestampFromDate(time);
}

function transportToMessage(transport: EventTransport | null): EventTransportEnum {
  return transport === null ? EventTransportEnum.UNSPECIFIED : TRANSPORTS[transport];
}

/** Returns the transport of a field; null when not set, undefined for an unknown number. */
export function transportFromMessage(transport: EventTransportEnum): EventTransport | null | undefined {
  return fromMessage(TRANSPORTS, transport);
}

/** Returns the state of a field; null when not set, undefined for an unknown number. */
export function sourceStateFromMessage(state: EventSourceStateEnum): EventSourceState | null | undefined {
  return fromMessage(STATES, state);
}

function fromMessage<T extends string>(values: Readonly<Record<T, number>>, value: number): T | null | undefined {
  if (value === 0) return null;
  return (Object.keys(values) as T[]).find((name) => values[name] === value);
}
