import { afterEach, expect, test } from 'vitest';
import { createRedfishClients, type RedfishClients } from '../../../src/redfish/index.ts';
import { followTask } from '../../../src/redfish/resources/task.ts';
import { PollPace } from '../../../src/redfish/wire/pollPace.ts';
import { type ScriptedBmc, type ScriptedResponse, startScriptedBmc } from '../scriptedBmc.ts';
import { forever, target } from '../target.ts';

const MONITOR = '/redfish/v1/TaskService/Monitors/1';
const POLLS = 20;
let clients: RedfishClients;
let bmc: ScriptedBmc;

afterEach(async () => {
  await clients.close();
  await bmc.close();
});

/** Starts a BMC that responds with `respond`, and a client that notes its pauses and takes no time for them. */
async function start(respond: (nth: number) => ScriptedResponse) {
  clients = createRedfishClients();
  let nth = 0;
  bmc = await startScriptedBmc(() => respond(++nth));
  const pauses: number[] = [];
  const pause = async (ms: number) => void pauses.push(ms);
  const account = { username: null, password: '', authType: 'auto' as const };
  const limits = { ...target('').limits, pause };
  return { client: clients.for(target(bmc.url, { account, limits }), { signal: forever }), pauses };
}

const times: [string, Record<string, string>][] = [
  ['0', { 'retry-after': '0' }],
  ['a negative number', { 'retry-after': '-30' }],
  ['a date that has passed', { 'retry-after': 'Wed, 21 Oct 2015 07:28:00 GMT' }],
  ['nothing that is a time', { 'retry-after': 'soon' }],
  ['a number without end', { 'retry-after': '9'.repeat(400) }],
];

test.each(times)('a task whose monitor names %s is polled soon, then less and less often', async (_, headers) => {
  const running = { status: 202, headers: { location: MONITOR, ...headers }, body: { TaskState: 'Running' } };
  const { client, pauses } = await start((nth) => (nth < POLLS ? running : { status: 204 }));
  const started = { status: 202, headers: { location: MONITOR, ...headers }, document: null };
  expect(await followTask(client, started)).toMatchObject({ status: 204 });
  expect(pauses).toHaveLength(POLLS);
  expect(pauses[0]).toBeGreaterThanOrEqual(100);
  expect(pauses[0]).toBeLessThanOrEqual(30_000);
  expect(pauses.at(-1)).toBeGreaterThanOrEqual(2000);
  expect(Math.max(...pauses)).toBeLessThanOrEqual(30_000);
});

test('a read that gets 503 with Retry-After: 0 is not repeated at once', async () => {
  const { client, pauses } = await start(() => ({ status: 503, headers: { 'retry-after': '0' } }));
  await expect(client.get('/a')).rejects.toMatchObject({ status: 503 });
  expect(pauses).toEqual([100, 150]);
});

test('a poll waits for the length of the last response, and the longest responses end the task as unknown', async () => {
  const text = 'x'.repeat(7 * 1024 * 1024);
  const { client, pauses } = await start(() => ({
    status: 202,
    headers: { location: MONITOR, 'retry-after': '0' },
    body: { TaskState: 'Running', Messages: [{ Message: text }] },
  }));
  const started = { status: 202, headers: { location: MONITOR, 'retry-after': '0' }, document: null };
  await expect(followTask(client, started)).rejects.toMatchObject({ kind: 'outcome-unknown' });
  expect(pauses[1]).toBeGreaterThan(7000);
  expect(bmc.requests.length).toBeLessThan(40);
});

test('the waits grow by half', () => {
  const pace = new PollPace();
  expect([1, 2, 3, 4].map(() => pace.next(0))).toEqual([100, 150, 225, 337.5]);
  expect(pace.next(5000)).toBe(5000);
});
