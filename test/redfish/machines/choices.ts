import type { Quirk } from '../../../src/sim/index.ts';
import { QUIRKS } from '../../../src/sim/index.ts';
import { busy } from '../../../src/sim/quirks/busy.ts';
import type { NamedIn, RefusedDefault } from '../../../src/sim/quirks/defaults.ts';
import { REFUSAL_WORDS, refusesDefault, refusesInPatch } from '../../../src/sim/quirks/defaults.ts';
import { lingeringMedia } from '../../../src/sim/quirks/mediaActions.ts';
import { readsFail } from '../../../src/sim/quirks/reads.ts';
import { endsAfter } from '../../../src/sim/quirks/sessionEnds.ts';
import type { TaskRecord } from '../../../src/sim/quirks/taskDocument.ts';
import { withTasks } from '../../../src/sim/quirks/tasks.ts';

/** The quirks that exclude each other, by the question to which they are answers; a machine has at most one of each. */
export const GROUPS: Record<string, readonly string[]> = {
  sessionEnd: named(/^ended-session-/),
  sessionLength: ['session-serves-12', 'session-serves-25'],
  logIn: [
    ...named(/^log-in-/),
    'sessions-disabled',
    'basic-front-end',
    'no-session-service',
    'no-session-service-401',
    'sessions-refused',
    'basic-off',
    'few-sessions',
    'sessions-link-only',
    'no-sessions-link',
  ],
  wrongPassword: named(/^wrong-password-/),
  root: [...named(/^root-/), 'redirect-to-slash', 'redirect-from-slash'],
  slash: named(/^redirects-to-slash-/),
  unlinked: ['no-subscriptions-link', 'no-virtual-media-link'],
  reads: named(/^first-read-/),
  busy: named(/^busy-/),
  tasks: named(/^tasks/),
  created: named(/^create-/),
  context: named(/^refuses-context|^context-/),
  eventTypes: named(/^refuses-event-types/),
  protocol: named(/^refuses-protocol/),
  retryPolicy: ['refuses-retry-policy'],
  destination: named(/^destination-/),
  shownHeaders: ['http-headers-empty-list', 'http-headers-dropped'],
  duplicates: named(/^one-per-destination/),
  events: [...named(/^events-/), 'no-event-service', 'closed-event-service'],
  noTypes: ['no-event-types'],
  subscriptions: [...named(/^(unreadable|closed)-subscription/), ...named(/^subscriptions-(without|error|page)/)],
  media: [
    ...named(/^unreadable-device/),
    ...named(/^media-(without|error|page)/),
    'media-listed-while-inserted',
    'dead-slot',
  ],
  members: [...named(/^members-/), 'inline-media'],
  count: ['count-wrong'],
  pages: ['pages'],
  parts: [
    ...named(/^(sleeping|failing|closed)-(manager|system|chassis)/),
    'no-managers',
    'no-managed-by',
    'several-managers',
  ],
  eject: [...named(/^eject-wants/), 'no-media-actions'],
  patch: named(/^patch-refuses/),
  ifMatch: ['if-match-wanted'],
  etag: [...named(/^etag-/), 'weak-etags', 'weak-etags-strong-match', 'unquoted-if-match'],
  lingering: ['lingering-media'],
  insert: named(/^insert-(?!slow)/),
  slowInsert: ['insert-slow'],
  image: named(/^image-/),
  errors: named(/^errors-/),
  success: ['success-message'],
  links: named(/^links-/),
  wire: [
    'silent-close',
    'surplus-bytes',
    'trickled-bodies',
    'few-requests-503',
    'one-request-503',
    'few-requests-reset',
  ],
  deleted: ['delete-error-200'],
  others: ['registries-not-identity', 'failed-delivery-deletes', 'failed-delivery-disables'],
};

function named(pattern: RegExp): string[] {
  return [...QUIRKS.keys()].filter((name) => pattern.test(name));
}

const GROUP_OF = new Map(Object.entries(GROUPS).flatMap(([group, names]) => names.map((name) => [name, group])));

/** A refused default in any words, as the name of a quirk: `refuses Context PropertyUnknown args 400`. */
export function refusalName(verb: 'refuses' | 'patch-refuses', refused: RefusedDefault): string {
  return [verb, refused.property, refused.word, refused.namedIn, refused.status ?? 400].join(' ');
}

export const REFUSABLE_WORDS = REFUSAL_WORDS;
export const PLACES_OF_NAMES: readonly NamedIn[] = [
  'args',
  'second-arg',
  'related',
  'related-bare',
  'text',
  'annotation',
];

const PROPERTY_GROUPS: Record<string, string> = {
  Context: 'context',
  EventTypes: 'eventTypes',
  Protocol: 'protocol',
  Inserted: 'patch',
};

/** Returns the group of a quirk by its name. */
export function groupOf(name: string): string {
  const [verb, property] = name.split(' ');
  const group = property === undefined ? GROUP_OF.get(name) : PROPERTY_GROUPS[property];
  if (group === undefined) throw new Error(`${verb} has no group`);
  return group;
}

/** Returns the quirk of a name, without long waits. */
export function quirkOf(name: string): Quirk {
  const [verb, property, word, namedIn, status] = name.split(' ');
  if (property !== undefined) {
    const refused = { property, word: word!, namedIn: namedIn as NamedIn, status: Number(status) };
    return verb === 'refuses' ? refusesDefault(name, refused) : refusesInPatch(name, refused);
  }
  const quirk = SHORT[name] ?? QUIRKS.get(name);
  if (!quirk) throw new Error(`no quirk ${name}`);
  return quirk;
}

const gone = (record: TaskRecord, fails: boolean) =>
  withTasks('', '', { retryAfter: 0, monitorGone: true, record, outcome: fails ? 'failed-task' : 'done' });

/** Quirks whose named form takes seconds. */
const SHORT: Record<string, Quirk> = {
  'session-serves-12': endsAfter('', 12),
  'first-read-503-retry-after': retryAfter(503, '0'),
  'first-read-429': retryAfter(429, '0'),
  'lingering-media': lingeringMedia(2),
  'busy-idrac-503': busy('idrac', 503, 2, 0),
  tasks: withTasks('', '', { retryAfter: 0 }),
  'tasks-fail': withTasks('', '', { retryAfter: 0, outcome: 'failed-task' }),
  'tasks-fail-status': withTasks('', '', { retryAfter: 0, outcome: 'failed-status' }),
  'tasks-monitor-gone': withTasks('', '', { retryAfter: 0, monitorGone: true }),
  'tasks-location-task': withTasks('', '', { retryAfter: 0, location: 'task' }),
  'tasks-restart': withTasks('', '', { retryAfter: 0, monitorGone: true, away: 3 }),
  'tasks-restart-fail': withTasks('', '', { retryAfter: 0, monitorGone: true, away: 3, outcome: 'failed-task' }),
  'tasks-gone-task': gone('task', false),
  'tasks-gone-task-fail': gone('task', true),
  'tasks-gone-dell-job': gone('dell-job', false),
  'tasks-gone-dell-job-fail': gone('dell-job', true),
  'tasks-gone-job-service': gone('job-service', false),
  'tasks-gone-job-service-fail': gone('job-service', true),
  'tasks-gone-none': gone('none', false),
  'tasks-gone-none-fail': gone('none', true),
};

function retryAfter(status: number, seconds: string): Quirk {
  const response = { status, headers: { 'Content-Type': 'text/plain', 'Retry-After': seconds }, body: 'later' };
  return readsFail('', '', 1, () => response);
}
