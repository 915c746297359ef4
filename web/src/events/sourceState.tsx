import { durationMs } from '@bufbuild/protobuf/wkt';
import { type EventSource, EventSourceState, EventTransport } from '../../../gen/passthru/v1/event_pb.ts';
import { texts } from '../texts.ts';

/** What the table can be narrowed to, by the name in the address. */
export const SOURCE_STATES = {
  pending: EventSourceState.PENDING,
  active: EventSourceState.ACTIVE,
  degraded: EventSourceState.DEGRADED,
  failed: EventSourceState.FAILED,
  deleting: EventSourceState.DELETING,
} as const satisfies Partial<Record<keyof typeof texts.sources.states, EventSourceState>>;

type StateName = keyof typeof texts.sources.states;

export function nameOfState(state: EventSourceState): StateName {
  const found = Object.entries(SOURCE_STATES).find(([, value]) => value === state);
  return found === undefined ? 'unspecified' : (found[0] as StateName);
}

export function SourceChip({ state }: { state: EventSourceState }) {
  const name = nameOfState(state);
  return <span className={`chip ${name}`}>{texts.sources.states[name]}</span>;
}

/** The wishes, by their name in a form. */
export const TRANSPORTS = {
  any: EventTransport.UNSPECIFIED,
  push: EventTransport.PUSH,
  sse: EventTransport.SSE,
} as const satisfies Record<keyof typeof texts.sources.transports, EventTransport>;

export function nameOfTransport(transport: EventTransport): keyof typeof TRANSPORTS {
  if (transport === EventTransport.PUSH) return 'push';
  return transport === EventTransport.SSE ? 'sse' : 'any';
}

/** Returns how the last test went. */
export function testText({ lastTest }: EventSource): string {
  if (lastTest === undefined) return texts.sources.never;
  const { error, roundTrip } = lastTest;
  return roundTrip === undefined ? error : texts.sources.arrived(texts.milliseconds(Math.round(durationMs(roundTrip))));
}
