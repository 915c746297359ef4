import { silentLogger } from '../../../src/core/logger.ts';
import { openStore } from '../../../src/store/open.ts';
import { storePromises } from '../promises.ts';
import { temporaryDatabase } from '../temporaryDatabase.ts';

storePromises('SQLite', async () => {
  const database = temporaryDatabase();
  let store = await openStore(`sqlite:${database.path}`, { log: silentLogger });
  return {
    store,
    async reopen() {
      await store.close();
      store = await openStore(`sqlite:${database.path}`, { log: silentLogger });
      return store;
    },
    async remove() {
      await store.close();
      database.remove();
    },
  };
});
