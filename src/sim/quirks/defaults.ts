import type { JsonObject } from '../../core/json.ts';
import type { Quirk, RedfishResponse } from '../bmc.ts';
import { documentType } from '../documents.ts';
import { isSubscribe, objectIn, page } from '../quirk.ts';

/** Where a message names the property that it refuses. */
export type NamedIn = 'args' | 'second-arg' | 'related' | 'related-bare' | 'text' | 'annotation';

/** A property that BMCs refuse, with the words and the place of its name. */
export interface RefusedDefault {
  property: string;
  /** Of a message, without registry and version. */
  word: string;
  namedIn: NamedIn;
  /** The status of the refusal; 400 by default. */
  status?: number;
}

/** The words by which BMCs refuse a property or its value. */
export const REFUSAL_WORDS = [
  'PropertyUnknown',
  'PropertyNotWritable',
  'PropertyValueConflict',
  'PropertyValueNotInList',
  'PropertyValueTypeError',
  'PropertyValueFormatError',
  'ActionParameterUnknown',
  'ActionParameterNotSupported',
  'PropertyNotWritableOrUnknown',
] as const;

const PLACES: Record<NamedIn, string> = {
  args: 'MessageArgs',
  'second-arg': 'the second of MessageArgs',
  related: 'RelatedProperties',
  'related-bare': 'RelatedProperties, without #/',
  text: 'the text',
  annotation: 'an annotation of the property',
};

/** The named ones: each word and each place, at one of the properties that a client adds by itself. */
const REFUSED: [name: string, RefusedDefault][] = [
  ['refuses-context-not-writable', { property: 'Context', word: 'PropertyNotWritable', namedIn: 'related' }],
  ['refuses-context-conflict', { property: 'Context', word: 'PropertyValueConflict', namedIn: 'args' }],
  ['refuses-context-format', { property: 'Context', word: 'PropertyValueFormatError', namedIn: 'second-arg' }],
  ['refuses-context-parameter', { property: 'Context', word: 'ActionParameterUnknown', namedIn: 'second-arg' }],
  ['refuses-context-text', { property: 'Context', word: 'PropertyUnknown', namedIn: 'text' }],
  [
    'refuses-event-types-not-in-list',
    { property: 'EventTypes', word: 'PropertyValueNotInList', namedIn: 'second-arg' },
  ],
  ['refuses-event-types-type', { property: 'EventTypes', word: 'PropertyValueTypeError', namedIn: 'related-bare' }],
  ['refuses-event-types-parameter', { property: 'EventTypes', word: 'ActionParameterNotSupported', namedIn: 'args' }],
  ['refuses-event-types-annotation', { property: 'EventTypes', word: 'PropertyNotWritable', namedIn: 'annotation' }],
  ['refuses-protocol-not-in-list', { property: 'Protocol', word: 'PropertyValueNotInList', namedIn: 'second-arg' }],
  ['refuses-protocol-ilo', { property: 'Protocol', word: 'PropertyNotWritableOrUnknown', namedIn: 'args' }],
  ['refuses-protocol-409', { property: 'Protocol', word: 'PropertyValueConflict', namedIn: 'related', status: 409 }],
  ['refuses-protocol-422', { property: 'Protocol', word: 'PropertyUnknown', namedIn: 'annotation', status: 422 }],
];

const REFUSED_IN_PATCH: [name: string, RefusedDefault][] = [
  ['patch-refuses-inserted', { property: 'Inserted', word: 'PropertyNotWritable', namedIn: 'args' }],
  ['patch-refuses-inserted-unknown', { property: 'Inserted', word: 'PropertyUnknown', namedIn: 'related' }],
  ['patch-refuses-inserted-conflict', { property: 'Inserted', word: 'PropertyValueConflict', namedIn: 'second-arg' }],
  ['patch-refuses-inserted-annotation', { property: 'Inserted', word: 'PropertyNotWritable', namedIn: 'annotation' }],
];

export const refusedDefaultQuirks: Quirk[] = [
  ...REFUSED.map(([name, refused]) => refusesDefault(name, refused)),
  ...REFUSED_IN_PATCH.map(([name, refused]) => refusesInPatch(name, refused)),
];

/** Makes a quirk that refuses a subscription with a property, by a message that names it in one place only. */
export function refusesDefault(name: string, refused: RefusedDefault): Quirk {
  return {
    name,
    description: `a subscription with ${describe(refused)}`,
    handle: (request, bmc, next) =>
      isSubscribe(request, bmc) && refused.property in objectIn(request) ? refusalOf(refused) : next(request),
  };
}

/** Makes a quirk that does the same to a PATCH of a virtual media device. */
export function refusesInPatch(name: string, refused: RefusedDefault): Quirk {
  return {
    name,
    description: `a PATCH of virtual media with ${describe(refused)}`,
    handle: (request, bmc, next) =>
      request.method === 'PATCH' &&
      documentType(bmc.documents.get(request.path)) === 'VirtualMedia' &&
      refused.property in objectIn(request)
        ? refusalOf(refused)
        : next(request),
  };
}

function describe({ property, word, namedIn, status = 400 }: RefusedDefault): string {
  return `${property} is refused by ${status} ${word}, named in ${PLACES[namedIn]}`;
}

function refusalOf({ property, word, namedIn, status = 400 }: RefusedDefault): RedfishResponse {
  const message: JsonObject = {
    MessageId: `Base.1.8.${word}`,
    Message:
      namedIn === 'text' ? `The property ${property} cannot be taken.` : 'A property of the request cannot be taken.',
    MessageArgs: namedIn === 'args' ? [property] : namedIn === 'second-arg' ? ['the value', property] : [],
    Severity: 'Warning',
    ...(namedIn === 'related' ? { RelatedProperties: [`#/${property}`] } : {}),
    ...(namedIn === 'related-bare' ? { RelatedProperties: [property] } : {}),
  };
  const body =
    namedIn === 'annotation'
      ? { [`${property}@Message.ExtendedInfo`]: [message] }
      : { error: { code: 'Base.1.8.GeneralError', message: 'See ExtendedInfo.', '@Message.ExtendedInfo': [message] } };
  return page(status, 'application/json', JSON.stringify(body));
}
