import { afterEach, expect, test, vi } from 'vitest';
import { pause } from '../../../src/core/waiting.ts';
import {
  createRedfishClients,
  deleteSubscription,
  ejectMedia,
  type RedfishClients,
} from '../../../src/redfish/index.ts';
import { followTask } from '../../../src/redfish/resources/task.ts';
import { type Script, type ScriptedRequest, startScriptedBmc } from '../scriptedBmc.ts';
import { forever, target } from '../target.ts';

vi.mock('../../../src/core/waiting.ts', { spy: true });

const SYSTEM = '/redfish/v1/Systems/1';
const MEDIA = `${SYSTEM}/VirtualMedia`;
const MONITOR = '/redfish/v1/TaskService/Monitors/1';
/** Polled again at once. */
const soon = { location: MONITOR, 'retry-after': '0' };
let clients: RedfishClients = createRedfishClients();
const closing: { close(): Promise<void> }[] = [];

afterEach(async () => {
  await clients.close();
  await Promise.all(closing.splice(0).map((one) => one.close()));
});

/** Starts a BMC with one image, whose eject is a task; `monitor` responds to its polls by their number. */
async function startTask(
  monitor: (times: number, request: ScriptedRequest) => ReturnType<Script>,
  accepted: ReturnType<Script> = { status: 202, headers: soon },
  timeoutMs = 5000,
) {
  clients = createRedfishClients();
  let inserted = true;
  let polls = 0;
  const bmc = await startScriptedBmc((request) => {
    const { method, path } = request;
    if (method === 'POST' || method === 'DELETE') return accepted;
    if (path === MONITOR) return monitor(++polls, request);
    if (path === SYSTEM) return { status: 200, body: { VirtualMedia: { '@odata.id': MEDIA } } };
    if (path === MEDIA) return { status: 200, body: { Members: [{ '@odata.id': `${MEDIA}/CD` }] } };
    if (path === '/redfish/v1/EventService') {
      return { status: 200, body: { Subscriptions: { '@odata.id': '/redfish/v1/EventService/Subscriptions' } } };
    }
    if (path !== `${MEDIA}/CD`) {
      return { status: 200, body: { EventService: { '@odata.id': '/redfish/v1/EventService' }, Members: [] } };
    }
    const actions = { '#VirtualMedia.EjectMedia': { target: `${MEDIA}/CD/Actions/VirtualMedia.EjectMedia` } };
    return { status: 200, body: { Id: 'CD', MediaTypes: ['CD'], Inserted: inserted, Actions: actions } };
  });
  closing.push(bmc);
  const account = { username: null, password: '', authType: 'auto' as const };
  const limits = { timeoutMs, connectionAttempts: 1, connectionRetryIntervalMs: 5 };
  const client = clients.for(target(bmc.url, { account, limits }), { signal: forever });
  const progress: (readonly [number | null, string])[] = [];
  return {
    client,
    bmc,
    progress,
    polls: () => polls,
    /** Empties the device. */
    done() {
      inserted = false;
    },
    eject: (confirmMs = 1000) =>
      ejectMedia(client, SYSTEM, {
        mediaTypes: null,
        confirmMs,
        progress: (fraction, message) => progress.push([fraction, message]),
      }),
  };
}

test('the progress and messages of a task are reported while it runs', async () => {
  const task = await startTask((times) => {
    if (times === 1) return { status: 202, headers: soon, body: { TaskState: 'Running', PercentComplete: 40 } };
    if (times === 2) {
      const body = { TaskState: 'Running', PercentComplete: 80, Messages: [{ Message: 'Unmounting the image.' }] };
      return { status: 202, headers: soon, body };
    }
    task.done();
    return { status: 200, body: {} };
  });
  expect(await task.eject()).toMatchObject([{ outcome: 'ejected' }]);
  expect(task.progress.map(([, message]) => message)).toEqual(
    expect.arrayContaining(['Ejecting CD: Running', 'Ejecting CD: Unmounting the image.']),
  );
});

test('Retry-After determines when the monitor is polled again', async () => {
  const pauses = vi.mocked(pause).mockClear().mockResolvedValueOnce().mockResolvedValueOnce();
  const task = await startTask((count) => {
    if (count === 1) return { status: 202, headers: { ...soon, 'retry-after': '2' } };
    task.done();
    return { status: 204 };
  });
  await task.eject();
  expect(pauses.mock.calls.map(([ms]) => ms)).toEqual([100, 2000]);
  expect(task.polls()).toBe(2);
});

test('after a monitor that is gone once the task is done, and a 202 without Location, the device is checked', async () => {
  const gone = await startTask(() => {
    gone.done();
    return { status: 404 };
  });
  expect(await gone.eject()).toMatchObject([{ outcome: 'ejected' }]);

  const without = await startTask(() => null, { status: 202 });
  await expect(without.eject(100)).rejects.toMatchObject({
    kind: 'outcome-unknown',
    message: expect.stringContaining('accepted the eject'),
  });
});

test('a monitor that fails a few times is polled again', async () => {
  const monitor = (times: number) => {
    if (times < 3) return { status: 503 };
    if (times === 3) return null;
    task.done();
    return { status: 204 };
  };
  const task = await startTask(monitor, undefined, 1000);
  expect(await task.eject()).toMatchObject([{ outcome: 'ejected' }]);
  expect(task.polls()).toBe(4);
});

test('a monitor that never responds leaves the outcome unknown, and the error reports the state of the device', async () => {
  const task = await startTask(() => ({ status: 503 }));
  await expect(task.eject()).rejects.toMatchObject({
    kind: 'outcome-unknown',
    message: expect.stringMatching(/task cannot be followed.*CD still contains an image/),
  });
});

test('a refusal from the monitor is the end of the task', async () => {
  const body = { error: { '@Message.ExtendedInfo': [{ MessageId: 'Base.1.8.ActionNotSupported', Message: 'No.' }] } };
  const task = await startTask(() => ({ status: 400, body }));
  await expect(task.eject()).rejects.toMatchObject({ kind: 'refused', status: 400 });
  expect(task.polls()).toBe(1);
});

test('a task that is its own monitor is followed by its state (iDRAC 9)', async () => {
  const task = await startTask((times) => {
    if (times < 3) return { status: 200, headers: { 'retry-after': '0' }, body: { TaskState: 'Running' } };
    task.done();
    return { status: 200, body: { TaskState: 'Completed', TaskStatus: 'OK' } };
  });
  await task.eject();
  expect(task.polls()).toBe(3);
});

test('a delete that runs as a task fails when the task fails', async () => {
  const task = await startTask(() => ({
    status: 200,
    body: { TaskState: 'Exception', Messages: [{ Message: 'Held.' }] },
  }));
  await expect(deleteSubscription(task.client, '1')).rejects.toMatchObject({
    kind: 'failed',
    message: expect.stringContaining('Held.'),
  });
});

test('secrets of a request are redacted in the progress and errors of its task', async () => {
  const Messages = [{ Message: "The value 'Bearer s3cr3t' is bad.", MessageArgs: ['HttpHeaders', 'Bearer s3cr3t'] }];
  const task = await startTask((times) =>
    times === 1
      ? { status: 202, headers: soon, body: { TaskState: 'Running', Messages } }
      : { status: 200, body: { TaskState: 'Exception', Messages } },
  );
  const reported: string[] = [];
  const started = { status: 202, headers: soon, document: null };
  const client = task.client.with({ secrets: ['Bearer s3cr3t'] });
  const error = await followTask(client, started, (_, message) => reported.push(message)).catch(
    (thrown: unknown) => thrown,
  );
  expect(reported).toEqual(["The value '******' is bad."]);
  expect(error).toMatchObject({
    kind: 'failed',
    message: expect.stringContaining("The value '******' is bad."),
    extendedInfo: [{ MessageArgs: ['HttpHeaders', '******'] }],
  });
});

test('a task’s messages show neither the password nor the session’s token', async () => {
  clients = createRedfishClients();
  const Messages = [{ Message: "Account 'u' with 'pass-word' and token token-1 failed.", MessageArgs: ['token-1'] }];
  const bmc = await startScriptedBmc(({ method, path }) => {
    if (path === '/redfish/v1/') return { status: 200, body: {} };
    if (method === 'POST') return { status: 201, headers: { 'X-Auth-Token': 'token-1' } };
    return { status: 200, body: { TaskState: 'Exception', Messages } };
  });
  closing.push(bmc);
  const client = clients.for(target(bmc.url, { account: { username: 'u', password: 'pass-word', authType: 'auto' } }), {
    signal: forever,
  });
  const started = { status: 202, headers: soon, document: { TaskState: 'Running', Messages } };
  const reported: string[] = [];
  await client.logIn();
  const followed = followTask(client, started, (_, message) => reported.push(message));
  await expect(followed).rejects.toMatchObject({
    kind: 'failed',
    message: expect.stringContaining("with '******' and token ****** failed"),
    extendedInfo: [{ MessageArgs: ['******'] }],
  });
  expect(reported).toEqual(["Account 'u' with '******' and token ****** failed."]);
});

test('an interrupted task is still followed, as it may restart', async () => {
  const task = await startTask((times) => {
    if (times < 3) return { status: 200, headers: { 'retry-after': '0' }, body: { TaskState: 'Interrupted' } };
    task.done();
    return { status: 200, body: { TaskState: 'Completed', TaskStatus: 'OK' } };
  });
  expect(await task.eject()).toMatchObject([{ outcome: 'ejected' }]);
  expect(task.polls()).toBe(3);
});
