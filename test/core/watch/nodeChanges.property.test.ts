import fc from 'fast-check';
import { afterAll, beforeAll, expect, test } from 'vitest';
import type { Core } from '../../../src/core/core.ts';
import type { JsonObject } from '../../../src/core/json.ts';
import { silentLogger } from '../../../src/core/logger.ts';
import type { Node } from '../../../src/core/node.ts';
import type { Store } from '../../../src/core/store.ts';
import type { WatchEvent } from '../../../src/core/watch/watchEvent.ts';
import { openStore } from '../../../src/store/open.ts';
import { type PostgresServer, startPostgres } from '../../store/postgres/embeddedPostgres.ts';
import { nodeCall, openMemoryStore, operator, startCoreOn, startJob, watchToEnd } from '../harness.ts';
import { type Watcher, watchNodes } from './watching.ts';

const NAMES = ['a', 'b', 'c'];
const signal = new AbortController().signal;

let server: PostgresServer;
beforeAll(async () => {
  server = await startPostgres();
}, 120_000);
afterAll(() => server.remove());

const STORES: [string, number, () => Promise<Store>][] = [
  ['SQLite', 60, () => openMemoryStore()],
  ['PostgreSQL', 12, async () => openStore(server.url(await server.createDatabase()), { log: silentLogger })],
];

const step = fc.record({
  what: fc.oneof(
    { weight: 3, arbitrary: fc.constantFrom('describe', 'move', 'call', 'fail') },
    { weight: 2, arbitrary: fc.constantFrom('lock', 'unlock', 'work') },
    { weight: 1, arbitrary: fc.constantFrom('enrol', 'remove', 'rename') },
  ),
  node: fc.constantFrom(...NAMES),
});
type Step = typeof step extends fc.Arbitrary<infer T> ? T : never;

/** Each inner list is done at once. */
const steps = fc.array(fc.array(step, { minLength: 1, maxLength: 4 }), { minLength: 1, maxLength: 12 });

test.each(STORES)(
  'on %s, whatever is done to nodes and however it overlaps, each watcher is told every state of each once and in order, also later and from every cursor on',
  async (_, numRuns, open) => {
    await using started = await start(await open());
    const { core } = started;
    let number = 0;
    const renamed: string[] = [];
    await fc.assert(
      fc.asyncProperty(steps, async (rounds) => {
        for (const name of NAMES) await enrol(core, name);
        const live = watchNodes(core);
        const begin = (await live.current()) && live.cursor;
        const from = live.events.length;
        const shown: Node[] = [];
        for (const round of rounds) {
          await Promise.all(round.map((each) => perform(core, each, ++number, renamed)));
          // What is shown between two steps is a state of its own.
          for (const name of NAMES)
            shown.push(
              ...(await core.nodes.get(name).then(
                (node) => [node],
                () => [],
              )),
            );
        }
        for (const name of NAMES) await remove(core, name);
        const uuids = new Set(live.events.flatMap((event) => (event.kind === 'item' ? [event.item.uuid] : [])));
        await live.until((events) => {
          for (const event of events) if (event.kind === 'removed') uuids.delete(event.uuid);
          for (const event of events.slice(from))
            if (event.kind === 'item' && !isRemoved(events, event.item)) return false;
          return uuids.size === 0;
        });
        const told = live.events.slice(from);
        expect(told.every(({ kind }) => kind !== 'marker')).toBe(true);
        checkStates(live.events, shown, renamed);
        // Later each change is found from other nodes: they are all gone.
        const cursors = [begin, ...told.map(({ cursor }) => cursor)];
        for (const [index, cursor] of cursors.entries()) {
          if (index % 5 !== 0) continue;
          const rest = told.slice(index);
          const late = watchNodes(core, { cursor });
          await late.until((events) => events.length >= rest.length);
          expect(late.events.map(textOf)).toEqual(rest.map(textOf));
          await late.stop();
        }
        await live.stop();
      }),
      { numRuns },
    );
  },
  300_000,
);

/** Starts a core whose calls end by themselves. */
async function start(store: Store) {
  const { core, hardware } = await startCoreOn(store, 'host-a', { lockedRetryInterval: 2, workers: 8 });
  hardware.calls.push = (call) => {
    setImmediate(() =>
      call.args.word === 'fail' ? call.fail(new Error(`failure ${call.args.count}`)) : call.finish(null),
    );
    return 0;
  };
  return {
    core,
    async [Symbol.asyncDispose]() {
      await core.shutdown(0);
      await store.close();
    },
  };
}

/** Does a step, which may be refused or fail. */
async function perform(core: Core, { what, node }: Step, number: number, renamed: string[]): Promise<void> {
  const update = (make: (node: Node) => object) => core.nodes.update(node, make, operator, signal);
  const word: JsonObject = what === 'fail' ? { word: 'fail', count: number } : {};
  try {
    switch (what) {
      case 'describe':
        return void (await update(() => ({ description: `text ${number}`, extra: { number } })));
      case 'move':
        return void (await update(({ driverInfo }) => ({ driverInfo: { ...driverInfo, address: number } })));
      case 'rename':
        // To a name that is taken most of the time: the transaction is rolled back.
        await update(() => ({ description: `renamed ${number}`, name: NAMES[(NAMES.indexOf(node) + 1) % 3] }));
        return void renamed.push(`renamed ${number}`);
      case 'lock':
        return void (await core.nodes.lock(node, { holder: null, lockWait: 0, caller: operator, signal }));
      case 'unlock':
        return void (await core.nodes.unlock(node, operator));
      case 'call':
        return void (await core.callNodeMethod(nodeCall('exclusive', { node })));
      case 'work':
      case 'fail':
        return void (await watchToEnd(core, (await startJob(core, nodeCall('work', { node, arguments: word }))).id));
      case 'enrol':
        return await enrol(core, node);
      case 'remove':
        return void (await core.nodes.delete(node, operator, signal));
    }
  } catch {
    // The node is locked, gone, or the name is taken.
  }
}

async function enrol(core: Core, name: string): Promise<void> {
  await core.nodes.create({ name, driver: 'gated' }, operator).catch(() => {});
}

async function remove(core: Core, name: string): Promise<void> {
  await core.nodes.unlock(name, operator).catch(() => {});
  await core.nodes.delete(name, operator, signal).catch(() => {});
}

function isRemoved(events: readonly WatchEvent<Node>[], { uuid }: Node): boolean {
  return events.some((event) => event.kind === 'removed' && event.uuid === uuid);
}

/**
 * Checks the states of each node: no two equal ones in a row, nothing after its removal, nothing of a rename that failed, and
 * among them all that it has shown.
 */
function checkStates(told: Watcher<Node>['events'], shown: readonly Node[], renamed: readonly string[]): void {
  const states = new Map<string, string[]>();
  for (const event of told) {
    if (event.kind === 'marker') continue;
    const uuid = event.kind === 'item' ? event.item.uuid : event.uuid;
    const text = event.kind === 'item' ? stateOf(event.item) : 'removed';
    const before = states.get(uuid) ?? [];
    states.set(uuid, before);
    expect(before.at(-1)).not.toBe(text);
    expect(before.at(-1)).not.toBe('removed');
    const rename = /renamed \d+/.exec(text);
    if (rename !== null) expect(renamed).toContain(rename[0]);
    before.push(text);
  }
  for (const [uuid, of] of states) {
    let at = 0;
    for (const node of shown.filter((each) => each.uuid === uuid)) {
      const next = of.indexOf(stateOf(node), at);
      expect(next, `${stateOf(node)} after ${at} of ${of.join('\n')}`).not.toBe(-1);
      at = next;
    }
  }
}

/** Returns what a watcher sees of a node. */
function stateOf(node: Node): string {
  const { uuid, name, driver, driverInfo, extra, description, lastError, reservation, createTime, updateTime } = node;
  return JSON.stringify({
    uuid,
    name,
    driver,
    driverInfo,
    extra,
    description,
    lastError,
    reservation,
    createTime,
    updateTime,
  });
}

const textOf = (event: WatchEvent<Node>) =>
  JSON.stringify(event.kind === 'item' ? { ...event, item: stateOf(event.item) } : event);
