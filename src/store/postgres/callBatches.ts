import { setImmediate } from 'node:timers';
import { type CompiledQuery, sql } from 'kysely';
import { validConductor } from '../conductors.ts';
import type { Database } from '../database.ts';
import { prepareQuery } from '../preparedQuery.ts';
import { AFTER_CALL } from '../rows.ts';

/** Maximum number of batches under way: with more of them each holds fewer nodes, and a call costs more. */
const MAX_RUNNING = 2;

/** Maximum number of nodes in a batch. */
const MAX_NODES = 100;

/** A free node to reserve for a call. */
export interface Take {
  nodeUuid: string;
  holder: string;
  method: string | null;
  requestedBy: string;
  since: number;
  conductor: string;
}

/** A call to end. */
export interface End {
  nodeUuid: string;
  fence: number;
}

/** The statements for one node, which wait for transactions that have locked it. */
interface Single<T extends Take> {
  take(take: T): CompiledQuery<{ fence: number }>;
  end(end: End): CompiledQuery<{ wanted: number }>;
}

/** What a batch did to a node. */
interface Done {
  node_uuid: string;
  /** Null for a node that was freed. */
  fence: number | null;
  /** Whether another process waits for a node that was freed. */
  wanted: number;
}

/** A node that waits for a batch. */
interface Member<T extends Take> {
  nodeUuid: string;
  /** Null for one to free. */
  take: T | null;
  /** Null for one to reserve. */
  end: End | null;
  /** Resolves with null when the batch left the node as it is. */
  resolve(done: Done | null): void;
  reject(error: unknown): void;
}

/** The values of a batch: lists in the order of the nodes to take, and of those to free. */
interface Batch {
  conductor: string;
  taken: string[];
  holders: string[];
  methods: (string | null)[];
  requesters: string[];
  times: number[];
  freed: string[];
  fences: number[];
}

/**
 * Reserves nodes for the calls of this process and frees them, many in one statement, since a statement costs a process more
 * than all else that it does for a short call.
 *
 * A batch waits for nothing but the disk: it passes over nodes that other transactions have locked. So neither of two batches can
 * wait for the other, and no node makes the others wait. What it passed over is left to a statement for one node. So is a node
 * that is alone while nothing else is under way, as that statement is quicker; what comes meanwhile has the other batch.
 */
export class CallBatches<T extends Take> {
  readonly #database: Database;
  readonly #single: Single<T>;
  readonly #statement: (values: Batch) => CompiledQuery<Done>;
  #waiting: Member<T>[] = [];
  #running = 0;
  #scheduled = false;

  constructor(database: Database, single: Single<T>) {
    this.#database = database;
    this.#single = single;
    this.#statement = prepareBatch(database);
  }

  /** Reserves a free node. Returns its fence; null when it was passed over, is not free, or the lease has run out. */
  async take(take: T): Promise<number | null> {
    const done = await this.#ask((settled) => ({ take, end: null, nodeUuid: take.nodeUuid, ...settled }));
    return done?.fence ?? null;
  }

  /** Ends a call. Returns whether another process waits for its node; null when it was passed over, or has ended. */
  async end(end: End): Promise<{ wanted: number } | null> {
    return this.#ask((settled) => ({ take: null, end, nodeUuid: end.nodeUuid, ...settled }));
  }

  #ask(member: (settled: Pick<Member<T>, 'resolve' | 'reject'>) => Member<T>): Promise<Done | null> {
    const { promise, resolve, reject } = Promise.withResolvers<Done | null>();
    this.#waiting.push(member({ resolve, reject }));
    this.#schedule();
    return promise;
  }

  /**
   * Begins a batch after this turn of the event loop, with all that is asked for in it; but the first one, while nothing else is
   * under way, at once.
   */
  #schedule(): void {
    if (this.#scheduled || this.#waiting.length === 0 || this.#running === MAX_RUNNING) return;
    if (this.#running === 0 && this.#waiting.length === 1) return void this.#run(this.#collect());
    this.#scheduled = true;
    setImmediate(() => {
      this.#scheduled = false;
      void this.#run(this.#collect());
    });
  }

  /** Takes nodes from those that wait: each once, and all for one conductor. */
  #collect(): Member<T>[] {
    const members = new Map<string, Member<T>>();
    const left: Member<T>[] = [];
    let conductor: string | null = null;
    for (const member of this.#waiting) {
      const mayJoin = member.take === null || conductor === null || member.take.conductor === conductor;
      if (mayJoin && members.size < MAX_NODES && !members.has(member.nodeUuid)) {
        members.set(member.nodeUuid, member);
        conductor = member.take?.conductor ?? conductor;
      } else left.push(member);
    }
    this.#waiting = left;
    return [...members.values()];
  }

  async #run(members: Member<T>[]): Promise<void> {
    const alone = this.#running === 0 && members.length === 1 ? members[0]! : null;
    this.#running++;
    this.#schedule();
    try {
      const rows = await (alone === null
        ? this.#database.run(this.#statement(toBatch(members)))
        : this.#runAlone(alone));
      const done = new Map(rows.map((row) => [row.node_uuid, row]));
      for (const { nodeUuid, resolve } of members) resolve(done.get(nodeUuid) ?? null);
    } catch (error) {
      // What one of them made fail did nothing, and is left to a statement for each.
      if (this.#database.toStoreError(error) === null) for (const { resolve } of members) resolve(null);
      else for (const { reject } of members) reject(error);
    }
    this.#running--;
    this.#schedule();
  }

  async #runAlone(member: Member<T>): Promise<Done[]> {
    const { nodeUuid: node_uuid } = member;
    if (member.take !== null) {
      const rows = await this.#database.run(this.#single.take(member.take));
      return rows.map(({ fence }) => ({ node_uuid, fence, wanted: 0 }));
    }
    const rows = await this.#database.run(this.#single.end(member.end as End));
    return rows.map(({ wanted }) => ({ node_uuid, fence: null, wanted }));
  }
}

function toBatch(members: Member<Take>[]): Batch {
  const takes = members.flatMap(({ take }) => take ?? []);
  const ends = members.flatMap(({ end }) => end ?? []);
  return {
    conductor: takes[0]?.conductor ?? '',
    taken: takes.map(({ nodeUuid }) => nodeUuid),
    holders: takes.map(({ holder }) => holder),
    methods: takes.map(({ method }) => method),
    requesters: takes.map(({ requestedBy }) => requestedBy),
    times: takes.map(({ since }) => since),
    freed: ends.map(({ nodeUuid }) => nodeUuid),
    fences: ends.map(({ fence }) => fence),
  };
}

/** A node must not be in both lists, nor twice in one. */
function prepareBatch(database: Database) {
  const { kysely: db } = database;
  const texts = (values: readonly (string | null)[]) => sql`cast(${values} as text[])`;
  const numbers = (values: readonly number[]) => sql`cast(${values} as bigint[])`;
  return prepareQuery((batch: Batch) => {
    const free = db
      .updateTable('reservations')
      .set(AFTER_CALL)
      .where('node_uuid', 'in', sql<string>`(select uuid from called)`)
      .returning(['node_uuid', 'wanted']);
    const query = sql<Done>`with take as (
        select * from unnest(${texts(batch.taken)}, ${texts(batch.holders)}, ${texts(batch.methods)},
          ${texts(batch.requesters)}, ${numbers(batch.times)}) as take (uuid, holder, method, requested_by, since)
      ), free as (
        select take.* from take join reservations on node_uuid = take.uuid collate "C" and kind is null
        where exists (${validConductor(database, batch.conductor).select('id')})
        for no key update of reservations skip locked
      ), called as (
        select uuid from unnest(${texts(batch.freed)}, ${numbers(batch.fences)}) as ending (uuid, fence)
        join reservations on node_uuid = uuid collate "C" and reservations.fence = ending.fence and kind = 'call'
        for no key update of reservations skip locked
      ), taken as (
        update reservations set fence = fence + 1, kind = 'call', holder = free.holder, method = free.method,
          requested_by = free.requested_by, since = free.since, owner = ${batch.conductor}, job = null, wanted = 0,
          reason = null, key_digest = null, expires_at = null,
          held_holder = null, held_requested_by = null, held_since = null
        from free where node_uuid = free.uuid collate "C"
        returning node_uuid, fence
      ), freed as (${free})
      select node_uuid, fence, 0 as wanted from taken union all select node_uuid, null, wanted from freed`;
    return { compile: () => query.compile(db) };
  });
}
