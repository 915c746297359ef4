import { randomBytes } from 'node:crypto';
import { DatabaseSync } from 'node:sqlite';
import { silentLogger } from '../../../src/core/logger.ts';
import { openStore, type StoreOptions } from '../../../src/store/open.ts';
import { createSecretsCipher } from '../../../src/store/secretsCipher.ts';
import { storePromises } from '../promises.ts';
import { temporaryDatabase } from '../temporaryDatabase.ts';

const PLAIN: StoreOptions = { log: silentLogger };
const ENCRYPTED: StoreOptions = { log: silentLogger, cipher: createSecretsCipher([randomBytes(32)]) };

for (const [name, options] of Object.entries({ SQLite: PLAIN, 'SQLite with encrypted secrets': ENCRYPTED })) {
  storePromises(name, async () => {
    const database = temporaryDatabase();
    let store = await openStore(`sqlite:${database.path}`, options);
    return {
      store,
      async reopen() {
        await store.close();
        store = await openStore(`sqlite:${database.path}`, options);
        return store;
      },
      async execute(statement) {
        const outside = new DatabaseSync(database.path);
        outside.exec(statement);
        outside.close();
      },
      async remove() {
        await store.close();
        database.remove();
      },
    };
  });
}
