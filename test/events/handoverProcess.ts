import { createCore } from '../../src/core/create.ts';
import { silentLogger } from '../../src/core/logger.ts';
import { Webhook } from '../../src/events/webhook/webhook.ts';
import { openStore } from '../../src/store/open.ts';
import { recordOf } from '../core/events/sourceHarness.ts';

// A process that stores events in the store of its first argument, prints the number of each that is stored, and takes part in
// their hand-over to the URL of the second, with as many in a request as the third says, until it is killed. The fourth makes its
// events' numbers differ from those of others.
const [url = '', target = '', batch = '', name = ''] = process.argv.slice(2);
const log = silentLogger;
const store = await openStore(url, { log });
const settings = {
  lockedRetryAttempts: 3,
  lockedRetryInterval: 10,
  maxLockWait: 60_000,
  workers: 10,
  lease: 2000,
  events: { rate: 1e6, totalRate: 1e6 },
};
const core = await createCore({ store, hardwareTypes: [], host: name, log, settings });
const webhook = new Webhook({ url: target, secrets: () => [Buffer.alloc(32, 1)], batch: Number(batch) });
await core.handOverEvents({ target: webhook, skipAfter: null });
process.stdout.write('ready\n');
for (let number = 0; ; number++) {
  const id = `${name}-${process.pid}-${number}`;
  await core.intake.take('11111111-1111-4111-8111-111111111111', [{ ...recordOf('A.1.0.B'), bmcEventId: id }]);
  process.stdout.write(`${id}\n`);
  await new Promise((resolve) => setTimeout(resolve, 5));
}
