import type { Answer, BmcState, Quirk } from '../bmc.ts';
import { successBody } from '../messages.ts';
import { isSubscribe } from '../quirk.ts';

export const createLocationOnly = createAnswers(
  'create-location-only',
  'a new subscription is answered 201 with Location and a success message (iLO, iDRAC)',
  (answer) => ({ ...answer, headers: without(answer.headers, 'ETag'), body: successBody('Created') }),
);

export const createNoBody = createAnswers(
  'create-no-body',
  'a new subscription is answered 201 with Location and no body',
  (answer) => ({ ...answer, headers: without(answer.headers, 'ETag', 'Content-Type'), body: null }),
);

export const createBodyOnly = createAnswers(
  'create-body-only',
  'a new subscription is answered 201 with the document and no Location',
  (answer) => ({ ...answer, headers: without(answer.headers, 'Location') }),
);

export const createBodyOnly200 = createAnswers(
  'create-body-only-200',
  'a new subscription is answered 200 with the document and no Location',
  (answer) => ({ ...answer, status: 200, headers: without(answer.headers, 'Location') }),
);

export const createNeither = createAnswers(
  'create-204',
  'a new subscription is answered 204, without Location or body',
  () => ({ status: 204, headers: {}, body: null }),
);

export const createFullUrl = createAnswers(
  'create-full-url',
  'the Location of a new subscription is a full URL',
  (answer, bmc) => ({ ...answer, headers: { ...answer.headers, Location: bmc.url + answer.headers.Location } }),
);

function createAnswers(name: string, description: string, change: (answer: Answer, bmc: BmcState) => Answer): Quirk {
  return {
    name,
    description,
    handles: (request, bmc, next) => {
      const answer = next(request);
      return answer.status === 201 && isSubscribe(request, bmc) ? change(answer, bmc) : answer;
    },
  };
}

function without(headers: Record<string, string>, ...names: string[]): Record<string, string> {
  return Object.fromEntries(Object.entries(headers).filter(([name]) => !names.includes(name)));
}
