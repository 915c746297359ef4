import { once } from 'node:events';
import { type IncomingHttpHeaders, type IncomingMessage, request as startRequest } from 'node:http';
import { createInterface } from 'node:readline';

/** A Server-Sent Event whose data is a job. */
export interface JobEvent {
  event?: string;
  id?: string;
  // biome-ignore lint/suspicious/noExplicitAny: tests look into documents of every shape
  job?: any;
}

/** An open stream of events. */
export interface Events {
  /** Resolves with the first event. */
  headers(): IncomingHttpHeaders;
  /** Returns the next event; null after the last. */
  next(): Promise<JobEvent | null>;
  /** Returns all remaining events. */
  toEnd(): Promise<JobEvent[]>;
  /** Closes the connection. */
  leave(): Promise<void>;
}

/** Requests a stream of events as a browser does. */
export function openEvents(base: string, path: string, headers: Record<string, string> = {}): Events {
  const { hostname, port } = new URL(base);
  const request = startRequest({
    hostname,
    port,
    path,
    headers: { Accept: 'text/event-stream', ...headers },
    agent: false,
  });
  request.on('error', () => {});
  let response: IncomingMessage | undefined;
  const events = read();
  request.end();

  async function* read(): AsyncGenerator<JobEvent, void> {
    [response] = (await once(request, 'response')) as [IncomingMessage];
    let event: JobEvent = {};
    for await (const line of createInterface({ input: response })) {
      if (line === '') {
        if (event.job !== undefined) yield event;
        event = {};
      } else if (line.startsWith('event: ')) event.event = line.slice(7);
      else if (line.startsWith('id: ')) event.id = line.slice(4);
      else if (line.startsWith('data: ')) event.job = JSON.parse(line.slice(6));
    }
  }

  return {
    headers: () => response?.headers ?? {},
    async next() {
      const { value, done } = await events.next();
      return done ? null : (value as JobEvent);
    },
    async toEnd() {
      const rest: JobEvent[] = [];
      for await (const event of events) rest.push(event);
      return rest;
    },
    async leave() {
      const closed = once(request, 'close');
      request.destroy();
      await closed;
    },
  };
}
