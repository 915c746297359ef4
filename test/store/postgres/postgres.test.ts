import { afterAll, beforeAll } from 'vitest';
import { silentLogger } from '../../../src/core/logger.ts';
import { openStore } from '../../../src/store/open.ts';
import { storePromises } from '../promises.ts';
import { type PostgresServer, startPostgres } from './embeddedPostgres.ts';

let server: PostgresServer;
/** The database, cleared before each test, since creating one takes longer than most tests. */
let database: string;

beforeAll(async () => {
  server = await startPostgres();
  database = await server.createDatabase();
  await (await openStore(server.url(database), { log: silentLogger })).close();
}, 60_000);

afterAll(async () => {
  await server.remove();
});

storePromises('PostgreSQL', async () => {
  await server.query(
    'delete from nodes; delete from jobs; delete from transcripts; delete from job_changes; delete from node_changes; delete from idempotency; delete from conductors; ' +
      "delete from events; delete from event_sources; delete from event_handovers; update change_logs set floor = position where kind = 'event'",
    database,
  );
  const url = server.url(database);
  let store = await openStore(url, { log: silentLogger });
  return {
    store,
    async reopen() {
      await store.close();
      store = await openStore(url, { log: silentLogger });
      return store;
    },
    execute: (statement) => server.query(statement, database).then(() => {}),
    remove: () => store.close(),
  };
});
