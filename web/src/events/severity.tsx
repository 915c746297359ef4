// Events: what BMCs send, as it arrives, and the sources that it comes from.
import { type Event, EventKind, EventSeverity } from '../../../gen/passthru/v1/event_pb.ts';
import { texts } from '../texts.ts';

/** What the table can be narrowed to, by the name in the address. */
export const SEVERITIES = {
  ok: EventSeverity.OK,
  warning: EventSeverity.WARNING,
  critical: EventSeverity.CRITICAL,
} as const satisfies Partial<Record<keyof typeof texts.events.severities, EventSeverity>>;

/** Returns the severity of a name in the address; UNSPECIFIED for another text. */
export function severityOf(name: string): EventSeverity {
  return Object.hasOwn(SEVERITIES, name) ? SEVERITIES[name as keyof typeof SEVERITIES] : EventSeverity.UNSPECIFIED;
}

const NAMES: Readonly<Record<EventSeverity, keyof typeof texts.events.severities>> = {
  [EventSeverity.UNSPECIFIED]: 'none',
  [EventSeverity.OK]: 'ok',
  [EventSeverity.WARNING]: 'warning',
  [EventSeverity.CRITICAL]: 'critical',
};

/** How bad an event is; a gap is none of a BMC. */
export function SeverityChip({ event: { kind, severity } }: { event: Event }) {
  if (kind === EventKind.GAP) return <span className="chip warning">{texts.events.gap}</span>;
  const name = NAMES[severity] ?? 'none';
  return <span className={`chip ${name}`}>{texts.events.severities[name]}</span>;
}
