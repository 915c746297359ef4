import { silentLogger } from '../../../src/core/logger.ts';
import { allMigrations, type Migrations, migrate } from '../../../src/store/migrations.ts';
import { openPostgres } from '../../../src/store/postgres/postgres.ts';

// A process that migrates the database of its first argument when it reads a line from stdin, as the present program or
// (second argument `newer`) a later one, and prints the migrations that it ran.
const [url, version] = process.argv.slice(2);
const database = await openPostgres(url ?? '', silentLogger);
const ran: string[] = [];
const log = { ...silentLogger, info: (fields: object) => ran.push(String(Object.values(fields)[0])) };
const later: Migrations = {
  '9000_later': {
    up: async (db) => {
      await db.schema.alterTable('nodes').addColumn('later', 'text').execute();
    },
  },
};
process.stdout.write('ready\n');
process.stdin.once('data', async () => {
  const all = allMigrations(database);
  try {
    await migrate(database, log, version === 'newer' ? { ...all, ...later } : all);
    process.stdout.write(`${JSON.stringify(ran)}\n`);
  } catch (error) {
    process.stdout.write(`${JSON.stringify((error as { kind?: string }).kind ?? String(error))}\n`);
  }
  await database.close();
  process.stdin.destroy();
});
