import { setImmediate as nextTurn } from 'node:timers/promises';
import { CallSecrets } from '../calls/callSecrets.ts';
import type { CalledMethod } from '../calls/runMethod.ts';
import type { PassthruError } from '../errors.ts';
import type { JobState } from '../job.ts';
import { isJsonObject, type JsonObject } from '../json.ts';
import type { CallRecorder, Recorded } from './callRecorder.ts';
import { FirstAndLast, MAX_BYTES } from './firstAndLast.ts';

/** The version of the format. */
const FORMAT = 1;

/** How many characters are masked before other work gets its turn. */
const STEP = 64 * 1024;

/** What a transcript says about its call, among other things. */
export interface TranscriptHead {
  node_uuid: string | null;
  driver: string;
  method: string;
}

/** How a call ended. */
export interface CallEnd {
  state: Exclude<JobState, 'running'>;
  error: Pick<PassthruError, 'message'> | null;
  endTime: Date;
}

/**
 * Returns the transcript of a call as JSON text, without its secrets. What cannot be shown, such as an entry whose function
 * throws, is counted as omitted.
 */
export async function transcriptText(
  id: string,
  { call, driver, method, httpMethod }: CalledMethod,
  { state, error, endTime }: CallEnd,
  { node, began }: CallRecorder,
  { context, exchanges }: Recorded,
): Promise<string> {
  const secrets = new CallSecrets([node?.driverInfo ?? {}, call.arguments]);
  const textOf = (entry: () => JsonObject): string | null => {
    try {
      const value = entry();
      return isJsonObject(value) ? JSON.stringify(secrets.document(value)) : null;
    } catch {
      return null;
    }
  };
  const head = {
    transcript: FORMAT,
    id,
    node_uuid: node?.uuid ?? null,
    driver,
    method: method.name,
    http_method: httpMethod,
    arguments: secrets.document(call.arguments),
    outcome: { state, error: error === null ? null : secrets.text(error.message) },
    start_time: new Date(began).toISOString(),
    end_time: endTime.toISOString(),
  };
  const known = textOf(context) ?? '{}';
  // Again, by the true lengths: a driver only estimates them.
  const texts = new FirstAndLast<string>();
  texts.omit(exchanges.omitted);
  let masked = 0;
  for (const entry of exchanges.items()) {
    const text = textOf(entry);
    if (text === null) texts.omit();
    else texts.add(text, Buffer.byteLength(text));
    masked += text?.length ?? 0;
    if (masked < STEP) continue;
    masked = 0;
    await nextTurn();
  }
  return [
    `${JSON.stringify(head).slice(0, -1)},"context":${known.length > MAX_BYTES / 2 ? '{}' : known}`,
    `"exchanges":[${texts.items().join(',')}]`,
    `"omitted":${texts.omitted}}`,
  ].join(',');
}
