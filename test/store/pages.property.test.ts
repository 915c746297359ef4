import fc from 'fast-check';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { JobQuery } from '../../src/core/jobs/jobStore.ts';
import { silentLogger } from '../../src/core/logger.ts';
import type { NodeQuery, Store } from '../../src/core/store.ts';
import { openStore } from '../../src/store/open.ts';
import { type PostgresServer, startPostgres } from './postgres/embeddedPostgres.ts';
import { accept, enrol, hold, sampleConductor, sampleEnd, sampleJob, update } from './samples.ts';

const NODES = 12;

/** Fields of lists, some with many equal and absent values. */
const nodeQuery = fc.record(
  {
    sortKey: fc.constantFrom(
      ...(['id', 'uuid', 'name', 'driver', 'updateTime', 'description', 'holder', 'attributes.owner'] as const),
    ),
    sortDirection: fc.constantFrom('asc' as const, 'desc' as const),
    limit: fc.integer({ min: 1, max: NODES + 1 }),
    marker: fc.option(fc.nat(NODES - 1)),
    driver: fc.constantFrom('redfish', 'ipmi', 'none'),
    vendorInterface: fc.constantFrom('fake', 'none'),
    maintenance: fc.boolean(),
    attributes: fc.constantFrom<NodeQuery['attributes'][]>(
      {},
      { owner: null },
      { owner: 'x' },
      { owner: null, parent_node: null },
    ),
    hasAttribute: fc.constantFrom<NodeQuery['hasAttribute'][]>({}, { owner: true }, { owner: false }),
    descriptionContains: fc.constantFrom('d1', 'no such'),
  },
  { requiredKeys: ['sortKey', 'sortDirection', 'limit', 'marker'] },
);

const jobQuery = fc.record(
  {
    limit: fc.integer({ min: 1, max: NODES + 1 }),
    olderThan: fc.option(fc.nat(NODES)),
    driver: fc.constantFrom('redfish', 'none'),
    state: fc.constantFrom('running' as const, 'succeeded' as const, 'failed' as const),
  },
  { requiredKeys: ['limit', 'olderThan'] },
);

/** Bounds in bytes around the sizes of pages of rows that are stored with up to 3,000 bytes each. */
const within = fc.integer({ min: 400, max: 30_000 });

const OPENED: [string, () => Promise<{ store: Store; close: () => Promise<void> }>][] = [
  [
    'SQLite',
    async () => {
      const store = await openStore('sqlite::memory:', { log: silentLogger });
      return { store, close: () => store.close() };
    },
  ],
  [
    'PostgreSQL',
    async () => {
      const server: PostgresServer = await startPostgres();
      const store = await openStore(server.url(await server.createDatabase()), { log: silentLogger });
      return { store, close: () => store.close().then(() => server.remove()) };
    },
  ],
];

describe.each(OPENED)('pages that are bounded in bytes, on %s', (_, open) => {
  let store: Store;
  let close: () => Promise<void>;
  const uuids: string[] = [];

  beforeAll(async () => {
    ({ store, close } = await open());
    await store.addConductor(sampleConductor());
    for (let index = 0; index < NODES; index++) {
      const { uuid } = await enrol(store, {
        name: index % 3 === 0 ? null : `n${index % 5}-${index}`,
        driver: index % 2 === 0 ? 'redfish' : 'ipmi',
        description: index % 4 === 0 ? null : `d${index % 3}`,
        attributes: index % 5 === 0 ? { owner: 'x' } : {},
        extra: { text: 'x'.repeat((index * 997) % 3000) },
        maintenance: index % 6 === 0,
      });
      uuids.push(uuid);
      if (index % 3 === 1) await update(store, uuid, { extra: { text: 'y' } }, new Date(1_000_000 + (index % 2)));
      const job = await accept(store, index, { driver: index % 2 === 0 ? 'redfish' : 'ipmi' });
      const result = 'x'.repeat((index * 991) % 3000);
      if (index % 4 !== 0) await store.endJob(sampleEnd(job, { result }), hold());
    }
  }, 120_000);
  afterAll(() => close());

  test('a page of nodes is the whole page, or empty if it takes more than the bound', async () => {
    await fc.assert(
      fc.asyncProperty(nodeQuery, within, async ({ marker, ...rest }, bytes) => {
        const query: NodeQuery = { ...rest, marker: marker === null ? null : uuids[marker]! };
        const all = (await store.listNodes(query))!;
        const taken = sum((await store.sizeNodes(query))!);
        const page = (await store.listNodes({ ...query, within: bytes }))!;
        if (taken > bytes) expect(page).toEqual([]);
        // Of a page that two queries find, each could be found too long.
        else if (query.marker === null || page.length > 0) expect(page).toEqual(all);
      }),
      { numRuns: 150 },
    );
  });

  test('a page that goes on with the nodes without a value is read within the bound too', async () => {
    const query: NodeQuery = { limit: NODES, marker: uuids[1]!, sortKey: 'name', sortDirection: 'desc' };
    const all = (await store.listNodes(query))!;
    expect(new Set(all.map((node) => node.name === null))).toEqual(new Set([false, true]));
    expect(await store.listNodes({ ...query, within: 100_000 })).toEqual(all);
    expect(await store.listNodes({ ...query, within: sum((await store.sizeNodes(query))!) - 1 })).toEqual([]);
  });

  test('a page of jobs is the whole page, or empty if it takes more than the bound', async () => {
    await fc.assert(
      fc.asyncProperty(jobQuery, within, async ({ olderThan, ...rest }, bytes) => {
        const query: JobQuery = { ...rest, olderThan: olderThan === null ? null : sampleJob(olderThan).id };
        const taken = sum(await store.sizeJobs(query));
        const page = await store.listJobs({ ...query, within: bytes });
        expect(page).toEqual(taken > bytes ? [] : await store.listJobs(query));
      }),
      { numRuns: 100 },
    );
  });
});

function sum(sizes: readonly number[]): number {
  return sizes.reduce((total, size) => total + size, 0);
}
