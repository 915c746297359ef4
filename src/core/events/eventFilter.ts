import { type EventSeverity, severityRank } from './event.ts';
import { type MessageParts, messageKeys } from './messageId.ts';

/** Selects events; a filter of null matches all. */
export interface EventFilter {
  /** UUIDs. */
  nodes: ReadonlySet<string> | null;
  /** Only events at least this bad. */
  minSeverity: EventSeverity | null;
  messages: readonly MessagePattern[] | null;
  /** Only events about this resource or one below it. */
  origin: string | null;
}

/** Matches the events of a registry, of a message of any registry, or of a message of one registry. */
export type MessagePattern =
  | { kind: 'either'; key: string }
  | { kind: 'registry'; registry: string }
  | { kind: 'message'; registry: string; message: string };

/** What a filter looks at. */
export interface EventKeys {
  nodeUuid: string;
  /** As `severityRank`. */
  severity: number;
  /** As `messageKeys`. */
  registry: string;
  message: string;
  origin: string;
}

/** Returns the pattern of a message id, of its last part alone, or of the name of a registry; in any case. */
export function messagePattern(text: string): MessagePattern {
  const { registry, message }: MessageParts = messageKeys(text.trim());
  if (registry === '') return { kind: 'either', key: message };
  return message === '' ? { kind: 'registry', registry } : { kind: 'message', registry, message };
}

/** Whether a filter selects an event with these keys. */
export function selects({ nodes, minSeverity, messages, origin }: EventFilter, event: EventKeys): boolean {
  return (
    (nodes === null || nodes.has(event.nodeUuid)) &&
    (minSeverity === null || event.severity >= severityRank(minSeverity)) &&
    (messages === null || messages.some((pattern) => matches(pattern, event))) &&
    (origin === null || isWithin(event.origin, origin))
  );
}

function matches(pattern: MessagePattern, { registry, message }: EventKeys): boolean {
  switch (pattern.kind) {
    case 'either':
      return message === pattern.key || registry === pattern.key;
    case 'registry':
      return registry === pattern.registry;
    case 'message':
      return message === pattern.message && registry === pattern.registry;
  }
}

/** Whether the URI `origin` is that of the resource at `place`, or of one below it. */
function isWithin(origin: string, place: string): boolean {
  const root = place.replace(/\/+$/, '');
  if (!origin.startsWith(root)) return false;
  return origin.length === root.length || origin[root.length] === '/' || origin[root.length] === '#';
}
