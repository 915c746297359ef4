import type { Quirk } from '../bmc.ts';
import { successBody } from '../messages.ts';

/** The body is named `error` all the same, as DSP0266 has it for messages of success. */
export const successMessage: Quirk = {
  name: 'success-message',
  description: 'what others answer with 204 is 200 with an `error` that says Success (iLO, iDRAC)',
  handles: (request, _bmc, next) => {
    const answer = next(request);
    if (answer.status !== 204) return answer;
    return { status: 200, headers: { 'Content-Type': 'application/json' }, body: successBody('Success') };
  },
};
