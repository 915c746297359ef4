import { describe, expect, test } from 'vitest';
import type { JsonObject } from '../../../src/core/json.ts';
import { createSubscription } from '../../../src/redfish/index.ts';
import type { ScriptedResponse } from '../scriptedBmc.ts';
import { type Handle, link, machine, mediaUnder, ROOT, refusal, SYSTEM, startMachine } from './machine.ts';

const MONITOR = `${ROOT}/TaskService/TaskMonitors/JID_7`;
const TASK = `${ROOT}/TaskService/Tasks/JID_7`;
const MEDIA = `${SYSTEM}/VirtualMedia`;
const CD = `${MEDIA}/CD1`;

/** A machine whose eject is a task; `poll` responds to the polls by their number, and `task` is the record. */
async function start(
  poll: (nth: number, empty: () => void) => ScriptedResponse,
  task: (nth: number, empty: () => void) => JsonObject | null = () => null,
  body?: JsonObject,
) {
  let polls = 0;
  let looks = 0;
  const handle: Handle = ({ method, path }, tree) => {
    const empty = () => {
      tree[CD] = { ...tree[CD]!, Inserted: false, Image: null };
    };
    if (method === 'POST') return { status: 202, headers: { location: MONITOR, 'retry-after': '0' }, body };
    if (path === MONITOR) return poll(++polls, empty);
    if (path !== TASK) return undefined;
    const record = task(++looks, empty);
    return record === null ? { status: 404 } : { status: 200, body: record };
  };
  const tree = machine({ ...mediaUnder(SYSTEM, 'CD1'), [SYSTEM]: { VirtualMedia: link(MEDIA) } });
  const { eject, bmc, client } = await startMachine(tree, handle);
  return { eject, bmc, client, polls: () => polls, looks: () => looks };
}

const NAMED = { ...link(TASK), Id: 'JID_7', TaskState: 'New' };
const running = { status: 202, headers: { location: MONITOR, 'retry-after': '0' } };

const aboutPoll: [string, ScriptedResponse][] = [
  ['429 without words', { status: 429 }],
  ['429 in plain text', { status: 429, body: 'too many requests' }],
  ['408', { status: 408 }],
  ['400 SYS518', refusal(400, { MessageId: 'IDRAC.2.8.SYS518', Message: 'Not ready.' })],
  ['400 SWC0700', refusal(400, { MessageId: 'IDRAC.2.8.SWC0700', Message: 'iDRAC is not ready.' })],
  ['409 InvalidOperationForSystemState', refusal(409, { MessageId: 'iLO.2.14.InvalidOperationForSystemState' })],
  ['503 ServiceTemporarilyUnavailable', refusal(503, { MessageId: 'Base.1.8.ServiceTemporarilyUnavailable' })],
];

describe.each(aboutPoll)('a poll that gets %s', (_, refused) => {
  test('is repeated, and the operation succeeds', async () => {
    const { eject, bmc } = await start((nth, empty) => {
      if (nth === 1) return refused;
      if (nth < 4) return running;
      empty();
      return { status: 204 };
    });
    expect(await eject()).toMatchObject([{ outcome: 'ejected' }]);
    expect(bmc.requests.filter(({ method }) => method === 'POST')).toHaveLength(1);
  });

  test('for ever gives way to the task, whose failure is told', async () => {
    const failed = { TaskState: 'Exception', TaskStatus: 'Critical', Messages: [{ Message: 'The tray is locked.' }] };
    const { eject, polls } = await start(
      () => refused,
      () => failed,
    );
    await expect(eject()).rejects.toMatchObject({ kind: 'failed', message: expect.stringContaining('tray is locked') });
    expect(polls()).toBeLessThan(100);
  });

  test('for ever gives way to the task, which is followed to its success', async () => {
    const { eject } = await start(
      () => refused,
      (nth, empty) => {
        if (nth < 3) return { TaskState: 'Running' };
        empty();
        return { TaskState: 'Completed' };
      },
    );
    expect(await eject()).toMatchObject([{ outcome: 'ejected' }]);
  });

  test('for ever without a task leaves the outcome unknown', async () => {
    const { eject } = await start(() => refused);
    await expect(eject()).rejects.toMatchObject({ kind: 'outcome-unknown' });
  });
});

const fails = (status: number): ScriptedResponse => ({ status, body: '<html>Internal error</html>' });

describe.each([500, 501])('a monitor that returns %i, where the 202 named a Task,', (status) => {
  test('is not the end while that runs', async () => {
    const { eject, polls } = await start(
      (nth) => (nth === 1 ? fails(status) : running),
      (nth, empty) => {
        if (nth < 3) return { TaskState: 'Running' };
        empty();
        return { TaskState: 'Completed' };
      },
      NAMED,
    );
    expect(await eject()).toMatchObject([{ outcome: 'ejected' }]);
    expect(polls()).toBe(1);
  });

  test('is a failure with the messages of that when it has failed', async () => {
    const { eject } = await start(
      () => fails(status),
      () => ({ TaskState: 'Exception', Messages: [{ Message: 'The tray is locked.' }] }),
      NAMED,
    );
    await expect(eject()).rejects.toMatchObject({ kind: 'failed', message: expect.stringContaining('tray is locked') });
  });

  test('is the end when that cannot be read', async () => {
    const { eject, looks } = await start(() => fails(status), undefined, NAMED);
    await expect(eject()).rejects.toMatchObject({ kind: status === 500 ? 'failed' : 'unsupported' });
    expect(looks()).toBeLessThan(3);
  });
});

test('a monitor that returns 500 is the end of an operation without a Task, and is polled once', async () => {
  const { eject, polls } = await start(() => fails(500));
  await expect(eject()).rejects.toMatchObject({ kind: 'failed', message: expect.stringContaining('Internal error') });
  expect(polls()).toBe(1);
});

test('a Task that is its own monitor is polled again after a 500', async () => {
  const { eject, polls } = await start(
    (nth, empty) => {
      if (nth === 1) return fails(500);
      if (nth === 2) return { status: 200, body: { TaskState: 'Running' } };
      empty();
      return { status: 200, body: { TaskState: 'Completed' } };
    },
    undefined,
    { ...link(MONITOR), Id: 'JID_7', TaskState: 'New' },
  );
  expect(await eject()).toMatchObject([{ outcome: 'ejected' }]);
  expect(polls()).toBe(3);
});

test('a refusal by the monitor that is not about the poll is that of the operation', async () => {
  const refused = refusal(400, { MessageId: 'Base.1.8.PropertyValueNotInList', Message: 'No such protocol.' });
  const { client, polls } = await start(() => refused);
  const given = { Destination: 'https://192.0.2.9/', Protocol: 'Redfish', Context: 'c', EventTypes: ['Alert'] };
  await expect(createSubscription(client, given)).rejects.toMatchObject({ kind: 'refused', status: 400 });
  expect(polls()).toBe(1);
});
