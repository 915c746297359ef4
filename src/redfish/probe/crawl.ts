import { isJsonObject, type Json, type JsonObject } from '../../core/json.ts';
import type { RedfishClient } from '../client.ts';
import { RedfishError } from '../errors.ts';
import { bare, linkPath, objectOf } from '../links.ts';
import { isDocument, type RecordedResponse, type Recording, record } from './recording.ts';
import { type Resource, SCOPE } from './scope.ts';

/** Above any collection that a probe needs; some BMCs link their pages in a loop. */
const MAX_PAGES = 20;

/** Why a probe ends early. */
export class ProbeStopped extends Error {
  override readonly name = 'ProbeStopped';
}

/** A resource to read. */
interface Place {
  /** As linked, for the request. */
  path: string;
  resource: Resource;
}

/**
 * Reads the resources in scope, breadth first by links from the service root, each once. Two at once: the connections allow
 * no more.
 */
export class Crawl {
  readonly #client: RedfishClient;
  readonly #recording: Recording;
  #queue: Place[] = [];

  constructor(client: RedfishClient, recording: Recording) {
    this.#client = client;
    this.#recording = recording;
  }

  /**
   * Reads everything in scope, and the system at `systemPath` even if nothing links to it.
   * @throws ProbeStopped when it must end before
   */
  async run(systemPath: string | null): Promise<void> {
    this.#add(this.#client.root, 'root', '');
    if (systemPath !== null) this.#add(systemPath, 'system', '');
    while (this.#queue.length > 0) {
      const level = this.#queue;
      this.#queue = [];
      await inTurn(level, 2, (place) => this.#visit(place));
    }
  }

  #add(path: string, resource: Resource, from: string): void {
    const key = bare(path);
    if (this.#recording.found.has(key)) return;
    this.#recording.found.set(key, { resource, from });
    this.#queue.push({ path, resource });
  }

  async #visit({ path, resource }: Place): Promise<void> {
    const response = await this.#read(path);
    if (response === null) return;
    const key = bare(path);
    this.#recording.responses.set(key, response);
    if (!isDocument(response)) {
      // What is below a closed part may be open at its usual path, where the methods look too.
      if (response.status !== 404 && response.status !== 401) this.#follow(path, resource, {});
      return;
    }
    const { members, actionInfo = false } = SCOPE[resource];
    if (Array.isArray(response.document.Members)) await this.#readPages(key, response.document);
    this.#follow(path, resource, response.document);
    if (members !== undefined) {
      const { Members: entries } = response.document;
      for (const entry of Array.isArray(entries) ? entries.slice(0, members.most) : [])
        this.#link(entry, members.resource, key);
    }
    if (actionInfo) for (const info of actionInfos(response.document)) this.#link(info, 'leaf', key);
  }

  /** Follows the links of a document, and tries the usual paths of those that are missing. */
  #follow(path: string, resource: Resource, document: JsonObject): void {
    const { links = {}, relations = {}, usual = {} } = SCOPE[resource];
    for (const [name, target] of Object.entries(links)) {
      const linked = this.#link(document[name], target, bare(path));
      const segment = usual[name];
      if (!linked && segment !== undefined)
        this.#add(`${path.replace(/(?<!\/)\/+$/, '')}/${segment}`, target, bare(path));
    }
    const related = objectOf(document, 'Links');
    for (const [name, target] of Object.entries(relations)) {
      const entries = related[name];
      for (const entry of Array.isArray(entries) ? entries.slice(0, 32) : [entries])
        this.#link(entry, target, bare(path));
    }
  }

  /** Returns whether there is a link. One that leads elsewhere is not followed. */
  #link(link: Json | undefined, resource: Resource, from: string): boolean {
    const text = isJsonObject(link) ? link['@odata.id'] : link;
    if (typeof text !== 'string' || text === '') return false;
    try {
      this.#add(linkPath(text, this.#client.origin), resource, from);
    } catch (error) {
      if (!(error instanceof RedfishError)) throw error;
    }
    return true;
  }

  /**
   * Adds the members of further pages to the document, so that the recording does not depend on the page's size. Pages that
   * run in a loop, or of which one cannot be read, stay as they came.
   */
  async #readPages(key: string, document: JsonObject): Promise<void> {
    const first = document.Members as Json[];
    const all = [...first];
    const links = new Set<string>();
    let page = document;
    for (;;) {
      const next = page['Members@odata.nextLink'] ?? page['@odata.nextLink'];
      if (typeof next !== 'string' || next === '') break;
      if (links.has(next) || links.size === MAX_PAGES) return;
      links.add(next);
      const response = await this.#readLink(next);
      if (response === null) return;
      if (!isDocument(response)) {
        const [, query = ''] = /(\?.*)$/s.exec(next) ?? [];
        this.#recording.responses.set(bare(next) + query, response);
        return;
      }
      page = response.document;
      if (Array.isArray(page.Members)) all.push(...page.Members);
    }
    if (links.size === 0) return;
    this.#recording.pages.set(key, first.length);
    document.Members = all;
    delete document['Members@odata.nextLink'];
    delete document['@odata.nextLink'];
  }

  /** Reads what a link leads to; null when it leads elsewhere. */
  async #readLink(link: string): Promise<RecordedResponse | null> {
    let path: string;
    try {
      path = linkPath(link, this.#client.origin);
    } catch {
      return null;
    }
    return this.#read(path);
  }

  /** Returns the response; null when there was none, which is recorded. */
  async #read(path: string): Promise<RecordedResponse | null> {
    try {
      return record(await this.#client.getAny(path));
    } catch (error) {
      if (!(error instanceof RedfishError)) throw error;
      this.#recording.silent.set(bare(path), error.message);
      return null;
    }
  }
}

/** Returns the links to the parameters of a document's actions. */
function actionInfos(document: JsonObject): Json[] {
  return Object.values(objectOf(document, 'Actions'))
    .filter(isJsonObject)
    .flatMap((action) => action['@Redfish.ActionInfo'] ?? []);
}

/** Runs `work` on each of `items`, `most` at a time; the first failure ends it. */
async function inTurn<T>(items: readonly T[], most: number, work: (item: T) => Promise<void>): Promise<void> {
  const rest = items.values();
  const run = async () => {
    for (const item of rest) await work(item);
  };
  await Promise.all(Array.from({ length: most }, run));
}
