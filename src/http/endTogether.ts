import type { ServerResponse } from 'node:http';
import { setImmediate } from 'node:timers';
import type { HttpResponse } from './message.ts';

/** Up to how many responses wait for the end of a turn, so that the first of them waits for milliseconds at most. */
const MAX_WAITING = 16;

/** A response with what is left to send of it. */
interface Ending {
  response: HttpResponse;
  body: string | Uint8Array | undefined;
  encoding: BufferEncoding;
}

let waiting: Ending[] = [];

/**
 * Ends a response at the end of this turn of the event loop, together with the others of the turn. A write wakes the client, which
 * costs more than all else of a short request when its processor sleeps (in a virtual machine some 30 µs); the writes that
 * follow at once find it awake. A response alone is sent without delay: the turn has nothing else to do. Over HTTP/2, where Node
 * sends what a session has to send in a turn in one write, it ends at once.
 */
export function endTogether(
  response: HttpResponse,
  body: string | Uint8Array | undefined,
  encoding: BufferEncoding = 'utf8',
): void {
  if ('stream' in response) {
    response.end(body as string, encoding);
    return;
  }
  waiting.push({ response, body, encoding });
  if (waiting.length === 1) setImmediate(endWaiting);
  else if (waiting.length === MAX_WAITING) endWaiting();
}

function endWaiting(): void {
  const all = waiting;
  waiting = [];
  for (const { response, body, encoding } of all) {
    try {
      // Both types of response have this method, but a union of overloads cannot be called.
      (response as ServerResponse).end(body, encoding);
    } catch {
      // It cannot be sent whole, and the others are not to blame.
      response.destroy();
    }
  }
}
