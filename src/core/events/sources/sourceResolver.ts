import type { JsonObject } from '../../json.ts';
import type { NodeManager } from '../../nodeManager.ts';
import type { EventRecord } from '../event.ts';
import type { EventResolver } from '../eventIntake.ts';
import type { EventsTask, RegistryMessage } from '../eventsInterface.ts';
import type { EventsWork } from './eventsWork.ts';

/** The longest text that a message becomes by its arguments, in characters. */
const MAX_TEXT = 4000;

/** The number of links that are followed for one post. */
const MAX_LINKS = 20;

/** Completes records from the BMC that sent them: by its message registries, and by what it only links to. */
export class SourceResolver implements EventResolver {
  readonly #nodes: NodeManager;
  readonly #work: EventsWork;
  readonly #parse: (document: JsonObject) => EventRecord[];

  constructor(nodes: NodeManager, work: EventsWork, parse: (document: JsonObject) => EventRecord[]) {
    this.#nodes = nodes;
    this.#work = work;
    this.#parse = parse;
  }

  async complete(
    nodeUuid: string,
    records: readonly EventRecord[],
    signal: AbortSignal,
  ): Promise<readonly EventRecord[]> {
    const node = await this.#nodes.get(nodeUuid);
    const events = this.#work.interfaceOf(node);
    return this.#work.read(node, signal, async (task) => {
      const whole = await this.#follow(task, records, events.readRecord?.bind(events));
      const unknown = whole.filter(lacksMessage).map(({ messageId }) => messageId);
      if (unknown.length === 0 || events.messages === undefined) return whole;
      const messages = await events.messages(task, unknown);
      return whole.map((record) => withMessage(record, messages.get(record.messageId)));
    });
  }

  /** Returns the records with what is found at their links in their place. */
  async #follow(
    task: EventsTask,
    records: readonly EventRecord[],
    readRecord: ((task: EventsTask, link: string) => Promise<JsonObject>) | undefined,
  ): Promise<EventRecord[]> {
    const whole: EventRecord[] = [];
    let links = 0;
    for (const record of records) {
      if (record.reference === null || readRecord === undefined || ++links > MAX_LINKS) whole.push(record);
      else whole.push(...(await this.#read(task, record, record.reference, readRecord)));
    }
    return whole;
  }

  async #read(
    task: EventsTask,
    record: EventRecord,
    link: string,
    readRecord: (task: EventsTask, link: string) => Promise<JsonObject>,
  ): Promise<EventRecord[]> {
    try {
      const found = this.#parse(await readRecord(task, link));
      return found.length > 0 ? found : [record];
    } catch (error) {
      task.signal.throwIfAborted();
      task.log.debug({ err: error }, 'an event to which the BMC only links cannot be read');
      return [record];
    }
  }
}

function lacksMessage({ kind, messageId, message, severity }: EventRecord): boolean {
  return kind === 'record' && messageId !== '' && (message === '' || severity === null);
}

/** Returns a record with the text and the severity of its message where the BMC sent none. */
function withMessage(record: EventRecord, found: RegistryMessage | undefined): EventRecord {
  if (found === undefined) return record;
  const message = record.message === '' ? fill(found.text, record.messageArgs) : record.message;
  return { ...record, message, severity: record.severity ?? found.severity };
}

/** Replaces `%1` and so on by the arguments (DSP0266, "Message registry"); those that are missing stay. */
function fill(text: string, args: readonly string[]): string {
  return text.replace(/%(\d{1,2})/g, (place, number: string) => args[Number(number) - 1] ?? place).slice(0, MAX_TEXT);
}
