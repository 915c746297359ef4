import type { EventSeverity } from './event.ts';

export const EVENT_TRANSPORTS = ['push', 'sse'] as const;

/** The way by which events of a BMC arrive. */
export type EventTransport = (typeof EVENT_TRANSPORTS)[number];

/** `failed`: the BMC cannot do what is wished. `degraded`: events may be missing; the service tries again. */
export const EVENT_SOURCE_STATES = ['pending', 'active', 'degraded', 'failed', 'deleting'] as const;

export type EventSourceState = (typeof EVENT_SOURCE_STATES)[number];

/** What a BMC is asked to send; an empty list asks for everything. */
export interface EventSelection {
  registryPrefixes: readonly string[];
  messageIds: readonly string[];
  resourceTypes: readonly string[];
  severities: readonly EventSeverity[];
}

/** The outcome of a test event. */
export interface EventSourceTest {
  requestTime: Date;
  /** Milliseconds until it arrived; null when it did not. */
  roundTrip: number | null;
  /** Why it did not arrive; null when it did. */
  error: string | null;
}

/** The wish that the events of a node arrive, and what became of it. */
export interface EventSource {
  nodeUuid: string;
  /** Null when the node has none. */
  nodeName: string | null;
  /** The wished transport; null for whichever works, push first. */
  transport: EventTransport | null;
  selection: EventSelection;
  createTime: Date;
  updateTime: Date | null;

  state: EventSourceState;
  /** Why it is not active, in the operator's words; null when it is. */
  reason: string | null;
  stateTime: Date;
  activeTransport: EventTransport | null;
  /** The URI of the subscription at the BMC. */
  subscription: string | null;
  verifyTime: Date | null;
  nextVerifyTime: Date | null;
  lastEventTime: Date | null;
  lastTest: EventSourceTest | null;
  /** The last difference that was found and removed. */
  lastDrift: string | null;
  lastDriftTime: Date | null;
  /** How often the subscription was made again. */
  renewals: number;
  /** The replica that looks after the source. */
  owner: string | null;
}
