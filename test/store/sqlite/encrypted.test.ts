import { randomBytes } from 'node:crypto';
import { silentLogger } from '../../../src/core/logger.ts';
import { openStore } from '../../../src/store/open.ts';
import { createSecretsCipher } from '../../../src/store/secretsCipher.ts';
import { storePromises } from '../promises.ts';
import { temporaryDatabase } from '../temporaryDatabase.ts';

storePromises('SQLite with encrypted secrets', async () => {
  const database = temporaryDatabase();
  const options = { log: silentLogger, cipher: createSecretsCipher([randomBytes(32)]) };
  let store = await openStore(`sqlite:${database.path}`, options);
  return {
    store,
    async reopen() {
      await store.close();
      store = await openStore(`sqlite:${database.path}`, options);
      return store;
    },
    async remove() {
      await store.close();
      database.remove();
    },
  };
});
