import { type Kysely, type RawBuilder, sql } from 'kysely';
import { type Migration, Migrator } from 'kysely/migration';
import { PassthruError } from '../core/errors.ts';
import type { Logger } from '../core/logger.ts';
import type { Database } from './database.ts';
import { compareInTrigger, logForWatchers, postgresChanges } from './postgres/changeTriggers.ts';
import type { Tables } from './schema.ts';

/** The migrations by name. They run in the order of their names; one that was released is never changed. */
export type Migrations = Record<string, Migration>;

/**
 * Brings the tables of a database up to date, all or nothing. Processes that share the database do so one after the other.
 *
 * @throws kind `failed_precondition` when a newer program has changed the database
 */
export async function migrate(database: Database, log: Logger, migrations = allMigrations(database)): Promise<void> {
  await database.alone(async (db) => {
    const done = await migrationsDone(db, database.schema);
    for (const name of done) {
      if (!Object.hasOwn(migrations, name)) {
        throw new PassthruError(
          'failed_precondition',
          `store: the database was written by a newer passthru (it has the unknown migration '${name.slice(0, 80)}'); run that version, or restore a backup`,
        );
      }
    }
    // The migrator reads the tables three times more.
    if (done.length === Object.keys(migrations).length) return;
    const migrator = new Migrator({
      db,
      provider: { getMigrations: async () => migrations },
      // Without it kysely would take the migrations of another program in another schema for ours.
      migrationTableSchema: database.schema ?? undefined,
    });
    const { error, results } = await migrator.migrateToLatest();
    if (error !== undefined) throw error;
    for (const result of results ?? []) log.info({ migration: result.migrationName }, 'migrated the store');
  });
}

async function migrationsDone(db: Kysely<Tables>, schema: string | null): Promise<string[]> {
  // kysely's introspection would read the columns of all tables.
  const { rows: found } = await (schema === null
    ? sql`select name from sqlite_master where type = 'table' and name = 'kysely_migration'`
    : sql`select 1 where to_regclass(format('%I.kysely_migration', cast(${schema} as text))) is not null`
  ).execute(db);
  if (found.length === 0) return [];
  const { rows } = await sql<{ name: string }>`select name from kysely_migration`.execute(db);
  return rows.map((row) => row.name);
}

function migration(...statements: RawBuilder<unknown>[]): Migration {
  return {
    async up(db) {
      for (const statement of statements) await statement.execute(db);
    },
  };
}

/** Returns all migrations of this program; schema.ts describes the columns. */
export function allMigrations({ dialect }: Pick<Database, 'dialect'>): Migrations {
  const postgres = dialect === 'postgres';
  const now = sql.raw(
    postgres
      ? 'cast(floor(extract(epoch from clock_timestamp()) * 1000) as bigint)'
      : "(cast(round(unixepoch('subsec') * 1000) as integer))",
  );
  const rowId = sql.raw(postgres ? 'bigserial primary key' : 'integer primary key autoincrement');
  // In code point order, not that of the database's language.
  const text = sql.raw(postgres ? 'text collate "C"' : 'text');
  // Nodes are listed with nulls first, which is SQLite's own order.
  const byUpdateTime = sql.raw(postgres ? 'update_time nulls first, id' : 'update_time, id');
  return {
    '0001_nodes_and_jobs': migration(
      sql`create table nodes (
        id ${rowId},
        uuid ${text} not null unique,
        name ${text} unique,
        driver ${text} not null,
        vendor_interface ${text} not null,
        driver_info ${text} not null,
        extra ${text} not null,
        properties ${text} not null,
        attributes ${text} not null,
        description ${text},
        maintenance integer not null,
        maintenance_reason ${text},
        last_error ${text},
        create_time bigint not null,
        update_time bigint
      )`,
      sql`create index nodes_driver on nodes (driver, id)`,
      ...(postgres ? [sql`create index nodes_name_id on nodes (name nulls first, id)`] : []),
      sql`create table node_attributes (
        node_uuid ${text} not null references nodes (uuid) on delete cascade,
        name ${text} not null,
        digest ${text} not null,
        constraint node_attributes_key primary key (node_uuid, name)
      )`,
      sql`create index node_attributes_digest on node_attributes (name, digest, node_uuid)`,
      sql`create table reservations (
        node_uuid ${text} not null primary key references nodes (uuid) on delete cascade,
        fence bigint not null default 0,
        kind ${text},
        holder ${text},
        method ${text},
        requested_by ${text},
        job ${text},
        since bigint,
        owner ${text}
      )`,
      // Without a reference to nodes: the jobs of a deleted node stay.
      sql`create table jobs (
        id ${text} not null primary key,
        node_uuid ${text},
        node_name ${text},
        driver ${text} not null,
        method ${text} not null,
        state ${text} not null,
        create_time bigint not null,
        end_time bigint,
        result ${text},
        error ${text},
        requested_by ${text} not null
      )`,
      sql`create index jobs_node_uuid on jobs (node_uuid, id)`,
      sql`create index jobs_driver on jobs (driver, id)`,
      sql`create index jobs_state on jobs (state, id)`,
      sql`create table job_revisions (
        job_id ${text} not null references jobs (id) on delete cascade,
        revision integer not null,
        state ${text} not null,
        fraction double precision,
        message ${text},
        constraint job_revisions_key primary key (job_id, revision)
      )`,
      sql`create table idempotency (
        caller ${text} not null,
        key ${text} not null,
        fingerprint ${text} not null,
        state ${text} not null,
        owner ${text},
        outcome ${text},
        create_time bigint not null,
        constraint idempotency_key primary key (caller, key)
      )`,
      sql`create index idempotency_create_time on idempotency (create_time)`,
    ),
    '0002_conductors': migration(
      sql`create table conductors (
        id ${text} not null primary key,
        host ${text} not null,
        lease bigint,
        grace bigint not null,
        expires_at bigint not null
      )`,
      sql`alter table reservations add column wanted integer not null default 0`,
      sql`alter table jobs add column owner ${text} not null default ''`,
      sql`alter table jobs add column cancel_requested_by ${text}`,
      sql`create index jobs_end_time on jobs (end_time, id)`,
      // Calls and jobs of an earlier version belong to a process that is gone.
      sql`insert into conductors (id, host, lease, grace, expires_at) values ('', '', 0, 0, 0)`,
      sql`update reservations set owner = '' where kind = 'call'`,
      sql`update idempotency set owner = '' where state <> 'done'`,
    ),
    '0003_indexes': migration(
      sql`create index nodes_update_time on nodes (${byUpdateTime})`,
      sql`create index nodes_create_time on nodes (create_time, id)`,
      sql`create index nodes_maintenance on nodes (maintenance, id)`,
      sql`create index nodes_vendor_interface on nodes (vendor_interface, id)`,
      sql`create index idempotency_owner on idempotency (owner) where state <> 'done'`,
      // SQLite stores no calls.
      ...(postgres ? [sql`create index reservations_owner on reservations (owner) where kind = 'call'`] : []),
    ),
    '0004_transcripts': migration(
      sql`create table transcripts (
        id ${text} not null primary key,
        job_id ${text} references jobs (id) on delete cascade,
        role ${text} not null,
        end_time bigint not null,
        document ${sql.raw(postgres ? 'bytea' : 'blob')} not null
      )`,
      sql`create index transcripts_job_id on transcripts (job_id) where job_id is not null`,
      sql`create index transcripts_end_time on transcripts (end_time, id) where job_id is null`,
    ),
    '0005_holds': migration(
      ...['reason', 'key_digest', 'held_holder', 'held_requested_by'].map(
        (column) => sql`alter table reservations add column ${sql.ref(column)} ${text}`,
      ),
      sql`alter table reservations add column expires_at bigint`,
      sql`alter table reservations add column held_since bigint`,
      sql`create index reservations_expires_at on reservations (expires_at) where expires_at is not null`,
    ),
    '0006_job_roles': migration(sql`alter table jobs add column role ${text}`),
    '0007_changes': migration(
      sql`create table change_logs (
        kind ${text} not null primary key,
        log ${text} not null,
        position bigint not null,
        floor bigint not null
      )`,
      sql`create table job_changes (
        id ${rowId},
        position bigint,
        time bigint not null default ${now},
        job_id ${text} not null,
        revision integer not null
      )`,
      sql`create index job_changes_job_id on job_changes (job_id, id)`,
      ...(postgres ? postgresChanges() : sqliteChanges()),
    ),
    '0008_fleet_keys': migration(
      sql`alter table conductors add column key_ids ${text}`,
      sql`alter table conductors add column writing_key ${text}`,
    ),
    '0009_sorted_attributes': migration(
      sql`alter table node_attributes add column value ${text}`,
      sql`create index node_attributes_unread on node_attributes (node_uuid) where value is null`,
      sql`create table unique_attributes (
        name ${text} not null,
        digest ${text} not null,
        node_uuid ${text} not null references nodes (uuid) on delete cascade,
        constraint unique_attributes_key primary key (name, digest)
      )`,
      sql`create index unique_attributes_node on unique_attributes (node_uuid)`,
      // Nodes that share one already keep it.
      sql`insert into unique_attributes (name, digest, node_uuid)
        select name, digest, min(node_uuid) from node_attributes where name = 'instance_uuid' group by name, digest`,
      sql`alter table conductors add column create_time bigint not null default 0`,
    ),
    '0010_cheaper_reservation_log': migration(...(postgres ? compareInTrigger() : [])),
    '0011_events': migration(
      sql`create table events (
        position ${sql.raw(postgres ? 'bigint' : 'integer')} not null primary key,
        time bigint not null,
        node_uuid ${text} not null,
        node_name ${text},
        kind ${text} not null,
        severity integer not null,
        registry_key ${text} not null,
        message_key ${text} not null,
        message_id ${text} not null,
        message ${text} not null,
        message_args ${text},
        origin ${text} not null,
        event_type ${text} not null,
        bmc_event_id ${text} not null,
        bmc_time bigint,
        gap_start bigint,
        gap_end bigint,
        truncated integer not null,
        reference ${text},
        digest ${text},
        raw ${text},
        bytes integer not null,
        raw_bytes integer not null
      )`,
      sql`create index events_time on events (time, position)`,
      sql`create index events_node on events (node_uuid, position)`,
      sql`create index events_message on events (message_key, position)`,
      sql`create index events_registry on events (registry_key, position)`,
      sql`create index events_warning on events (position) where severity >= 2`,
      sql`create index events_critical on events (position) where severity >= 3`,
      sql`create index events_digest on events (digest, time) where digest is not null`,
      sql`insert into change_logs (kind, log, position, floor) values ('event', ${sql.raw(
        postgres ? 'substr(md5(random()::text || clock_timestamp()::text), 1, 16)' : 'lower(hex(randomblob(8)))',
      )}, 0, 0)`,
    ),
    '0012_event_sources': migration(
      sql`create table event_sources (
        id ${rowId},
        node_uuid ${text} not null unique,
        transport ${text},
        selection ${text} not null,
        generation bigint not null,
        revision bigint not null,
        state ${text} not null,
        reason ${text},
        state_time bigint not null,
        active_transport ${text},
        subscription ${text},
        token_digest ${text},
        token_generation bigint not null,
        previous_digest ${text},
        address ${text},
        verify_time bigint,
        due_time bigint not null,
        last_event_time bigint,
        test_time bigint,
        test_round_trip bigint,
        test_error ${text},
        last_drift ${text},
        last_drift_time bigint,
        renewals bigint not null,
        last_reset bigint,
        last_event_id ${text},
        owner ${text},
        former_node ${text},
        former_driver_info ${text},
        create_time bigint not null,
        update_time bigint
      )`,
      sql`create index event_sources_due on event_sources (owner, due_time)`,
      sql`create index event_sources_state on event_sources (state, id)`,
      sql`create index event_sources_token on event_sources (token_digest)`,
      sql`create index event_sources_previous on event_sources (previous_digest) where previous_digest is not null`,
    ),
    '0013_event_handovers': migration(
      sql`create table event_handovers (
        name ${text} not null primary key,
        position bigint not null,
        owner ${text}
      )`,
    ),
    '0014_reservation_log_for_watchers': migration(...(postgres ? logForWatchers(now) : [])),
  };
}

/** Logs each revision of a job. Changes of nodes are kept in memory, see `LocalNodeChanges`. */
function sqliteChanges(): RawBuilder<unknown>[] {
  return [
    sql`insert into change_logs (kind, log, position, floor) values ('job', lower(hex(randomblob(8))), 0, 0)`,
    sql`create trigger job_revisions_logged after insert on job_revisions begin
      insert into job_changes (job_id, revision) values (new.job_id, new.revision);
    end`,
  ];
}
