import { isJsonObject, type Json, type JsonObject } from '../../core/json.ts';
import type { RedfishResponse } from '../bmc.ts';
import { documentPath, linkPath } from '../documents.ts';
import { refuse } from '../messages.ts';
import type { Exchange, Transcript } from './transcriptFile.ts';

/** What a request gets: a recorded exchange, a response that is made up, or nothing any more. */
export type Played = { recorded: Exchange } | { made: RedfishResponse };

/**
 * The responses that one BMC plays back. A request gets the recorded responses to its method and path in their order, the
 * last one again and again; where there are none, the document that the driver knew when the call began; else 404.
 *
 * A driver that begins to replay knows nothing: it reads the service root and logs in, which the recorded call may not have
 * done. So where that call began with a login in force, the first login and the service root before it are made up.
 */
export class RecordedResponses {
  readonly #transcript: Transcript;
  readonly #queues = new Map<string, Exchange[]>();
  readonly #documents: Map<string, JsonObject>;
  readonly #unreadable: Map<string, { status: number; body: Json }>;
  readonly #root: string;
  readonly #loginPaths: Set<string>;
  /** The recorded exchanges that were not played yet, without those that may be made up instead. */
  readonly #left: Set<Exchange>;
  /** Known documents above the one request that found the BMC gone: a driver that knows nothing finds its way by them. */
  readonly #wayToEnd: Set<string>;
  /** Whether the driver has yet to learn what the recorded one knew. */
  #learning: boolean;
  /** The next service roots that are made up although others were recorded. */
  #madeRoots: number;
  #logins = 0;

  constructor(transcript: Transcript) {
    this.#transcript = transcript;
    const { context, exchanges } = transcript;
    const sent = exchanges.filter((exchange) => exchange.sent);
    for (const exchange of sent) {
      const key = keyOf(exchange.request.method, exchange.request.path);
      this.#queues.set(key, [...(this.#queues.get(key) ?? []), exchange]);
    }
    this.#documents = byPath(context.documents);
    this.#unreadable = byPath(context.unreadable);
    this.#root = pathOf(context.root);
    this.#loginPaths = new Set(this.#roots().flatMap((root) => sessionsPath(root) ?? []));
    const own = sent.filter((exchange) => !isRoot(exchange, this.#root) && !this.#isLogin(exchange.request));
    this.#left = new Set(own.length > 0 ? own : sent);
    const last = exchanges.at(-1);
    const isGoneAtOnce = own.length === 0 && last !== undefined && isUnreachable(last);
    this.#wayToEnd = new Set(isGoneAtOnce ? pathsAbove(last.request.path, this.#documents) : []);
    const knowsRoot = this.#documents.has(this.#root);
    const endedAtRoot = knowsRoot && isRoot(last, this.#root) && failed(last);
    this.#learning = !endedAtRoot && knowsRoot && (context.login === 'session' || context.login === 'basic');
    // The recorded call continued although it could not read the service root again, which it knew.
    const firstRoot = sent.find((exchange) => isRoot(exchange, this.#root));
    this.#madeRoots = !endedAtRoot && !this.#learning && knowsRoot && failed(firstRoot) ? 1 : 0;
  }

  /** Whether the BMC could no longer be connected to: all was played that came before. */
  get isGone(): boolean {
    return this.#left.size === 0 && this.#wayToEnd.size === 0 && isUnreachable(this.#transcript.exchanges.at(-1));
  }

  next(method: string, target: string): Played {
    const path = pathOf(target);
    const isRootRead = method === 'GET' && path === this.#root;
    const isLogin = this.#isLogin({ method, path: target });
    if (method === 'GET') this.#wayToEnd.delete(path);
    if (isRootRead && (this.#learning || this.#madeRoots > 0)) {
      if (!this.#learning) this.#madeRoots--;
      return { made: documentResponse(this.#documents.get(this.#root)!) };
    }
    const learning = this.#learning;
    this.#learning = false;
    const recorded = learning && isLogin ? undefined : this.#nextRecorded(keyOf(method, target));
    if (recorded !== undefined) return { recorded: isLogin ? this.#withToken(recorded) : recorded };
    if (isLogin) return { made: this.#logIn(path) };
    const known = method === 'GET' ? this.#known(path) : undefined;
    if (known !== undefined) return { made: known };
    const isLogout = method === 'DELETE' && /\/sessions\/[^/]+$/i.test(path);
    return { made: isLogout ? { status: 204, headers: {}, body: null } : refuse('ResourceMissingAtURI', target) };
  }

  /** Returns the service roots, known or recorded. */
  #roots(): JsonObject[] {
    const recorded = (this.#queues.get(`GET ${this.#root}`) ?? []).map(({ response }) => response?.body);
    return [this.#documents.get(this.#root), ...recorded].filter(isJsonObject);
  }

  #isLogin({ method, path }: { method: string; path: string }): boolean {
    return method === 'POST' && (/\/sessions\/?$/i.test(path) || this.#loginPaths.has(pathOf(path)));
  }

  /** Returns what the driver knew of a path when the call began. */
  #known(path: string): RedfishResponse | undefined {
    const document = this.#documents.get(path);
    if (document !== undefined) return documentResponse(document);
    const unreadable = this.#unreadable.get(path);
    return unreadable && { ...documentResponse(unreadable.body), status: unreadable.status };
  }

  #nextRecorded(key: string): Exchange | undefined {
    const queue = this.#queues.get(key);
    const [next] = queue ?? [];
    if (queue === undefined || next === undefined) return undefined;
    if (queue.length > 1) queue.shift();
    this.#left.delete(next);
    return next;
  }

  /** Returns a login with a token of its own in place of the masked one: two sessions must not share one. */
  #withToken(login: Exchange): Exchange {
    const { response } = login;
    if (!response?.headers['x-auth-token']) return login;
    return { ...login, response: { ...response, headers: { ...response.headers, 'x-auth-token': this.#token() } } };
  }

  #logIn(path: string): RedfishResponse {
    const { login } = this.#transcript.context;
    if (login === 'basic') return refuse('ResourceMissingAtURI', path);
    if (login === 'refused') return refuse('AccessDenied', path);
    const token = this.#token();
    const location = `${path}/${token}`;
    return {
      ...documentResponse({ '@odata.id': location, Id: token, Name: 'Session' }),
      status: 201,
      headers: { 'Content-Type': 'application/json', Location: location, 'X-Auth-Token': token },
    };
  }

  #token(): string {
    this.#logins++;
    return `replayed-${this.#logins}`;
  }
}

function documentResponse(document: Json): RedfishResponse {
  return { status: 200, headers: { 'Content-Type': 'application/json' }, body: JSON.stringify(document) };
}

function sessionsPath({ Links: links }: JsonObject): string | null {
  return isJsonObject(links) ? linkPath(links.Sessions) : null;
}

/** Paths are compared regardless of a trailing slash and of percent-encoding; the query counts. */
function keyOf(method: string, target: string): string {
  const query = /\?[^#]*/.exec(target)?.[0] ?? '';
  return `${method} ${pathOf(target)}${query}`;
}

function pathsAbove(target: string, documents: ReadonlyMap<string, unknown>): string[] {
  return [...documents.keys()].filter((path) => pathOf(target).startsWith(`${path}/`));
}

function byPath<T>(values: { [path: string]: T }): Map<string, T> {
  return new Map(Object.entries(values).map(([path, value]) => [pathOf(path), value]));
}

function pathOf(target: string): string {
  return documentPath(target) ?? target;
}

function isRoot(exchange: Exchange | undefined, root: string): boolean {
  return exchange?.request.method === 'GET' && pathOf(exchange.request.path) === root;
}

function failed(exchange: Exchange | undefined): boolean {
  return exchange !== undefined && (exchange.response === null || exchange.response.status >= 400);
}

function isUnreachable(exchange: Exchange | undefined): boolean {
  return exchange !== undefined && !exchange.sent && exchange.error?.startsWith('unreachable') === true;
}
