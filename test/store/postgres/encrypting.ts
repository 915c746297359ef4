import { silentLogger as log } from '../../../src/core/logger.ts';
import { openMigrated, openStore } from '../../../src/store/open.ts';
import { createSecretsCipher } from '../../../src/store/secretsCipher.ts';
import { rotateSecrets } from '../../../src/store/secretsKeys.ts';
import { sampleConductor } from '../samples.ts';

// A process that encrypts the secrets of a database with its keys, as a replica does with the first key (`replica`) or as
// `passthru rotate-key` does (`rotate`): encrypting.ts replica|rotate URL KEY ...
const [kind, url = '', ...keys] = process.argv.slice(2);
const cipher = createSecretsCipher(keys.map((key) => Buffer.from(key, 'hex')));
if (kind === 'replica') {
  const store = await openStore(url, { log, cipher });
  await store.addConductor(sampleConductor({ id: `replica-${process.pid}`, host: `host-${process.pid}` }));
  setInterval(() => {}, 60_000);
} else {
  const database = await openMigrated(url, log, cipher);
  await rotateSecrets(database, cipher);
  await database.close();
}
