import { describe, expect, test } from 'vitest';
import type { JsonObject } from '../../../src/core/json.ts';
import { createSubscription, deleteSubscription } from '../../../src/redfish/index.ts';
import {
  type Handle,
  link,
  MANAGER,
  machine,
  mediaUnder,
  ROOT,
  SUBSCRIPTIONS,
  SYSTEM,
  startMachine,
} from './machine.ts';

const MONITOR = `${ROOT}/TaskService/TaskMonitors/JID_7`;
const accepted = (body?: JsonObject, location = MONITOR) => ({
  status: 202,
  headers: { location, 'retry-after': '0' },
  body,
});
const MEDIA = `${SYSTEM}/VirtualMedia`;
const CD = `${MEDIA}/CD1`;
const withMedia = () =>
  machine({
    ...mediaUnder(SYSTEM, 'CD1'),
    [SYSTEM]: { VirtualMedia: link(MEDIA), Links: { ManagedBy: [link(MANAGER)] } },
  });

/** Where BMCs keep the record of a task whose monitor is gone. */
const PLACES: [string, string, JsonObject | undefined][] = [
  ['the Task of its id', `${ROOT}/TaskService/Tasks/JID_7`, undefined],
  ['the Task that the 202 names', `${ROOT}/Oem/Tasks/x`, { ...link(`${ROOT}/Oem/Tasks/x`), Id: 'x', TaskState: 'New' }],
  ['the Task of the id in the 202', `${ROOT}/TaskService/Tasks/9`, { Id: '9', TaskState: 'New' }],
  ['the JobService', `${ROOT}/JobService/Jobs/JID_7`, undefined],
  ['the manager’s queue', `${MANAGER}/Jobs/JID_7`, undefined],
  ['the manager’s queue of Dell', `${MANAGER}/Oem/Dell/Jobs/JID_7`, undefined],
];

describe.each(PLACES)('a monitor that is gone, with %s,', (_, place, body) => {
  test.each<[string, JsonObject]>([
    ['TaskState Exception', { TaskState: 'Exception', Messages: [{ Message: 'No unmount.' }] }],
    ['TaskStatus Critical', { TaskState: 'Completed', TaskStatus: 'Critical', Messages: [{ Message: 'No unmount.' }] }],
    ['JobState Failed', { JobState: 'Failed', Message: 'No unmount.', MessageId: 'PR21' }],
    ['JobState CompletedWithErrors', { JobState: 'CompletedWithErrors', Message: 'No unmount.' }],
    ['JobStatus Critical', { JobState: 'Completed', JobStatus: 'Critical', Message: 'No unmount.' }],
  ])('fails as that did (%s), after it has ended', async (_name, end) => {
    let reads = 0;
    const running = { ...end, TaskState: 'Running', Messages: [], Message: null };
    const { eject } = await startMachine(withMedia(), ({ method, path }) => {
      if (method === 'POST') return accepted(body);
      if (path === place) return { status: 200, body: ++reads === 1 ? running : end };
      return path === MONITOR ? { status: 404 } : undefined;
    });
    await expect(eject()).rejects.toMatchObject({ kind: 'failed', message: expect.stringContaining('No unmount.') });
    expect(reads).toBe(2);
  });

  test('leaves the outcome to the device when that has completed', async () => {
    const handle =
      (empties: boolean): Handle =>
      ({ method, path }, tree) => {
        if (method === 'POST') return accepted(body);
        if (path === MONITOR && empties) tree[CD] = { ...tree[CD]!, Inserted: false, Image: null };
        if (path === place) return { status: 200, body: { TaskState: 'Completed', TaskStatus: 'OK' } };
        return path === MONITOR ? { status: 404 } : undefined;
      };
    const done = await startMachine(withMedia(), handle(true));
    expect(await done.eject()).toMatchObject([{ outcome: 'ejected' }]);
    const not = await startMachine(withMedia(), handle(false));
    await expect(not.eject()).rejects.toMatchObject({ kind: 'outcome-unknown' });
  });
});

test.each([
  ['JobService', 'JobService', 'Jobs', `${ROOT}/JobService/AllJobs`],
  ['TaskService', 'Tasks', 'Tasks', `${ROOT}/TaskService/AllTasks/`],
  ['JobService at another place', 'JobService', 'Jobs', `${ROOT}/Oem/Queue`],
])('a record in the collection that %s links to is found', async (name, rootLink, property, collection) => {
  const service = name.includes(' ') ? `${ROOT}/Oem/Service` : `${ROOT}/${name}`;
  const tree = withMedia();
  tree[ROOT] = { ...tree[ROOT], [rootLink]: link(service) };
  tree[service] = { [property]: link(collection) };
  tree[`${collection.replace(/\/$/, '')}/JID_7`] = { JobState: 'Failed', Message: 'No unmount.' };
  const { eject, bmc } = await startMachine(tree, ({ method, path }) => {
    if (method === 'POST') return accepted();
    return path === MONITOR ? { status: 404 } : undefined;
  });
  await expect(eject()).rejects.toMatchObject({ kind: 'failed', message: expect.stringContaining('No unmount.') });
  expect(bmc.lines().filter((line) => line === `GET ${service}`)).toHaveLength(1);
});

test('a monitor that is gone, without any record, leaves the outcome to what is there', async () => {
  const gone: Handle = ({ method, path }) => {
    if (method === 'POST' || method === 'DELETE') return accepted();
    return path === MONITOR ? { status: 404 } : undefined;
  };
  const tree = withMedia();
  tree[SUBSCRIPTIONS] = { Members: [link(`${SUBSCRIPTIONS}/1`)] };
  tree[`${SUBSCRIPTIONS}/1`] = { Id: '1', Destination: 'https://events.example/in', Context: '' };
  const { eject, client } = await startMachine(tree, gone);
  await expect(eject()).rejects.toMatchObject({ kind: 'outcome-unknown' });
  expect(await createSubscription(client, { Destination: 'https://events.example/in' })).toMatchObject({ Id: '1' });
});

test.each([
  ['404 to everything', { status: 404 }],
  ['503 to everything', { status: 503 }],
  ['broken connections', null],
] as const)(
  'a BMC that restarts during a task (%s) is waited for, and its record then tells the end',
  async (_, down) => {
    let failing = 0;
    const { eject } = await startMachine(withMedia(), ({ method, path, socket }) => {
      if (method === 'POST') {
        failing = 4;
        return accepted();
      }
      if (failing > 0) {
        failing--;
        if (down === null) socket.destroy();
        return down;
      }
      if (path === MONITOR) return { status: 404 };
      const body = { TaskState: 'Exception', Messages: [{ Message: 'Lost by the restart.' }] };
      return path === `${ROOT}/TaskService/Tasks/JID_7` ? { status: 200, body } : undefined;
    });
    await expect(eject()).rejects.toMatchObject({ kind: 'failed', message: expect.stringContaining('Lost by') });
  },
);

test.each([400, 409, 500, 501])(
  'a monitor that returns %i with a refusal is the end of the operation',
  async (status) => {
    const tree = machine({
      [SUBSCRIPTIONS]: { Members: [link(`${SUBSCRIPTIONS}/1`)] },
      [`${SUBSCRIPTIONS}/1`]: { Id: '1' },
    });
    let polls = 0;
    const { client } = await startMachine(tree, ({ method, path }) => {
      if (method === 'DELETE') return accepted();
      if (path !== MONITOR) return undefined;
      return ++polls === 1 ? { status, body: { error: { message: 'It is in use.' } } } : { status: 404 };
    });
    await expect(deleteSubscription(client, '1')).rejects.toMatchObject({
      status,
      message: expect.stringContaining('in use'),
    });
  },
);
