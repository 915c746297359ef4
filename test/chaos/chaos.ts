// npm run chaos -- --minutes N [--seed S] [--pauses] [--workers N]
import { parseArgs } from 'node:util';
import { runChaos } from './run.ts';

/** The number of violations printed with their history. */
const WITH_HISTORY = 5;

const { values } = parseArgs({
  options: {
    minutes: { type: 'string', default: '3' },
    seed: { type: 'string' },
    pauses: { type: 'boolean', default: false },
    workers: { type: 'string', default: '1' },
  },
});
const minutes = Number(values.minutes);
const seed = Number(values.seed ?? Math.floor(Math.random() * 2 ** 32));
const workers = Number(values.workers);
if (!(minutes > 0) || !Number.isInteger(seed) || !(workers > 0)) {
  console.error('usage: npm run chaos -- --minutes N [--seed S] [--pauses] [--workers N]');
  process.exit(2);
}

console.log(`seed ${seed}: ${minutes} minutes ${values.pauses ? 'with' : 'without'} pauses, workers: ${workers}`);
const { pauses } = values;
const { counts, violations, history } = await runChaos({ duration: minutes * 60_000, seed, pauses, workers });
const width = Math.max(...[...counts.keys()].map((what) => what.length));
for (const [what, times] of [...counts].sort()) console.log(`${what.padEnd(width)} ${String(times).padStart(8)}`);
console.log(`${'violations'.padEnd(width)} ${String(violations.length).padStart(8)}`);
for (const { text, node } of violations.slice(0, WITH_HISTORY)) {
  console.log(`\nVIOLATION (seed ${seed}): ${text}${node === null ? '' : ` on node-${node.index}`}`);
  console.log(history.of(node?.uuid ?? null).join('\n'));
}
for (const { text } of violations.slice(WITH_HISTORY)) console.log(`VIOLATION (seed ${seed}): ${text}`);
process.exitCode = violations.length > 0 ? 1 : 0;
