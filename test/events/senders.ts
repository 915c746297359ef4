import { setTimeout as sleep } from 'node:timers/promises';
import { Client } from 'undici';

/** Returns the UUID of the node that a sender is of. */
export function nodeOf(sender: number): string {
  return `00000000-0000-4000-8000-${String(sender).padStart(12, '0')}`;
}

/**
 * Posts events of one BMC, one after the other, until `stopped`; each until it is acknowledged, as a BMC does.
 * @param origins the receivers, of which each attempt takes another
 */
export async function sendUntil(
  stopped: AbortSignal,
  sender: number,
  origins: readonly string[],
  acknowledged: (id: string) => void,
): Promise<void> {
  const clients = origins.map((origin) => new Client(origin, { headersTimeout: 5000, bodyTimeout: 5000 }));
  let attempts = sender;
  for (let number = 0; !stopped.aborted; number++) {
    const id = `${sender}-${number}`;
    const record = { EventId: id, EventTimestamp: new Date().toISOString(), Message: 'text', Severity: 'OK' };
    const body = JSON.stringify({ Events: [record] });
    for (;;) {
      const client = clients[attempts++ % clients.length]!;
      const status = await client
        .request({ method: 'POST', path: `/${sender}`, body })
        .then(async (response) => {
          await response.body.dump();
          return response.statusCode;
        })
        .catch(() => null);
      if (status === 200) break;
      await sleep(20);
    }
    acknowledged(id);
  }
  await Promise.all(clients.map((client) => client.destroy()));
}

/**
 * Watches all events by Server-Sent Events, resuming at the next service whenever a stream ends, until `stopped`.
 * @param told gets the id of each event, or `reset`
 */
export async function watchUntil(
  stopped: AbortSignal,
  urls: readonly string[],
  start: string,
  told: (id: string) => void,
): Promise<void> {
  let cursor = start;
  for (let attempts = 0; !stopped.aborted; attempts++) {
    try {
      const url = urls[attempts % urls.length]!;
      const response = await fetch(`${url}/v1/events/stream`, {
        headers: { 'Last-Event-ID': cursor },
        signal: stopped,
      });
      let rest = '';
      for await (const chunk of response.body!.pipeThrough(new TextDecoderStream())) {
        const events = (rest + chunk).split('\n\n');
        rest = events.pop()!;
        for (const text of events) {
          const field = (name: string) => new RegExp(`^${name}: (.*)$`, 'm').exec(text)?.[1];
          if (field('event') === 'event') told(JSON.parse(field('data')!).bmc_event_id);
          else if (field('event') === 'reset') told('reset');
          cursor = field('id') ?? cursor;
        }
      }
    } catch {
      // The service was killed.
    }
    if (!stopped.aborted) await sleep(20);
  }
}
