import fc from 'fast-check';
import { GROUPS, groupOf, PLACES_OF_NAMES, REFUSABLE_WORDS, refusalName } from './choices.ts';

// What a machine of the generator is: plain data, so that a fault is told as data and kept as an example.

export const METHODS = [
  'get_subscription',
  'get_all_subscriptions',
  'create_subscription',
  'delete_subscription',
  'eject_vmedia',
  'insert_vmedia',
  'get_vmedia',
  'discover',
] as const;
export type MethodName = (typeof METHODS)[number];

/** Where the virtual media are; `both-same` shows the same devices twice, `both-different` others under the manager. */
export type MediaPlace = 'system' | 'manager' | 'both-same' | 'both-different' | 'none' | 'empty';

export interface Device {
  id: string;
  types: string[];
  inserted: boolean;
}

export interface Call {
  method: MethodName;
  /** Of the two nodes of the BMC. */
  node: 0 | 1;
  destination: string;
  context: string | null;
  eventTypes: boolean;
  secretHeader: boolean;
  ifExists: 'refuse' | 'return' | null;
  bootDevice: 'cd' | 'dvd' | 'usb' | 'floppy' | null;
  /** Which subscription: the n-th that exists, or one that does not. */
  which: number | 'missing';
  /** The image to insert; a device of the machine may contain the first. */
  image: string;
  replace: boolean;
  /** Whether the image's server wants an account. */
  account: boolean;
}

/** What happens next: calls at once (one or two), or something at the BMC. */
export type Step = { calls: Call[] } | { bmc: 'sessions end' | 'media inserted' | 'restart' | 'subscriptions lost' };

/** A fault of the request with this number, counted from the first. */
export interface Hiccup {
  at: number;
  kind: 'reset' | 'reset after' | 'half body' | '500' | '502' | '503' | '504' | '429';
}

export interface Machine {
  profile: string;
  place: MediaPlace;
  devices: Device[];
  quirks: string[];
  authType: 'auto' | 'session' | 'basic';
  wrongPassword: boolean;
  /** Whether redfish_system_id is given. */
  systemId: boolean;
  hiccups: Hiccup[];
  steps: Step[];
}

const DESTINATIONS = [
  'https://ev.example/a',
  'https://EV.example/a',
  'https://ev.example:443/a',
  'https://ev.example/a%2fb',
  'https://ev.example/a%2Fb',
  'https://ev.example',
  'https://ev.example/',
  'http://ev.example:8080/b',
  'HTTP://ev.example:80/c',
];

const IMAGES = [
  'http://images.example/Slot1.iso',
  'http://images.example/boot.iso',
  'HTTPS://images.example:443/boot.iso',
  'nfs://images.example/share/disk.img',
];

const call: fc.Arbitrary<Call> = fc.record({
  method: fc.constantFrom(
    ...METHODS,
    'create_subscription' as const,
    'eject_vmedia' as const,
    'insert_vmedia' as const,
  ),
  node: fc.constantFrom(0 as const, 1 as const),
  destination: fc.constantFrom(...DESTINATIONS),
  context: fc.constantFrom(null, null, 'mine', ''),
  eventTypes: fc.boolean(),
  secretHeader: fc.boolean(),
  ifExists: fc.constantFrom('refuse' as const, 'return' as const, 'return' as const, null),
  bootDevice: fc.constantFrom(null, null, 'cd' as const, 'dvd' as const, 'usb' as const, 'floppy' as const),
  image: fc.constantFrom(...IMAGES),
  replace: fc.boolean(),
  account: fc.boolean(),
  which: fc.oneof(
    { weight: 4, arbitrary: fc.nat({ max: 3 }) },
    { weight: 1, arbitrary: fc.constant('missing' as const) },
  ),
});

const step: fc.Arbitrary<Step> = fc.oneof(
  { weight: 6, arbitrary: fc.record({ calls: fc.tuple(call) }) },
  {
    weight: 2,
    arbitrary: fc.record({
      calls: fc.tuple(call, call).map(([first, second]) => [
        { ...first, node: 0 as const },
        { ...second, node: 1 as const },
      ]),
    }),
  },
  { weight: 1, arbitrary: fc.record({ bmc: fc.constantFrom('sessions end' as const) }) },
  {
    weight: 1,
    arbitrary: fc.record({
      bmc: fc.constantFrom('media inserted' as const, 'restart' as const, 'subscriptions lost' as const),
    }),
  },
);

const device: fc.Arbitrary<Omit<Device, 'id'>> = fc.record({
  types: fc.constantFrom(
    ['CD', 'DVD'],
    ['CD'],
    ['DVD'],
    ['CD', 'USBStick'],
    ['USBStick'],
    ['Floppy'],
    ['Floppy', 'USBStick'],
  ),
  inserted: fc.boolean(),
});

const refused = fc
  .record({
    property: fc.constantFrom('Context', 'EventTypes', 'Protocol'),
    word: fc.constantFrom(...REFUSABLE_WORDS),
    namedIn: fc.constantFrom(...PLACES_OF_NAMES),
    status: fc.constantFrom(400, 400, 400, 409, 422),
  })
  .map((refusal) => refusalName('refuses', refusal));

const refusedInPatch = fc
  .record({
    property: fc.constant('Inserted'),
    word: fc.constantFrom(...REFUSABLE_WORDS),
    namedIn: fc.constantFrom(...PLACES_OF_NAMES),
    status: fc.constantFrom(400, 409),
  })
  .map((refusal) => refusalName('patch-refuses', refusal));

/** Any of the groups with the same weight, so that rare kinds are as frequent as those with many forms. */
const quirk = fc.oneof(
  { weight: 9, arbitrary: fc.constantFrom(...Object.values(GROUPS)).chain((names) => fc.constantFrom(...names)) },
  { weight: 1, arbitrary: refused },
  { weight: 1, arbitrary: fc.tuple(refusedInPatch).map(([name]) => name) },
);

const hiccup: fc.Arbitrary<Hiccup> = fc.record({
  at: fc.nat({ max: 40 }),
  kind: fc.constantFrom('reset', 'reset after', 'half body', '500', '502', '503', '504', '429'),
});

/** Any machine, with the quirks that go together. */
export const machine: fc.Arbitrary<Machine> = fc
  .record({
    profile: fc.constantFrom('plain', 'plain', 'ilo5', 'idrac9', 'xcc', 'supermicro', 'openbmc'),
    place: fc.constantFrom<MediaPlace>(
      'system',
      'system',
      'manager',
      'manager',
      'both-same',
      'both-different',
      'none',
      'empty',
    ),
    devices: fc
      .array(device, { minLength: 1, maxLength: 4 })
      .map((all) => all.map((each, i) => ({ id: `Slot${i + 1}`, ...each }))),
    quirks: fc.array(quirk, { maxLength: 7 }),
    authType: fc.constantFrom('auto' as const, 'auto' as const, 'session' as const, 'basic' as const),
    wrongPassword: fc.constantFrom(false, false, false, false, false, true),
    systemId: fc.boolean(),
    hiccups: fc.oneof(
      { weight: 3, arbitrary: fc.constant<Hiccup[]>([]) },
      { weight: 1, arbitrary: fc.array(hiccup, { maxLength: 2 }) },
    ),
    steps: fc.array(step, { minLength: 1, maxLength: 6 }),
  })
  .map((any) => ({ ...any, quirks: compatible(any.quirks) }));

const LOSES_IDS = /^errors-(html|empty|odata|text|cc|message|string|plain|problem|html-text|without-info)$/;
const LOSES_RELATED = /^errors-(ilo|object)$/;

/** Pairs that contradict each other, or make each other unrecognisable. */
const CONTRADICTIONS: [RegExp, RegExp][] = [
  // Words that no one can read.
  [
    LOSES_IDS,
    /^(busy-|ended-session-403|first-read-(not-ready|in-post)-4|refuses[- ]|patch-refuses|wrong-password-40[03])/,
  ],
  [
    LOSES_RELATED,
    /^refuses.* (related|related-bare|text) |^refuses-(context|event-types|protocol)-|^refuses-protocol$|^patch-refuses/,
  ],
  [/^errors-/, /^ended-session-403-half-body$/],
  [/^(no-subscriptions-link|closed-event-service)$/, /^subscriptions-(without|error)/],
  // No one can look whether it is gone.
  [/^tasks/, /^closed-subscriptions/],
  // What says that it is empty is empty.
  [/^count-wrong$/, /-without-members$/],
  // A request that is two ends a short session twice.
  [/^session-serves-12$/, /^redirects-to-slash/],
  // No If-Match is right, and none is wrong.
  [/^if-match-wanted$/, /^etag-/],
  // The monitor's status may be the end of the operation itself, and is told as such: a limit of the driver.
  [/^tasks/, /^first-read-500/],
  // A task whose refusal is told nowhere.
  [/^tasks/, /^(refuses[- ]|patch-refuses|one-per-destination)/],
  [
    /^tasks/,
    /^(basic-off|eject-wants|lingering|events-|if-match|etag-|weak|unquoted|no-media-actions|create-20|create-location)/,
  ],
  [/^eject-wants/, /^lingering-media$/],
  [LOSES_IDS, /^insert-wants/],
  [/^patch-refuses/, /^insert-patch-wants-inserted$/],
  [/^errors-/, /^insert-wants-method$/],
  [/^tasks/, /^insert-(wants|refused|405|patch)/],
  // Each shows the collection in its own form.
  [/^inline-media$/, /^media-/],
  [/^members-(null|partial|without)/, /^pages$/],
  [/^root-(empty|null)-links$|^root-bare$|^root-without/, /^no-sessions?-|^sessions-link-only$/],
  [/^redirect-/, /^redirects-/],
  [/^redirect-/, /^basic-front-end$/],
];

/** Leaves out the quirks that exclude an earlier one. */
export function compatible(quirks: string[]): string[] {
  const chosen: string[] = [];
  for (const name of quirks) {
    const excluded = chosen.some(
      (other) =>
        groupOf(other) === groupOf(name) ||
        CONTRADICTIONS.some(([a, b]) => (a.test(name) && b.test(other)) || (b.test(name) && a.test(other))),
    );
    if (!excluded) chosen.push(name);
  }
  return chosen;
}
