import { readFileSync } from 'node:fs';
import { isDeepStrictEqual } from 'node:util';
import { type Class, EXPECTED, type Expected } from './expected.ts';
import type { ComparedRequest } from './requests.ts';
import { differingMembers, type Response, text } from './response.ts';

/** The responses of a real Ironic to `REQUESTS`, in their order. */
export interface Recording {
  ironic: string;
  api: string;
  responses: Response[];
}

export const RECORDING = new URL('../recordings/ironic-39.json', import.meta.url);

export function readRecording(): Recording {
  return JSON.parse(readFileSync(RECORDING, 'utf8')) as Recording;
}

/** Compares a response with that of a real Ironic. */
export function classify(
  request: ComparedRequest,
  theirs: Response,
  ours: Response,
): {
  class: Class;
  why: string;
  expected?: Expected;
} {
  if (isSame(theirs, ours)) return { class: 'same', why: '' };
  const expected = EXPECTED.find((each) => each.matches(request, theirs, ours));
  if (expected !== undefined) return { class: expected.class, why: expected.why, expected };
  return { class: 'worse', why: difference(theirs, ours) };
}

function isSame(theirs: Response, ours: Response): boolean {
  if (theirs.status !== ours.status || !isDeepStrictEqual(theirs.headers, ours.headers)) return false;
  // The words of an error are for people.
  return theirs.status >= 400 || isDeepStrictEqual(theirs.body, ours.body);
}

/** Describes a difference in a line. */
function difference(theirs: Response, ours: Response): string {
  if (theirs.status !== ours.status) {
    return `Ironic ${theirs.status} ${text(theirs.body)}, here ${ours.status} ${text(ours.body)}`;
  }
  if (!isDeepStrictEqual(theirs.headers, ours.headers))
    return `headers ${text(theirs.headers)}, here ${text(ours.headers)}`;
  return differingMembers(theirs.body, ours.body).join('; ');
}
