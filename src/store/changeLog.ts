import { sql } from 'kysely';
import type { ChangeBounds, ChangeKind } from '../core/watch/changeStore.ts';
import type { Database } from './database.ts';
import { NodeLogReaders } from './postgres/nodeLogReaders.ts';
import { prepareQuery } from './preparedQuery.ts';

/** Maximum number of changes that one statement gives positions. */
const SEQUENCED = 2000;

/** More than what is written between two writes to the disk. */
const LOST_POSITIONS = 1_000_000;

/** Those whose changes get positions after their commit. */
const TABLES = { job: 'job_changes', node: 'node_changes' } as const;

type Sequenced = keyof typeof TABLES;

/**
 * The bounds of the stored logs of changes, and the positions in them.
 *
 * Transactions of PostgreSQL commit in another order than that in which their changes got their ids, so that a reader who
 * went by ids could pass over a change that is committed late. So a change has no position at first, and committed ones get
 * positions in a step of their own, one process at a time. Nobody does that while nobody watches, when reservations are not
 * even logged, see `NodeLogReaders`. SQLite has one writer at a time: there a change's id is its position. Events have
 * positions when they are committed, see `EventsTable`.
 */
export class ChangeLog {
  readonly #database: Database;
  /** Whether changes get positions after their commit. */
  readonly #sequenced: boolean;
  /** Null for a log of nodes in memory. */
  readonly #readers: NodeLogReaders | null;
  readonly #bounds;
  readonly #floor;
  readonly #sequencing = {
    job: new SharedRun(() => this.#sequenceAll('job')),
    node: new SharedRun(() => this.#sequenceAll('node')),
  };

  /** @param closed ends waiting */
  constructor(database: Database, closed: AbortSignal) {
    this.#database = database;
    this.#sequenced = database.dialect === 'postgres';
    this.#readers = this.#sequenced ? new NodeLogReaders(database, closed) : null;
    this.#bounds = {
      job: this.#boundsQuery('job'),
      node: this.#boundsQuery('node'),
      event: prepareQuery(() =>
        database.kysely
          .selectFrom('change_logs')
          .select(['log', 'floor', 'position as last'])
          .select([sql<boolean>`false`.as('added'), sql<boolean>`false`.as('reading')])
          .where('kind', '=', 'event'),
      ),
    };
    this.#floor = prepareQuery((blank: { kind: ChangeKind }) =>
      database.kysely.selectFrom('change_logs').select('floor').where('kind', '=', blank.kind),
    );
  }

  /** As `Store.changeBounds`. */
  async bounds(kind: ChangeKind): Promise<ChangeBounds> {
    let bounds = await this.#read(kind);
    if (kind === 'node' && (await this.#readers?.join(bounds.reading === true))) bounds = await this.#read(kind);
    if (bounds.added === true && kind !== 'event') {
      await this.#sequencing[kind].run();
      bounds = await this.#read(kind);
    }
    const { log, floor, last } = bounds;
    return { log, floor, last };
  }

  /** As `Store.changeFloor`. */
  async floor(kind: ChangeKind): Promise<number> {
    const [log] = await this.#database.run(this.#floor({ kind }));
    return log!.floor;
  }

  /** Stops logging for processes that have not read the log of nodes since `notSince`. */
  async removeReaders(notSince: Date): Promise<void> {
    await this.#readers?.removeOverdue(notSince.getTime());
  }

  async #read(kind: ChangeKind): Promise<ChangeBounds & { added: unknown; reading: unknown }> {
    const [bounds] = await this.#database.run(this.#bounds[kind]({}));
    return bounds!;
  }

  #boundsQuery(kind: Sequenced) {
    const sequenced = this.#sequenced;
    const changes = sql.table(TABLES[kind]);
    return prepareQuery(() =>
      this.#database.kysely
        .selectFrom('change_logs')
        .select([
          'log',
          'floor',
          (sequenced ? sql<number>`position` : sql<number>`coalesce((select max(id) from ${changes}), floor)`).as(
            'last',
          ),
          (sequenced
            ? sql<boolean>`exists (select from ${changes} as added where added.position is null)`
            : sql<boolean>`false`
          ).as('added'),
          (kind === 'node' && this.#readers !== null ? this.#readers.hasRow : sql<boolean>`false`).as('reading'),
        ])
        .where('kind', '=', kind),
    );
  }

  async #sequenceAll(kind: Sequenced): Promise<void> {
    while (await this.#sequence(kind));
  }

  /** Gives positions to changes that are committed. Returns whether there may be more. */
  async #sequence(kind: Sequenced): Promise<boolean> {
    const changes = sql.table(TABLES[kind]);
    return this.#database.kysely.transaction().execute(async (transaction) => {
      // One process at a time. In a statement of its own, so that the next one sees what the process before has done.
      const { position } = await transaction
        .selectFrom('change_logs')
        .select('position')
        .where('kind', '=', kind)
        .forUpdate()
        .executeTakeFirstOrThrow();
      const { numAffectedRows = 0n } = await sql`update ${changes} as change
        set position = cast(${position} as bigint) + added.place
        from (
          select id, row_number() over (order by id) as place from ${changes} as change
          where change.position is null order by id limit ${sql.lit(SEQUENCED)}
        ) as added
        where change.id = added.id and change.position is null`.execute(transaction);
      const added = Number(numAffectedRows);
      await transaction
        .updateTable('change_logs')
        .set({ position: position + added })
        .where('kind', '=', kind)
        .execute();
      return added === SEQUENCED;
    });
  }
}

/** Runs a step for many at once, each of whom gets what a run gives that begins after its request. */
class SharedRun {
  readonly #step: () => Promise<void>;
  #running: Promise<void> | null = null;
  #next: Promise<void> | null = null;

  constructor(step: () => Promise<void>) {
    this.#step = step;
  }

  run(): Promise<void> {
    if (this.#running === null) return this.#begin();
    // The running one may have read already.
    this.#next ??= this.#running
      .catch(() => {})
      .then(() => {
        this.#next = null;
        return this.#begin();
      });
    return this.#next;
  }

  #begin(): Promise<void> {
    const running = this.#step().finally(() => {
      if (this.#running === running) this.#running = null;
    });
    this.#running = running;
    return running;
  }
}

/**
 * Makes the positions of this process those that no earlier one gave: a crash of the machine may have lost the last ones, of
 * which a watcher was told. For a database that is not shared.
 */
export async function skipLostPositions({ kysely }: Database): Promise<void> {
  await sql`update sqlite_sequence set seq = seq + ${sql.lit(LOST_POSITIONS)} where name = 'job_changes'`.execute(
    kysely,
  );
}
