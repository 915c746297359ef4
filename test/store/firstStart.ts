import { loadConfig } from '../../src/config/load.ts';
import { readSecretsSource } from '../../src/config/secretsSettings.ts';
import { silentLogger as log } from '../../src/core/logger.ts';
import { openStore } from '../../src/store/open.ts';

// A process that opens the store of its argument as a start of the service does, and runs until it is killed.
const config = loadConfig({ file: null, environment: { PASSTHRU_STORE: process.argv[2] } });
process.stdout.write('opening\n');
await openStore(config.store, { log, ...readSecretsSource(config, log) });
process.stdout.write('opened\n');
process.stdin.resume();
