// The format of Server-Sent Events (WHATWG HTML, "Event stream interpretation"), as far as Redfish uses it.

/** The maximum length of one event, in characters: as of a post. */
const MAX_EVENT = 1024 * 1024;

/** One event of a stream. */
export interface ServerSentEvent {
  /** Null when the event has none. */
  id: string | null;
  /** The text of its `data` lines. */
  data: string;
}

/** Reads the events out of a stream, of which each part may end anywhere. */
export class EventStreamReader {
  #rest = '';
  #id: string | null = null;
  #data: string[] = [];
  #size = 0;

  /**
   * Returns the events that `text`, the next part of the stream, completes.
   * @throws RangeError when an event is too long
   */
  read(text: string): ServerSentEvent[] {
    // A CR at the end may be the half of a CR LF.
    const held = text.endsWith('\r') ? '\r' : '';
    const lines = (this.#rest + text.slice(0, text.length - held.length)).split(/\r\n|\n|\r/);
    this.#rest = lines.pop()! + held;
    const events: ServerSentEvent[] = [];
    for (const line of lines) {
      const event = this.#line(line);
      if (event !== null) events.push(event);
    }
    this.#check(this.#rest.length);
    return events;
  }

  #line(line: string): ServerSentEvent | null {
    if (line === '') return this.#end();
    const [, field, value = ''] = /^([^:]*)(?:: ?(.*))?$/s.exec(line)!;
    if (field === 'data') {
      this.#data.push(value);
      this.#size += value.length + 1;
      this.#check(0);
    } else if (field === 'id' && !value.includes('\0')) this.#id = value;
    return null;
  }

  /** Ends an event; one without data is none, but its id counts. */
  #end(): ServerSentEvent | null {
    const event = this.#data.length === 0 ? null : { id: this.#id, data: this.#data.join('\n') };
    this.#data = [];
    this.#size = 0;
    return event;
  }

  #check(more: number): void {
    if (this.#size + more > MAX_EVENT)
      throw new RangeError(`The BMC sent an event of more than ${MAX_EVENT} characters`);
  }
}
