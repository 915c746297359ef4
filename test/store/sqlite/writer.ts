import { sql } from 'kysely';
import { silentLogger } from '../../../src/core/logger.ts';
import { openSqlite } from '../../../src/store/sqlite/sqlite.ts';

// A process that writes to the database of its argument, and prints the number of each row that is stored, for as long as it lives;
// or writes some rows, and ends without closing it.
const [, , path = '', kind] = process.argv;
const database = openSqlite(path, silentLogger);
for (let count = 0; kind === 'killed' || count < 150; count++) {
  const { rows } = await database.durably((db) =>
    sql<{ id: number }>`insert into filler (data) values (zeroblob(100000)) returning id`.execute(db),
  );
  if (kind === 'killed') process.stdout.write(`${rows[0]!.id}\n`);
}
