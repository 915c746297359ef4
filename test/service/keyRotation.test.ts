import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test, vi } from 'vitest';
import { newKeyLines } from '../../src/config/keyFile.ts';
import { passthru, type Served, serve } from '../cli/run.ts';
import { type PostgresServer, startPostgres } from '../store/postgres/embeddedPostgres.ts';

vi.setConfig({ testTimeout: 600_000, hookTimeout: 120_000 });

const IRONIC = { 'Content-Type': 'application/json', 'X-OpenStack-Ironic-API-Version': '1.82' };
const HOSTS = ['a', 'b', 'c'];

let server: PostgresServer;
let store: string;
let folder: string;
/** The replicas that a load balancer sends calls to. */
const replicas = new Map<string, Served>();
beforeAll(async () => {
  server = await startPostgres();
  store = server.url(await server.createDatabase());
  folder = mkdtempSync(join(tmpdir(), 'passthru-fleet-'));
});
afterAll(async () => {
  for (const { command } of replicas.values()) command.process.kill('SIGKILL');
  await Promise.all([...replicas.values()].map(({ command }) => command.ended));
  await server.remove();
  rmSync(folder, { recursive: true });
});

/** The settings of a replica with the keys of `text`, one file a version as in a rolling update; without it, of one with none. */
function settings(host: string, text: string | null): NodeJS.ProcessEnv {
  const common = { PASSTHRU_STORE: store, PASSTHRU_NODE_LOCK_LEASE: '5s', PASSTHRU_LOG_LEVEL: 'warn' };
  if (text === null) return { ...common, PASSTHRU_HOST: host, PASSTHRU_SECRETS_PLAIN: 'true' };
  const file = join(folder, 'secrets.key');
  writeFileSync(file, text, { mode: 0o600 });
  return { ...common, PASSTHRU_HOST: host, PASSTHRU_SECRETS_KEY_FILE: file };
}

/** The number of calls under way by the URL of their replica. */
const underWay = new Map<string, number>();

/** Replaces each replica by one with these keys: the new one is there before the old one, which gets no more calls, stops. */
async function roll(text: string): Promise<void> {
  for (const host of HOSTS) {
    const old = replicas.get(host)!;
    replicas.set(host, await serve([], settings(host, text)));
    await vi.waitUntil(() => underWay.get(old.url) === 0, { timeout: 60_000, interval: 10 });
    expect(await old.stop()).toMatchObject({ status: 0 });
  }
}

/** Calls all replicas in turn until it is stopped; returns the numbers of calls and what failed. */
function callers() {
  const failed: string[] = [];
  let calls = 0;
  let running = true;
  const call = async (method: string, path: string, status: number, body?: object) => {
    const host = HOSTS[calls++ % HOSTS.length]!;
    const replica = replicas.get(host)!.url;
    underWay.set(replica, (underWay.get(replica) ?? 0) + 1);
    const response = await fetch(replica + path, { method, headers: IRONIC, body: body && JSON.stringify(body) });
    const text = await response.text();
    if (response.status !== status) failed.push(`${host} ${method} ${path}: ${response.status} ${text}`);
    underWay.set(replica, underWay.get(replica)! - 1);
    return text;
  };
  const loop = async (caller: number) => {
    for (let round = 0; running; round++) {
      const name = `n-${caller}-${round}`;
      const driver_info = { password: `of ${name}` };
      await call('POST', '/v1/nodes', 201, { name, driver: 'fake-hardware', driver_info });
      const change = { op: 'add', path: '/driver_info/token', value: `token of ${name}` };
      await call('PATCH', `/v1/nodes/${name}`, 200, [change] as object);
      const shown = await call('GET', `/v1/nodes/${name}`, 200);
      if (JSON.parse(shown).last_error !== null) failed.push(shown);
      await call('POST', `/v1/nodes/${name}/vendor_passthru?method=third_method_sync`, 200, { bar: 'x' });
      const list = JSON.parse(await call('GET', '/v1/nodes/detail?limit=1000', 200));
      for (const node of list.nodes) if (node.last_error !== null) failed.push(JSON.stringify(node));
      await call('GET', '/healthz', 200);
      if (round >= 10) await call('DELETE', `/v1/nodes/n-${caller}-${round - 10}`, 204);
    }
  };
  const ended = Promise.all(
    [0, 1].map((caller) => loop(caller).catch((error) => failed.push(String(error.cause ?? error)))),
  );
  return {
    async stop() {
      running = false;
      await ended;
      return { calls, failed };
    },
  };
}

/** Returns the ids of the keys in use, and '' for plain text. */
async function keysInUse(): Promise<string[]> {
  const database = new URL(store).pathname.slice(1);
  const rows = await server.query<{ key: string }>(
    `select distinct case when driver_info like '{%' then '' else substr(driver_info, 1, 16) end as key
     from nodes where driver_info <> '{}'`,
    database,
  );
  return rows.map(({ key }) => key).sort();
}

const id = (lines: string) => lines.slice(2, 18);

test('three replicas get their first key, then another one, while no call fails and no secret is lost', async () => {
  const [first, second] = [newKeyLines(), newKeyLines()];
  await Promise.all(HOSTS.map(async (host) => replicas.set(host, await serve([], settings(host, null)))));
  const calls = callers();

  // As docs/security.md, "The first key on PostgreSQL".
  await roll(first);
  await vi.waitFor(async () => expect(await keysInUse()).toEqual([id(first)]), { timeout: 60_000, interval: 200 });

  // As "Another key", trying the rotation while replicas lack it.
  const rotate = () => passthru(['rotate-key'], settings('command', second + first));
  const early = await rotate();
  expect(early).toMatchObject({
    status: 1,
    stderr: expect.stringContaining(`do not have the key ${id(second)}: a, b, c`),
  });
  await roll(second + first);
  await vi.waitFor(async () => expect(await keysInUse()).toContain(id(second)), { timeout: 60_000, interval: 200 });
  expect(await rotate()).toMatchObject({ status: 0, stdout: expect.stringContaining(`with key ${id(second)}`) });
  expect(await keysInUse()).toEqual([id(second)]);
  await roll(second);

  const { calls: made, failed } = await calls.stop();
  expect(failed).toEqual([]);
  expect(made).toBeGreaterThan(100);
  expect(readFileSync(join(folder, 'secrets.key'), 'utf8')).toBe(second);
});
