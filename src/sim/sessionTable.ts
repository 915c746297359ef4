import { randomBytes } from 'node:crypto';
import type { DocumentTree } from './documents.ts';

/** A session that a client holds (DSP0266, "Redfish session login authentication"). */
export interface Session {
  id: string;
  /** The path of its document. */
  path: string;
  userName: string;
  /** Milliseconds since the epoch. */
  lastUsed: number;
}

export interface SessionTableOptions {
  documents: DocumentTree;
  /** The path of the collection of sessions. */
  collection: string;
  maxSessions: number;
  /** Milliseconds without a request after which a session ends. */
  timeout: number;
  /** Milliseconds since the epoch. */
  now: () => number;
}

/**
 * The live sessions of one BMC, each with its token and its document in the collection. A session that has not been
 * used for long ends when the table is next looked at, so an idle fleet runs no timers.
 */
export class SessionTable {
  readonly #options: SessionTableOptions;
  readonly #byToken = new Map<string, Session>();
  #lastId = 0;

  constructor(options: SessionTableOptions) {
    this.#options = options;
  }

  /** Opens a session; null when there are as many as the BMC holds. */
  open(userName: string): { session: Session; token: string } | null {
    this.sweep();
    if (this.#byToken.size >= this.#options.maxSessions) return null;
    const { collection, documents, now } = this.#options;
    do this.#lastId++;
    while (documents.get(`${collection}/${this.#lastId}`));
    const id = String(this.#lastId);
    const session: Session = { id, path: `${collection}/${id}`, userName, lastUsed: now() };
    const token = randomBytes(16).toString('hex');
    this.#byToken.set(token, session);
    documents.addMember(session.path, {
      '@odata.id': session.path,
      '@odata.type': '#Session.v1_6_0.Session',
      Id: id,
      Name: `User Session ${id}`,
      UserName: userName,
      CreatedTime: new Date(session.lastUsed).toISOString(),
    });
    return { session, token };
  }

  /** The session of `token`, which counts as used now; undefined when there is none (any more). */
  use(token: string): Session | undefined {
    this.sweep();
    const session = this.#byToken.get(token);
    if (session) session.lastUsed = this.#options.now();
    return session;
  }

  /** The sessions that are live now. */
  list(): Session[] {
    this.sweep();
    return [...this.#byToken.values()].map((session) => ({ ...session }));
  }

  /** Ends the session whose document is at `path`, if there is one. */
  end(path: string): void {
    for (const [token, session] of this.#byToken) if (session.path === path) this.#remove(token, session);
  }

  /** Ends every session, as a BMC does when it restarts. Returns how many there were. */
  endAll(): number {
    const count = this.#byToken.size;
    for (const [token, session] of this.#byToken) this.#remove(token, session);
    return count;
  }

  /** Ends those that have not been used for the time-out. */
  sweep(): void {
    const oldest = this.#options.now() - this.#options.timeout;
    for (const [token, session] of this.#byToken) if (session.lastUsed <= oldest) this.#remove(token, session);
  }

  #remove(token: string, session: Session): void {
    this.#byToken.delete(token);
    this.#options.documents.removeMember(session.path);
  }
}
