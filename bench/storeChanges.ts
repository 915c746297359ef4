import { readdirSync, readFileSync } from 'node:fs';
import { createClient } from '@connectrpc/connect';
import { createGrpcTransport } from '@connectrpc/connect-node';
import { NodeService } from '../gen/passthru/v1/node_pb.ts';
import { PassthruService } from '../gen/passthru/v1/passthru_pb.ts';
import { silentLogger } from '../src/core/logger.ts';
import { openStore } from '../src/store/open.ts';
import type { PostgresServer } from '../test/store/postgres/embeddedPostgres.ts';
import { startReplica } from './replica.ts';

/** The processor time of a call in µs, of the service and the database: with the log of changes, and without its triggers. */
export interface LoggedCost {
  call: string;
  service: { logged: number; bare: number };
  database: { logged: number; bare: number };
}

const ROUNDS = 6;
const CALLS = 240;
const CALLERS = 8;
const NODES = 64;

const TRIGGERS = { reservations: 'reservations_logged', job_revisions: 'job_revisions_logged' };

/** Measures calls over gRPC, with a reader of the log that does not read, in turns with and without the triggers. Forgetting counts too. */
export async function loggedCosts(postgres: PostgresServer): Promise<LoggedCost[]> {
  const database = await postgres.createDatabase();
  const url = postgres.url(database);
  const service = await startReplica({
    PASSTHRU_STORE: url,
    PASSTHRU_SECRETS_PLAIN: 'true',
    PASSTHRU_FAKE_VENDOR_DELAY: '0s',
  });
  const store = await openStore(url, { log: silentLogger });
  const server = await parentOfBackends(postgres, database);
  const transport = createGrpcTransport({ baseUrl: service.url });
  const nodes = createClient(NodeService, transport);
  const passthru = createClient(PassthruService, transport);
  for (let index = 0; index < NODES; index++) {
    await nodes.createNode({ node: { name: `n-${index}`, driver: 'fake-hardware' } });
  }
  // Reservations are logged while a process reads the log.
  await postgres.query(`insert into node_log_readers values ('bench', 1e15)`, database);
  const costs: LoggedCost[] = [];
  for (const method of ['third_method_sync', 'second_method']) {
    const call = async (node: string) => {
      const { outcome } = await passthru.callNodeMethod({ node, method, arguments: { bar: 'kazoo' } });
      // Its node is free when it has ended.
      if (outcome.case === 'job') for await (const _ of passthru.watchJob({ jobId: outcome.value.id }));
    };
    const rounds: Record<'logged' | 'bare', { service: number; database: number }[]> = { logged: [], bare: [] };
    for (let round = 0; round <= ROUNDS; round++) {
      for (const kind of ['logged', 'bare'] as const) {
        await setTriggers(postgres, database, kind === 'logged');
        const before = { service: (await service.usage()).cpu, database: cpuOf(server) };
        await callAll(call);
        for (const log of ['job', 'node'] as const) {
          while ((await store.removeChanges(log, new Date(Date.now() + 60_000), 0, 1000)) === 1000);
        }
        const after = { service: (await service.usage()).cpu, database: cpuOf(server) };
        const each = (side: 'service' | 'database') => (after[side] - before[side]) / CALLS;
        if (round > 0) rounds[kind].push({ service: each('service'), database: each('database') });
      }
    }
    const middle = (kind: 'logged' | 'bare', side: 'service' | 'database') =>
      rounds[kind].map((round) => round[side]).sort((a, b) => a - b)[ROUNDS >> 1]!;
    const both = (side: 'service' | 'database') => ({ logged: middle('logged', side), bare: middle('bare', side) });
    costs.push({ call: method, service: both('service'), database: both('database') });
  }
  await store.close();
  await service.stop();
  return costs;
}

async function callAll(call: (node: string) => Promise<void>): Promise<void> {
  const own = NODES / CALLERS;
  await Promise.all(
    Array.from({ length: CALLERS }, async (_, caller) => {
      for (let done = 0; done < CALLS / CALLERS; done++) await call(`n-${caller * own + (done % own)}`);
    }),
  );
}

async function setTriggers(postgres: PostgresServer, database: string, on: boolean): Promise<void> {
  const word = on ? 'enable' : 'disable';
  for (const [table, trigger] of Object.entries(TRIGGERS)) {
    // One table at a time: a transaction of the service that waits for one of the two may hold the other.
    await postgres.query(`alter table ${table} ${word} trigger ${trigger}`, database);
  }
}

/** Returns the process id of the database server. */
async function parentOfBackends(postgres: PostgresServer, database: string): Promise<number> {
  const [backend] = await postgres.query<{ pid: number }>(
    `select pid from pg_stat_activity where datname = '${database}' and pid <> pg_backend_pid() limit 1`,
    database,
  );
  return statOf(backend!.pid).parent;
}

/** Returns the processor time of a server, its processes and those that have ended, in µs. */
function cpuOf(server: number): number {
  let ticks = statOf(server).ticks + statOf(server).endedTicks;
  for (const name of readdirSync('/proc')) {
    if (!/^\d+$/.test(name)) continue;
    try {
      const { parent, ticks: own } = statOf(Number(name));
      if (parent === server) ticks += own;
    } catch {
      // It has ended.
    }
  }
  // Linux counts 100 ticks a second.
  return ticks * 10_000;
}

function statOf(pid: number) {
  const text = readFileSync(`/proc/${pid}/stat`, 'utf8');
  // After the name in parentheses: state, parent, …
  const fields = text.slice(text.lastIndexOf(')') + 2).split(' ');
  return {
    parent: Number(fields[1]),
    ticks: Number(fields[11]) + Number(fields[12]),
    endedTicks: Number(fields[13]) + Number(fields[14]),
  };
}
