import { type Kysely, sql } from 'kysely';
import { type Migration, Migrator } from 'kysely/migration';
import { PassthruError } from '../core/errors.ts';
import type { Logger } from '../core/logger.ts';
import type { ColumnTypes, Database } from './database.ts';
import type { Tables } from './schema.ts';

/** The migrations by name. They run in the order of their names; one that was released is never changed. */
export type Migrations = Record<string, Migration>;

/** All migrations of this program. */
export function allMigrations(types: ColumnTypes): Migrations {
  return {
    '0001_nodes_and_jobs': { up: (db) => createNodesAndJobs(db, types) },
    '0002_conductors': { up: (db) => addConductors(db, types) },
    '0003_indexes': { up: (db) => addIndexes(db, types) },
  };
}

/**
 * Brings the tables of a database to what this program needs, whole or not at all. Processes that share the database do
 * it one after the other.
 *
 * @throws kind `failed_precondition` when a newer program has changed the database
 */
export async function migrate(database: Database, log: Logger, migrations = allMigrations(database)): Promise<void> {
  await database.alone(async (db) => {
    for (const name of await migrationsDone(db, database.schema)) {
      if (!Object.hasOwn(migrations, name)) {
        throw new PassthruError(
          'failed_precondition',
          `store: the database was written by a newer passthru (it has the migration '${name.slice(0, 80)}', which this one does not know); run that version, or restore a backup`,
        );
      }
    }
    const migrator = new Migrator({
      db,
      provider: { getMigrations: async () => migrations },
      // Else one of another program in another schema is taken for ours.
      migrationTableSchema: database.schema ?? undefined,
    });
    const { error, results } = await migrator.migrateToLatest();
    if (error !== undefined) throw error;
    for (const result of results ?? []) log.info({ migration: result.migrationName }, 'migrated the store');
  });
}

async function migrationsDone(db: Kysely<Tables>, schema: string | null): Promise<string[]> {
  const tables = await db.introspection.getTables({ withInternalKyselyTables: true });
  const done = tables.find((table) => table.name === 'kysely_migration' && (table.schema ?? null) === schema);
  if (done === undefined) return [];
  const { rows } = await sql<{ name: string }>`select name from kysely_migration`.execute(db);
  return rows.map((row) => row.name);
}

async function createNodesAndJobs(db: Kysely<unknown>, types: ColumnTypes): Promise<void> {
  const { textType } = types;
  await db.schema
    .createTable('nodes')
    .addColumn('id', types.rowIdType, (column) =>
      types.rowIdType === 'integer' ? column.primaryKey().autoIncrement() : column.primaryKey(),
    )
    .addColumn('uuid', textType, (column) => column.notNull().unique())
    .addColumn('name', textType, (column) => column.unique())
    .addColumn('driver', textType, (column) => column.notNull())
    .addColumn('vendor_interface', textType, (column) => column.notNull())
    .addColumn('driver_info', textType, (column) => column.notNull())
    .addColumn('extra', textType, (column) => column.notNull())
    .addColumn('properties', textType, (column) => column.notNull())
    .addColumn('attributes', textType, (column) => column.notNull())
    .addColumn('description', textType)
    .addColumn('maintenance', 'integer', (column) => column.notNull())
    .addColumn('maintenance_reason', textType)
    .addColumn('last_error', textType)
    .addColumn('create_time', 'bigint', (column) => column.notNull())
    .addColumn('update_time', 'bigint')
    .execute();
  await db.schema.createIndex('nodes_driver').on('nodes').columns(['driver', 'id']).execute();
  // Nodes are listed by name with those that have none first, for which the index of the unique names does not serve.
  if (types.nullsLast) {
    await db.schema.createIndex('nodes_name_id').on('nodes').expression(sql`name nulls first, id`).execute();
  }

  await db.schema
    .createTable('node_attributes')
    .addColumn('node_uuid', textType, (column) => column.notNull().references('nodes.uuid').onDelete('cascade'))
    .addColumn('name', textType, (column) => column.notNull())
    .addColumn('digest', textType, (column) => column.notNull())
    .addPrimaryKeyConstraint('node_attributes_key', ['node_uuid', 'name'])
    .execute();
  await db.schema
    .createIndex('node_attributes_digest')
    .on('node_attributes')
    .columns(['name', 'digest', 'node_uuid'])
    .execute();

  await db.schema
    .createTable('reservations')
    .addColumn('node_uuid', textType, (column) =>
      column.notNull().primaryKey().references('nodes.uuid').onDelete('cascade'),
    )
    .addColumn('fence', 'bigint', (column) => column.notNull().defaultTo(0))
    .addColumn('kind', textType)
    .addColumn('holder', textType)
    .addColumn('method', textType)
    .addColumn('requested_by', textType)
    .addColumn('job', textType)
    .addColumn('since', 'bigint')
    .addColumn('owner', textType)
    .execute();

  await db.schema
    .createTable('jobs')
    .addColumn('id', textType, (column) => column.notNull().primaryKey())
    // No reference to nodes: the jobs of a deleted node stay.
    .addColumn('node_uuid', textType)
    .addColumn('node_name', textType)
    .addColumn('driver', textType, (column) => column.notNull())
    .addColumn('method', textType, (column) => column.notNull())
    .addColumn('state', textType, (column) => column.notNull())
    .addColumn('create_time', 'bigint', (column) => column.notNull())
    .addColumn('end_time', 'bigint')
    .addColumn('result', textType)
    .addColumn('error', textType)
    .addColumn('requested_by', textType, (column) => column.notNull())
    .execute();
  await db.schema.createIndex('jobs_node_uuid').on('jobs').columns(['node_uuid', 'id']).execute();
  await db.schema.createIndex('jobs_driver').on('jobs').columns(['driver', 'id']).execute();
  await db.schema.createIndex('jobs_state').on('jobs').columns(['state', 'id']).execute();

  await db.schema
    .createTable('job_revisions')
    .addColumn('job_id', textType, (column) => column.notNull().references('jobs.id').onDelete('cascade'))
    .addColumn('revision', 'integer', (column) => column.notNull())
    .addColumn('state', textType, (column) => column.notNull())
    .addColumn('fraction', 'double precision')
    .addColumn('message', textType)
    .addPrimaryKeyConstraint('job_revisions_key', ['job_id', 'revision'])
    .execute();

  await db.schema
    .createTable('idempotency')
    .addColumn('caller', textType, (column) => column.notNull())
    .addColumn('key', textType, (column) => column.notNull())
    .addColumn('fingerprint', textType, (column) => column.notNull())
    .addColumn('state', textType, (column) => column.notNull())
    .addColumn('owner', textType)
    .addColumn('outcome', textType)
    .addColumn('create_time', 'bigint', (column) => column.notNull())
    .addPrimaryKeyConstraint('idempotency_key', ['caller', 'key'])
    .execute();
  await db.schema.createIndex('idempotency_create_time').on('idempotency').column('create_time').execute();
}

async function addConductors(db: Kysely<unknown>, { textType }: ColumnTypes): Promise<void> {
  await db.schema
    .createTable('conductors')
    .addColumn('id', textType, (column) => column.notNull().primaryKey())
    .addColumn('host', textType, (column) => column.notNull())
    .addColumn('lease', 'bigint')
    .addColumn('grace', 'bigint', (column) => column.notNull())
    .addColumn('expires_at', 'bigint', (column) => column.notNull())
    .execute();
  await db.schema
    .alterTable('reservations')
    .addColumn('wanted', 'integer', (column) => column.notNull().defaultTo(0))
    .execute();
  await db.schema
    .alterTable('jobs')
    .addColumn('owner', textType, (column) => column.notNull().defaultTo(''))
    .execute();
  await db.schema.alterTable('jobs').addColumn('cancel_requested_by', textType).execute();
  await db.schema.createIndex('jobs_end_time').on('jobs').columns(['end_time', 'id']).execute();
  // What an earlier version has left belongs to a process that is gone.
  await sql`insert into conductors (id, host, lease, grace, expires_at) values ('', '', 0, 0, 0)`.execute(db);
  await sql`update reservations set owner = '' where kind = 'call'`.execute(db);
  await sql`update idempotency set owner = '' where state <> 'done'`.execute(db);
}

async function addIndexes(db: Kysely<unknown>, types: ColumnTypes): Promise<void> {
  const byUpdateTime = types.nullsLast ? sql`update_time nulls first, id` : sql`update_time, id`;
  await db.schema.createIndex('nodes_update_time').on('nodes').expression(byUpdateTime).execute();
  await db.schema.createIndex('nodes_create_time').on('nodes').columns(['create_time', 'id']).execute();
  await db.schema.createIndex('nodes_maintenance').on('nodes').columns(['maintenance', 'id']).execute();
  await db.schema.createIndex('nodes_vendor_interface').on('nodes').columns(['vendor_interface', 'id']).execute();
  await db.schema
    .createIndex('idempotency_owner')
    .on('idempotency')
    .column('owner')
    .where(sql.ref('state'), '<>', sql.lit('done'))
    .execute();
  if (!types.indexesReservationOwners) return;
  await db.schema
    .createIndex('reservations_owner')
    .on('reservations')
    .column('owner')
    .where(sql.ref('kind'), '=', sql.lit('call'))
    .execute();
}
