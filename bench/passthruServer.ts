// The service with its default configuration, on its own SQLite file.
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { loadConfig } from '../src/config/load.ts';
import { silentLogger } from '../src/core/logger.ts';
import { startService } from '../src/service.ts';
import { reportReady } from './server.ts';

const folder = mkdtempSync(join(tmpdir(), 'passthru-bench-'));
const environment = { PASSTHRU_STORE: `sqlite:${join(folder, 'bench.db')}`, PASSTHRU_LISTEN: '127.0.0.1:0' };
const service = await startService(loadConfig({ file: null, environment }), { log: silentLogger });
await service.core.nodes.create({ name: 'fake-1', driver: 'fake-hardware' }, { name: 'bench', role: 'admin' });
await service.core.nodes.create({ name: 'rf-1', driver: 'redfish' }, { name: 'bench', role: 'admin' });
for (let index = 0; index < 64; index++) {
  await service.core.nodes.create(
    { name: `fake-${100 + index}`, driver: 'fake-hardware' },
    { name: 'bench', role: 'admin' },
  );
}
process.once('SIGTERM', async () => {
  await service.close();
  rmSync(folder, { recursive: true });
  process.exit();
});
reportReady(service.url);
