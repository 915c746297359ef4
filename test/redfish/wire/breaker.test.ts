import { afterEach, expect, test } from 'vitest';
import { createRedfishClients, type RedfishClient, type RedfishClients } from '../../../src/redfish/index.ts';
import { type SimulatedBmc, startFleet } from '../../../src/sim/index.ts';
import { failure, forever, target } from '../target.ts';

const ROOT = '/redfish/v1/';
const options = { signal: forever };
/** The number of failed tries after which a BMC counts as down. */
const TRIES = 5;
const RETRY_MS = 15_000;
let clients: RedfishClients = createRedfishClients();
const closing: { close(): Promise<void> }[] = [];

/** How far the clock of the clients is ahead, in ms. */
let ahead = 0;

afterEach(async () => {
  ahead = 0;
  await clients.close();
  await Promise.all(closing.splice(0).map((one) => one.close()));
});

async function start(count = 1) {
  clients = createRedfishClients({ now: () => performance.now() + ahead });
  const fleet = await startFleet({ count, auth: 'none' });
  closing.push(fleet);
  return fleet.bmcs;
}

function clientOf(bmc: SimulatedBmc, change: { timeoutMs?: number; connectionAttempts?: number } = {}): RedfishClient {
  const limits = { timeoutMs: 100, connectionAttempts: 1, connectionRetryIntervalMs: 5, patienceMs: 0, ...change };
  return clients.for(target(bmc.url, { account: { username: null, password: '', authType: 'auto' }, limits }), options);
}

/** Starts a BMC that has hung often enough to count as down. */
async function startDown() {
  const [bmc, other] = await start(2);
  const hang = bmc!.faults.add({ kind: 'hang' });
  for (let i = 0; i < TRIES; i++) expect((await failure(clientOf(bmc!).get(ROOT))).kind).toBe('timeout');
  return { bmc: bmc!, other: other!, hang };
}

test('after five requests without a response nothing is sent, and the error names the first failure and the next try', async () => {
  const before = new Date();
  const { bmc } = await startDown();
  const error = await failure(clientOf(bmc).post(ROOT, null));
  expect(error.kind).toBe('unreachable');
  expect(error.message).toMatch(/nothing was sent; next try in 15 s$/);
  const [since] = /\d{4}-[\dT:.-]+Z/.exec(error.message)!;
  expect(Date.parse(since!)).toBeGreaterThanOrEqual(before.getTime());
  expect(Date.parse(since!)).toBeLessThanOrEqual(Date.now());
  expect(bmc.requestCount).toBe(TRIES);
});

test('a BMC that is down does not affect another', async () => {
  const { other } = await startDown();
  await clientOf(other).get(ROOT);
  expect(other.requestCount).toBe(1);
});

test('any number of 4xx and 5xx responses does not make a BMC count as down', async () => {
  const [bmc] = await start();
  for (const status of [400, 401, 404, 500, 503]) bmc!.faults.add({ kind: 'status', status, times: TRIES });
  for (let i = 0; i < 5 * TRIES; i++) await failure(clientOf(bmc!).get(ROOT));
  await clientOf(bmc!).get(ROOT);
  expect(bmc!.requestCount).toBe(5 * TRIES + 1);
});

test('a response in between restarts the count', async () => {
  const [bmc] = await start();
  for (let round = 0; round < 3; round++) {
    bmc!.faults.add({ kind: 'hang', times: TRIES - 1 });
    for (let i = 0; i < TRIES - 1; i++) await failure(clientOf(bmc!, { timeoutMs: 30 }).get(ROOT));
    await clientOf(bmc!, { timeoutMs: 5000 }).get(ROOT);
  }
  expect(bmc!.requestCount).toBe(3 * TRIES);
});

test('after 15 s one request probes while others fail at once; its success ends the state', async () => {
  const { bmc, hang } = await startDown();
  bmc.faults.remove(hang);
  ahead = RETRY_MS;
  bmc.setLatency(50);
  const client = clientOf(bmc, { timeoutMs: 5000 });
  const probe = client.get(ROOT);
  await bmc.nextRequest();
  expect((await failure(client.get(ROOT))).message).toContain('one request is probing it now');
  await probe;
  await Promise.all(Array.from({ length: 8 }, () => client.get(ROOT)));
});

test('a failed probe is the only try, and the wait restarts', async () => {
  const { bmc } = await startDown();
  await Promise.all(closing.splice(0).map((one) => one.close()));
  ahead = RETRY_MS;
  const client = clientOf(bmc, { connectionAttempts: 100 });
  expect((await failure(client.get(ROOT))).message).toContain('ECONNREFUSED');
  expect((await failure(client.get(ROOT))).message).toContain(`${TRIES + 1} tries`);
});

test('a caller that aborts its probe leaves the probe to the next', async () => {
  const { bmc, hang } = await startDown();
  ahead = RETRY_MS;
  const leaving = new AbortController();
  const probe = clientOf(bmc, { timeoutMs: 5000 }).with({ signal: leaving.signal }).get(ROOT);
  await bmc.nextRequest();
  leaving.abort(new Error('left'));
  await expect(probe).rejects.toThrow('left');
  bmc.faults.remove(hang);
  await clientOf(bmc, { timeoutMs: 5000 }).get(ROOT);
});

test('a request in progress makes all its tries although the BMC counts as down meanwhile', async () => {
  const [bmc] = await start();
  await Promise.all(closing.splice(0).map((one) => one.close()));
  let tries = 0;
  clients = createRedfishClients({ observe: () => tries++ });
  await failure(clientOf(bmc!, { connectionAttempts: 2 * TRIES }).get(ROOT));
  expect(tries).toBe(2 * TRIES);
  expect((await failure(clientOf(bmc!).get(ROOT))).message).toContain('nothing was sent');
  expect(tries).toBe(2 * TRIES);
});

test('requests that wait for their turn at a BMC fail as soon as it counts as down', async () => {
  const [bmc] = await start();
  bmc!.faults.add({ kind: 'hang' });
  for (let i = 1; i < TRIES; i++) await failure(clientOf(bmc!).get(ROOT));
  const leaving = new AbortController();
  const patient = (signal: AbortSignal) => clientOf(bmc!, { timeoutMs: 60_000 }).with({ signal }).get(ROOT);
  const held = [1, 2, 3].map(() => patient(leaving.signal).catch(() => {}));
  const last = failure(clientOf(bmc!).get(ROOT));
  const waiting = Array.from({ length: 10 }, () => failure(patient(forever)));
  expect((await last).kind).toBe('timeout');
  for (const error of await Promise.all(waiting)) expect(error.message).toContain('nothing was sent');
  leaving.abort(new Error('left'));
  await Promise.all(held);
  expect(bmc!.requestCount).toBe(TRIES + held.length);
});
