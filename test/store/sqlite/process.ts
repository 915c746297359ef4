import { silentLogger } from '../../../src/core/logger.ts';
import { openStore } from '../../../src/store/open.ts';
import { enrol, hold, reserve, sampleConductor, sampleJob } from '../samples.ts';

// A process that opens the store of its argument, reserves a node, accepts a job on it, prints a line, and runs until it is
// killed.
const store = await openStore(process.argv[2] ?? '', { log: silentLogger });
await store.addConductor(sampleConductor());
const { uuid } = await enrol(store, { name: 'node-1' });
const fence = await reserve(store, uuid);
await store.acceptJob(sampleJob(1, { nodeUuid: uuid, nodeName: 'node-1' }), hold(fence), null, {});
process.stdout.write('accepted\n');
process.stdin.resume();
