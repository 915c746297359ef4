// How many events a second the webhook hands over to a receiver on this machine. Options: --events, --nodes, --batch.
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import { availableParallelism, loadavg, tmpdir } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { createCore } from '../src/core/create.ts';
import type { EventRecord } from '../src/core/events/event.ts';
import { silentLogger } from '../src/core/logger.ts';
import { Webhook } from '../src/events/webhook/webhook.ts';
import { openStore } from '../src/store/open.ts';

const { values } = parseArgs({
  options: {
    events: { type: 'string', default: '20000' },
    nodes: { type: 'string', default: '200' },
    batch: { type: 'string', default: '1' },
  },
});
const [count, nodes, batch] = [Number(values.events), Number(values.nodes), Number(values.batch)];

const folder = mkdtempSync(join(tmpdir(), 'passthru-webhook-'));
const log = silentLogger;
const store = await openStore(`sqlite:${join(folder, 'events.db')}`, { log });
const core = await createCore({
  ...{ store, hardwareTypes: [], host: 'bench', log },
  settings: {
    ...{ lockedRetryAttempts: 3, lockedRetryInterval: 10, maxLockWait: 60_000, workers: 10, lease: 30_000 },
    events: { rate: 1e6, totalRate: 1e6 },
  },
});
const receiver = spawn(process.execPath, [new URL('webhookReceiver.ts', import.meta.url).pathname], {
  stdio: ['ignore', 'inherit', 'inherit', 'ipc'],
});
const [port] = (await once(receiver, 'message')) as [number];
const record: EventRecord = {
  kind: 'record',
  bmcTime: new Date(),
  messageId: 'ResourceEvent.1.3.ResourceErrorsDetected',
  registry: 'ResourceEvent',
  message: 'The resource property Fan 3 has detected errors of type Overheated.',
  messageArgs: ['Fan 3', 'Overheated'],
  severity: 'critical',
  origin: '/redfish/v1/Chassis/1/ThermalSubsystem/Fans/3',
  eventType: 'Alert',
  bmcEventId: '',
  raw: { EventType: 'Alert', MessageId: 'ResourceEvent.1.3.ResourceErrorsDetected', Severity: 'Critical' },
  truncated: false,
  reference: null,
};
await store.beginHandover();
for (let number = 0; number < count; number += 500) {
  const records = Array.from({ length: 500 }, (_, index) => ({ ...record, bmcEventId: String(number + index) }));
  const node = `00000000-0000-4000-8000-${String((number / 500) % nodes).padStart(12, '0')}`;
  await core.intake.take(node, records);
}
const cpu = process.cpuUsage();
const begun = performance.now();
const target = new Webhook({ url: `http://127.0.0.1:${port}/events`, secrets: () => [Buffer.alloc(32, 1)], batch });
await core.handOverEvents({ target, skipAfter: null });
receiver.send(count);
await once(receiver, 'message');
const seconds = (performance.now() - begun) / 1000;
const { user, system } = process.cpuUsage(cpu);
const rate = Math.round(count / seconds);
console.log(
  `${count} events, ${batch} in a request, in ${seconds.toFixed(1)} s: ${rate}/s; ${((user + system) / 1e3 / count).toFixed(3)} ms of processor time each; ${availableParallelism()} processors, load ${loadavg()[0]!.toFixed(1)}`,
);
receiver.kill();
await core.shutdown(0);
await store.close();
rmSync(folder, { recursive: true });
