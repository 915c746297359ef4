// A process with watchers: node bench/watcherProcess.ts URL CURSOR NODE WATCHERS. Sends 0 when they are open, and for each number
// of changes that it receives how many watchers were not told of as many, when all were or after a while.
import { setTimeout as delay } from 'node:timers/promises';
import { eventStream } from './nodeWatchers.ts';

const [url, cursor, node, watchers] = process.argv.slice(2);
const told: number[] = [];
const watch = eventStream(url!, { cursor: cursor!, node: node! }, told);
for (let index = 0; index < Number(watchers); index += 20) await Promise.all(Array.from({ length: 20 }, watch));
process.on('message', async (changes: number) => {
  const end = performance.now() + 60_000;
  const missing = () => told.filter((count) => count < changes).length;
  while (missing() > 0 && performance.now() < end) await delay(5);
  process.send!(missing());
});
process.once('disconnect', () => process.exit());
process.send!(0);
