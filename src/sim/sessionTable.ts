import { randomBytes } from 'node:crypto';
import type { DocumentTree } from './documents.ts';

/** A session of a client (DSP0266, "Redfish session login authentication"). */
export interface Session {
  id: string;
  /** The path of its document. */
  path: string;
  userName: string;
  /** Milliseconds since the epoch. */
  lastUsed: number;
}

interface SessionTableOptions {
  documents: DocumentTree;
  /** The path of the collection of sessions. */
  collection: string;
  maxSessions: number;
  /** Milliseconds without a request after which a session ends. */
  timeout: number;
  /** Returns milliseconds since the epoch. */
  now: () => number;
}

/**
 * The live sessions of one BMC, each with a token and a document in the collection. Expired sessions are removed when
 * the table is next used, so an idle fleet runs no timers.
 */
export class SessionTable {
  readonly #options: SessionTableOptions;
  readonly #byToken = new Map<string, Session>();
  #lastId = 0;

  constructor(options: SessionTableOptions) {
    this.#options = options;
  }

  /** Opens a session; returns null when all are taken. */
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

  /** Returns the session of `token` and marks it as used; undefined for an unknown or expired one. */
  use(token: string): Session | undefined {
    this.sweep();
    const session = this.#byToken.get(token);
    if (session) session.lastUsed = this.#options.now();
    return session;
  }

  /** Returns the live sessions. */
  list(): Session[] {
    this.sweep();
    return [...this.#byToken.values()].map((session) => ({ ...session }));
  }

  /** Ends the session whose document is at `path`, if any. */
  end(path: string): void {
    this.#removeWhere((session) => session.path === path);
  }

  /** Ends every session. Returns their number. */
  endAll(): number {
    const count = this.#byToken.size;
    this.#removeWhere(() => true);
    return count;
  }

  /** Ends expired sessions. */
  sweep(): void {
    const oldest = this.#options.now() - this.#options.timeout;
    this.#removeWhere((session) => session.lastUsed <= oldest);
  }

  #removeWhere(ends: (session: Session) => boolean): void {
    for (const [token, session] of this.#byToken) {
      if (!ends(session)) continue;
      this.#byToken.delete(token);
      this.#options.documents.removeMember(session.path);
    }
  }
}
