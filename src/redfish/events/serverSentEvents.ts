// The format of Server-Sent Events (WHATWG HTML, "Event stream interpretation"), as far as Redfish uses it.

/** The maximum length of one event, in characters: as of a post. */
export const MAX_EVENT = 1024 * 1024;

/** The maximum length of an id, which is sent again in a header, in characters. */
const MAX_ID = 1024;

/** What no header takes. */
// biome-ignore lint/suspicious/noControlCharactersInRegex: they are what is meant
const CONTROL = /[\0-\x1f\x7f]/;

/** One event of a stream. */
export interface ServerSentEvent {
  /** Null when the event has none, or none that can be sent again. */
  id: string | null;
  /** The text of its `data` lines; null when it is longer than `MAX_EVENT`. */
  data: string | null;
}

/** Reads the events out of a stream, of which each part may end anywhere. Keeps `MAX_EVENT` characters at most. */
export class EventStreamReader {
  /** The begin of a line whose end has not arrived. */
  #rest = '';
  /** Whether `#rest` is the begin of a line that is too long. */
  #cut = false;
  /** Whether the last part ended with a CR, of which a LF may be the other half. */
  #afterCr = false;
  #id: string | null = null;
  #data: string[] = [];
  #size = 0;
  #tooLong = false;

  /** Returns the events that `text`, the next part of the stream, completes. */
  read(text: string): ServerSentEvent[] {
    if (text === '') return [];
    const lines = text.slice(this.#afterCr && text.startsWith('\n') ? 1 : 0).split(/\r\n|\n|\r/);
    this.#afterCr = text.endsWith('\r');
    const events: ServerSentEvent[] = [];
    const last = lines.pop()!;
    for (const line of lines) {
      const event = this.#line(this.#cut ? this.#rest : this.#rest + line);
      this.#rest = '';
      this.#cut = false;
      if (event !== null) events.push(event);
    }
    if (!this.#cut) this.#rest += last;
    if (this.#rest.length > MAX_EVENT) {
      this.#rest = this.#rest.slice(0, 'data:'.length);
      this.#cut = true;
    }
    return events;
  }

  #line(line: string): ServerSentEvent | null {
    if (line === '') return this.#end();
    const [, field, value = ''] = /^([^:]*)(?:: ?(.*))?$/s.exec(line)!;
    if (field === 'data') {
      this.#size += value.length + 1;
      this.#tooLong ||= this.#cut || this.#size > MAX_EVENT;
      if (this.#tooLong) this.#data = [];
      else this.#data.push(value);
    } else if (field === 'id' && !this.#cut) {
      this.#id = value.length > 0 && value.length <= MAX_ID && !CONTROL.test(value) ? value : null;
    }
    return null;
  }

  /** Ends an event; one without data is none, but its id counts. */
  #end(): ServerSentEvent | null {
    const [id, data] = [this.#id, this.#tooLong ? null : this.#data.join('\n')];
    const isEvent = this.#size > 0;
    this.#data = [];
    this.#size = 0;
    this.#tooLong = false;
    return isEvent ? { id, data } : null;
  }
}
