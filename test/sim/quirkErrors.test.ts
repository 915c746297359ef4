import { expect, test } from 'vitest';
import { CD, call, SYSTEM } from './client.ts';
import { bmcWith } from './quirkedBmc.ts';

const NOWHERE = '/redfish/v1/Nowhere';
const TEXT = `The resource at the URI ${NOWHERE} was not found.`;

test.each([
  ['errors-odata', 'application/json', { error: { code: '404', message: { lang: 'en', value: TEXT } } }],
  ['errors-text', 'application/json', { error: TEXT }],
  ['errors-cc', 'application/json', { cc: 9, error: TEXT }],
  ['errors-message', 'application/json', { message: TEXT }],
  ['errors-string', 'application/json', TEXT],
  ['errors-problem', 'application/problem+json', expect.objectContaining({ detail: TEXT, status: 404 })],
  ['errors-plain', 'text/plain', undefined],
  ['errors-html-text', 'text/html', undefined],
  ['errors-list', 'application/json', [expect.objectContaining({ Message: TEXT })]],
  ['errors-as-html', 'text/html', expect.objectContaining({ error: expect.anything() })],
])('%s: a 404 has its text in this form; a 200 is as ever', async (name, type, json) => {
  await using one = await bmcWith([name]);
  const refused = await call(one.bmc, 'GET', NOWHERE);
  expect([refused.status, refused.headers.get('Content-Type')]).toEqual([404, type]);
  expect(refused.json).toEqual(json);
  expect(refused.text).toContain(TEXT);
  expect((await call(one.bmc, 'GET', SYSTEM)).json.Id).toBe('437XR1138R2');
});

const EJECT = `${CD}/Actions/VirtualMedia.EjectMedia`;
const TASKS = '/redfish/v1/TaskService/Tasks';

/** Ejects, and polls the monitor until it says no more; returns the statuses of the monitor. */
async function runTask(bmc: Parameters<typeof call>[0]) {
  const accepted = await call(bmc, 'POST', EJECT);
  const monitor = accepted.headers.get('Location')!;
  const statuses: number[] = [];
  do statuses.push((await call(bmc, 'GET', monitor)).status);
  while (statuses.at(-1) === 202);
  return { id: monitor.slice(monitor.lastIndexOf('/') + 1), statuses };
}

test.each([
  ['task', TASKS, 'TaskState', 'Completed', 'Exception'],
  ['dell-job', '/redfish/v1/Managers/BMC/Oem/Dell/Jobs', 'JobState', 'Completed', 'Failed'],
  ['job-service', '/redfish/v1/JobService/Jobs', 'JobState', 'Completed', 'Exception'],
])(
  'tasks-gone-%s, -fail: the monitor is gone in the end, and %s has the task',
  async (record, place, state, done, bad) => {
    for (const end of [done, bad]) {
      await using one = await bmcWith([`tasks-gone-${record}${end === done ? '' : '-fail'}`]);
      const { id, statuses } = await runTask(one.bmc);
      expect(statuses).toEqual([202, 202, 404]);
      const { status, json } = await call(one.bmc, 'GET', `${place}/${id}`);
      expect([status, json[state]]).toEqual([200, end]);
      expect(JSON.stringify([json.Messages, json.Message])).toContain(end === done ? 'has completed' : 'could not');
      expect((await call(one.bmc, 'GET', place)).json.Members).toHaveLength(1);
      expect((await call(one.bmc, 'GET', CD)).json.Inserted).toBe(end !== done);
      if (place !== TASKS) expect((await call(one.bmc, 'GET', `${TASKS}/${id}`)).status).toBe(404);
    }
  },
);

test.each([
  ['tasks-gone-none', false],
  ['tasks-gone-none-fail', true],
])('%s: nothing is left of the task but its effect', async (name, inserted) => {
  await using one = await bmcWith([name]);
  const { id, statuses } = await runTask(one.bmc);
  expect(statuses.at(-1)).toBe(404);
  expect((await call(one.bmc, 'GET', `${TASKS}/${id}`)).status).toBe(404);
  expect((await call(one.bmc, 'GET', CD)).json.Inserted).toBe(inserted);
});

test.each([
  ['tasks-restart', 'Completed'],
  ['tasks-restart-fail', 'Exception'],
])('%s: after the task the BMC returns 404 to three requests, then the task as %s', async (name, state) => {
  await using one = await bmcWith([name]);
  const { id } = await runTask(one.bmc);
  const statuses: number[] = [];
  for (let i = 0; i < 4; i++) statuses.push((await call(one.bmc, 'GET', `${TASKS}/${id}`)).status);
  expect(statuses).toEqual([404, 404, 404, 200]);
  expect((await call(one.bmc, 'GET', `${TASKS}/${id}`)).json.TaskState).toBe(state);
});
