import { PassthruError } from './errors.ts';
import { asJson, type Json, MAX_DEPTH, nestsDeeperThan } from './json.ts';
import { Attachment } from './method.ts';

/**
 * What a method answered as JSON, so that whoever asks, now or from the store, is told the same.
 * @throws kind `bmc_failed` when it nests too deep
 */
export function checkResult(method: string, answer: Json | undefined | Attachment): Json {
  if (answer === undefined) return null;
  if (answer instanceof Attachment) throw new TypeError(`method ${method} answered an Attachment, but does not attach`);
  checkResultDepth(method, answer);
  const result = asJson(answer);
  if (result !== answer) checkResultDepth(method, result);
  return result;
}

function checkResultDepth(method: string, result: Json): void {
  if (!nestsDeeperThan(result)) return;
  throw new PassthruError('bmc_failed', `The result of ${method} nests deeper than ${MAX_DEPTH} levels`);
}
