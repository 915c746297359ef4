import { afterAll, beforeAll } from 'vitest';
import { silentLogger } from '../../src/core/logger.ts';
import { openStore } from '../../src/store/open.ts';
import { type PostgresServer, startPostgres } from './embeddedPostgres.ts';
import { storePromises } from './promises.ts';

let server: PostgresServer;
/** A database whose tables are made, which each test gets a copy of. */
let template: string;

beforeAll(async () => {
  server = await startPostgres();
  template = await server.createDatabase();
  await (await openStore(server.url(template), { log: silentLogger })).close();
}, 60_000);

afterAll(async () => {
  await server.remove();
});

storePromises('PostgreSQL', async () => {
  const url = server.url(await server.createDatabase(template));
  let store = await openStore(url, { log: silentLogger });
  return {
    store,
    async reopen() {
      await store.close();
      store = await openStore(url, { log: silentLogger });
      return store;
    },
    remove: () => store.close(),
  };
});
