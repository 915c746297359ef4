import fc from 'fast-check';
import pg from 'pg';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { silentLogger } from '../../../src/core/logger.ts';
import type { Store } from '../../../src/core/store.ts';
import { openStore } from '../../../src/store/open.ts';
import { sampleJob } from '../samples.ts';
import { type PostgresServer, startPostgres } from './embeddedPostgres.ts';

let server: PostgresServer;
let store: Store;
let clients: pg.Client[];

beforeAll(async () => {
  server = await startPostgres();
  const url = server.url(await server.createDatabase());
  store = await openStore(url, { log: silentLogger });
  clients = await Promise.all(
    [0, 1, 2].map(async () => {
      const client = new pg.Client(url);
      await client.connect();
      return client;
    }),
  );
}, 120_000);

afterAll(async () => {
  await Promise.all(clients.map((client) => client.end()));
  await store.close();
  await server.remove();
});

/** What one of three transactions does next, or a reader. */
const step = fc.oneof(
  fc.record({ change: fc.nat(2) }),
  fc.record({ end: fc.nat(2), commit: fc.boolean() }),
  fc.constant({ read: true as const }),
);

test('however transactions overlap, a reader sees each committed change once, in order for each job, from every cursor on', async () => {
  let jobs = 0;
  await fc.assert(
    fc.asyncProperty(fc.array(step, { maxLength: 40 }), async (steps) => {
      const begin = (await store.changeBounds('job')).last;
      let at = begin;
      const seen: { position: number; text: string }[] = [];
      const read = async () => {
        const { last } = await store.changeBounds('job');
        for (let more = true; more; ) {
          const changes = await store.jobChanges(at, 3);
          for (const { position, job } of changes) seen.push({ position, text: `${job?.id} ${job?.revision}` });
          at = changes.at(-1)?.position ?? at;
          more = changes.length > 0;
        }
        expect(at).toBe(last);
      };
      // Each transaction has a job of its own, whose revisions it adds.
      const open: ({ id: string; revision: number } | null)[] = [null, null, null];
      const committed = [0, 1, 2].map(() => ({ id: sampleJob(++jobs).id, revision: 0 }));
      const expected: string[] = [];
      const end = async (index: number, commit: boolean) => {
        const transaction = open[index];
        if (transaction == null) return;
        await clients[index]!.query(commit ? 'commit' : 'rollback');
        if (commit) {
          for (let revision = committed[index]!.revision + 1; revision <= transaction.revision; revision++) {
            expected.push(`${transaction.id} ${revision}`);
          }
          committed[index]!.revision = transaction.revision;
        }
        open[index] = null;
      };
      for (const each of steps) {
        if ('read' in each) await read();
        else if ('end' in each) await end(each.end, each.commit);
        else {
          const client = clients[each.change]!;
          open[each.change] ??= { ...committed[each.change]! };
          const transaction = open[each.change]!;
          if (transaction.revision === committed[each.change]!.revision) await client.query('begin');
          transaction.revision++;
          if (transaction.revision === 1) {
            await client.query(
              `insert into jobs (id, driver, method, state, create_time, requested_by) values ($1, 'd', 'm', 'running', 0, 'a')`,
              [transaction.id],
            );
          }
          await client.query(`insert into job_revisions (job_id, revision, state) values ($1, $2, 'running')`, [
            transaction.id,
            transaction.revision,
          ]);
        }
      }
      for (const index of [0, 1, 2]) await end(index, index !== 1);
      await read();
      expect(seen.map(({ text }) => text).sort()).toEqual([...expected].sort());
      for (const { id } of committed) {
        const revisions = seen.filter(({ text }) => text.startsWith(id)).map(({ text }) => Number(text.split(' ')[1]));
        expect(revisions).toEqual([...revisions].sort((a, b) => a - b));
      }
      // Resuming at any position gives the same rest.
      for (const [index, { position }] of [{ position: begin }, ...seen].entries()) {
        const rest = (await store.jobChanges(position, 1000)).map(({ job }) => `${job?.id} ${job?.revision}`);
        expect(rest).toEqual(seen.slice(index).map(({ text }) => text));
      }
    }),
    { numRuns: 40 },
  );
}, 300_000);
