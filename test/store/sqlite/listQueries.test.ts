import type { KyselyPlugin } from 'kysely';
import { expect, test } from 'vitest';
import type { JsonObject } from '../../../src/core/json.ts';
import { silentLogger } from '../../../src/core/logger.ts';
import type { NodeQuery } from '../../../src/core/store.ts';
import { kyselyStore } from '../../../src/store/kyselyStore.ts';
import { migrate } from '../../../src/store/migrations.ts';
import { openSqlite } from '../../../src/store/sqlite/sqlite.ts';
import { enrol } from '../samples.ts';

test('a page of nodes needs at most three queries for any filters, sort key and limit', async () => {
  const database = openSqlite(':memory:', silentLogger);
  await migrate(database, silentLogger);
  let queries = 0;
  const counter: KyselyPlugin = {
    transformQuery: ({ node }) => node,
    async transformResult({ result }) {
      queries++;
      return result;
    },
  };
  const store = kyselyStore({
    ...database,
    kysely: database.kysely.withPlugin(counter),
    run(query) {
      queries++;
      return database.run(query);
    },
  });
  const nodes = [];
  for (let index = 0; index < 60; index++) {
    const attributes: JsonObject = index === 59 ? { owner: 'x', instance_uuid: 'i' } : {};
    nodes.push(
      await enrol(store, { name: index % 2 === 0 ? null : `n${index}`, description: `d${index}`, attributes }),
    );
  }
  const filters: Partial<NodeQuery>[] = [
    {},
    { hasAttribute: { instance_uuid: true } },
    { anyAttribute: { names: ['owner', 'lessee'], value: 'x' } },
    { descriptionContains: 'D59' },
  ];
  for (const filter of filters) {
    for (const sortKey of ['id', 'name', 'updateTime'] as const) {
      for (const marker of [null, nodes[1]!.uuid]) {
        for (const sortDirection of ['asc', 'desc'] as const) {
          queries = 0;
          await store.listNodes({ limit: 1, marker, sortKey, sortDirection, ...filter });
          expect(queries).toBeGreaterThan(0);
          expect(queries).toBeLessThanOrEqual(3);
        }
      }
    }
  }
  await store.close();
});
