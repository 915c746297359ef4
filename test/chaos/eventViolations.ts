import { setTimeout as sleep } from 'node:timers/promises';
import type { Violation } from './violations.ts';
import { type ChaosWorld, count } from './world.ts';

/** Milliseconds in which all watchers must have been told everything once nothing is sent any more. */
const CATCH_UP_TIMEOUT = 60_000;

interface StoredRow {
  position: number;
  node: string;
  kind: string;
  id: string;
}

/** Waits until each watcher has been told the last event, for a limited time; then stops them. */
export async function catchUpWithEvents(world: ChaosWorld): Promise<void> {
  const end = performance.now() + CATCH_UP_TIMEOUT;
  const last = (await readStored(world)).at(-1)?.position ?? 0;
  const isBehind = () => world.eventWatchers.some(({ start, positions }) => (positions.at(-1) ?? start ?? 0) < last);
  while (isBehind() && performance.now() < end) await sleep(100);
  await Promise.all(world.eventWatchers.map((watcher) => watcher.stop()));
}

/** Every event that was acknowledged is stored once, no other one is, and each watcher was told each once, in order. */
export async function eventViolations(world: ChaosWorld): Promise<Violation[]> {
  // What arrives late all the same must not look like a loss.
  const acknowledged = world.events.fleet.bmcs.map(({ events }) => [...events.acknowledged]);
  const stored = await readStored(world);
  const told = world.eventWatchers.flatMap((watcher, index) => {
    const expected = stored.map(({ position }) => position).filter((position) => position > (watcher.start ?? 0));
    const differs = expected.findIndex((position, at) => watcher.positions[at] !== position);
    const wrong = [...watcher.errors];
    if (watcher.start === null) wrong.push('never began');
    else if (differs !== -1) wrong.push(`${watcher.positions[differs]} in place of ${expected[differs]}`);
    else if (watcher.positions.length > expected.length)
      wrong.push(`${watcher.positions[expected.length]}, which is not stored`);
    return wrong.map((text) => ({ text: `watcher ${index} of events: ${text}`, node: null }));
  });
  count(world, 'events stored', stored.length);
  return [...storedViolations(world, stored, acknowledged), ...told];
}

function storedViolations(
  world: ChaosWorld,
  stored: readonly StoredRow[],
  acknowledged: readonly (readonly string[])[],
): Violation[] {
  const { nodes, fleet } = world.events;
  const violations: string[] = [];
  for (const [index, node] of nodes.entries()) {
    const { counters, waiting } = fleet.bmcs[index]!.events;
    const ids = stored.filter((row) => row.node === node && row.kind === 'record').map(({ id }) => id);
    const once = new Set(ids);
    const name = `sender-${index}`;
    if (once.size < ids.length) violations.push(`${name}: ${ids.length - once.size} events are stored twice`);
    const lost = acknowledged[index]!.filter((id) => !once.has(id));
    if (lost.length > 0)
      violations.push(`${name}: ${lost.length} acknowledged events are not stored: ${lost.slice(0, 5)}`);
    // Ids are counted from 1.
    const invented = ids.filter((id) => !(Number(id) >= 1 && Number(id) <= counters.made));
    if (invented.length > 0) violations.push(`${name}: nobody sent ${invented.slice(0, 5)}`);
    if (waiting > 0) violations.push(`${name}: ${waiting} events were never acknowledged`);
    count(world, 'events acknowledged', acknowledged[index]!.length);
    count(world, 'posts of events refused', counters.refused);
    count(world, 'posts of events without response', counters.unanswered);
  }
  return violations.map((text) => ({ text, node: null }));
}

async function readStored({ postgres, database }: ChaosWorld): Promise<StoredRow[]> {
  const rows = await postgres.query<{ position: string; node_uuid: string; kind: string; bmc_event_id: string }>(
    'select position, node_uuid, kind, bmc_event_id from events order by position',
    database,
  );
  return rows.map(({ position, node_uuid: node, kind, bmc_event_id: id }) => ({
    position: Number(position),
    node,
    kind,
    id,
  }));
}
