import { expect, test } from 'vitest';
import { busy } from '../../src/sim/quirks/busy.ts';
import { withTasks } from '../../src/sim/quirks/tasks.ts';
import { CD, call, messages, SUBSCRIPTIONS, SYSTEM } from './client.ts';
import { bmcWith } from './quirkedBmc.ts';

const INFO = '@Message.ExtendedInfo';
const EJECT = `${CD}/Actions/VirtualMedia.EjectMedia`;
const NOWHERE = '/redfish/v1/Nowhere';

test('iLO, iDRAC: returns 200 with a Success message instead of 204', async () => {
  await using one = await bmcWith(['success-message']);
  const deleted = await call(one.bmc, 'DELETE', `${SUBSCRIPTIONS}/1`);
  expect([deleted.status, messages(deleted)]).toEqual([200, ['Success']]);
  expect((await call(one.bmc, 'GET', `${SUBSCRIPTIONS}/1`)).status).toBe(404);
});

test('ExtendedInfo is an object', async () => {
  await using one = await bmcWith(['errors-object']);
  const { error } = (await call(one.bmc, 'GET', NOWHERE)).json;
  expect(error[INFO].MessageId).toMatch(/ResourceMissingAtURI$/);
});

test('ExtendedInfo is at the root', async () => {
  await using one = await bmcWith(['errors-at-root']);
  const { json } = await call(one.bmc, 'GET', NOWHERE);
  expect(Object.keys(json)).toEqual([INFO]);
  expect(json[INFO][0].MessageId).toMatch(/ResourceMissingAtURI$/);
});

test('OpenBMC: the message about a property is at the root under its name; other messages are in `error`', async () => {
  await using one = await bmcWith(['errors-on-property', 'refuses-event-types']);
  const body = { Destination: 'https://events.example/x', EventTypes: ['Alert'] };
  const { status, json } = await call(one.bmc, 'POST', SUBSCRIPTIONS, { body });
  expect([status, Object.keys(json)]).toEqual([400, [`EventTypes${INFO}`]]);
  expect(json[`EventTypes${INFO}`][0].MessageId).toMatch(/PropertyUnknown$/);
  expect(messages(await call(one.bmc, 'GET', NOWHERE))).toEqual(['ResourceMissingAtURI']);
});

test('NVIDIA DGX: an error has no code', async () => {
  await using one = await bmcWith(['errors-without-code']);
  const { error } = (await call(one.bmc, 'GET', NOWHERE)).json;
  expect(Object.keys(error).sort()).toEqual([INFO, 'message']);
});

test('an error has code and message only', async () => {
  await using one = await bmcWith(['errors-without-info']);
  const { error } = (await call(one.bmc, 'GET', NOWHERE)).json;
  expect(Object.keys(error)).toEqual(['code', 'message']);
});

test('iLO: an error has a MessageId and arguments, without text', async () => {
  await using one = await bmcWith(['errors-ilo']);
  const { error } = (await call(one.bmc, 'GET', NOWHERE)).json;
  expect(error).toMatchObject({ code: 'iLO.0.10.ExtendedInfo', message: expect.stringContaining('ExtendedInfo') });
  expect(Object.keys(error[INFO][0])).toEqual(['MessageId', 'MessageArgs']);
});

test.each([
  ['errors-html', 'text/html', /^<html>.*404/],
  ['errors-empty', null, /^$/],
] as const)('%s: a 404 and a 401 have no Redfish body; a 200 has one', async (name, type, body) => {
  await using one = await bmcWith([name]);
  const refused = await call(one.bmc, 'GET', NOWHERE);
  expect(refused.status).toBe(404);
  expect(refused.text).toMatch(body);
  if (type !== null) expect(refused.headers.get('Content-Type')).toBe(type);
  expect((await call(one.bmc, 'GET', SYSTEM, { auth: 'none' })).json).toBeUndefined();
  expect((await call(one.bmc, 'GET', SYSTEM)).json.Id).toBe('437XR1138R2');
});

test.each([
  ['iDRAC', 'idrac', 'SYS518'],
  ['iLO', 'ilo', 'InvalidOperationForSystemState'],
] as const)('%s: refuses each change twice with 400, 409 or 503, then performs it', async (_, vendor, id) => {
  for (const status of [400, 409, 503] as const) {
    await using one = await bmcWith([`busy-${vendor}-${status}`]);
    for (let change = 0; change < 2; change++) {
      for (let attempt = 0; attempt < 2; attempt++) {
        const refused = await call(one.bmc, 'POST', EJECT);
        expect([refused.status, messages(refused)]).toEqual([status, [id]]);
      }
      if (change === 0) expect((await call(one.bmc, 'GET', CD)).json.Inserted).toBe(true);
      expect((await call(one.bmc, 'POST', EJECT)).status).toBe(204);
    }
  }
});

test('busy takes a number of refusals and a Retry-After, and does not refuse log-ins', async () => {
  await using one = await bmcWith([busy('idrac', 503, 1, 7)]);
  const body = { UserName: 'u', Password: 'p' };
  expect((await call(one.bmc, 'POST', '/redfish/v1/SessionService/Sessions', { body })).status).toBe(201);
  expect((await call(one.bmc, 'POST', EJECT)).headers.get('Retry-After')).toBe('7');
  expect((await call(one.bmc, 'POST', EJECT)).status).toBe(204);
});

test('a change is a task: 202 with a monitor that reports progress and then, once, the outcome', async () => {
  await using one = await bmcWith(['tasks']);
  const accepted = await call(one.bmc, 'POST', EJECT);
  const monitor = accepted.headers.get('Location')!;
  expect([accepted.status, accepted.headers.get('Retry-After')]).toEqual([202, '1']);
  expect(accepted.json).toMatchObject({ TaskState: 'Running', PercentComplete: 0, TaskMonitor: monitor });
  const percents: number[] = [];
  for (let poll = 0; poll < 2; poll++) {
    const running = await call(one.bmc, 'GET', monitor);
    expect([running.status, running.json.Messages[0].Severity]).toEqual([202, 'OK']);
    percents.push(running.json.PercentComplete);
  }
  expect(percents).toEqual([33, 67]);
  expect((await call(one.bmc, 'GET', monitor)).status).toBe(204);
  expect((await call(one.bmc, 'GET', monitor)).status).toBe(404);
  expect((await call(one.bmc, 'GET', CD)).json.Inserted).toBe(false);
  const { Members: all } = (await call(one.bmc, 'GET', '/redfish/v1/TaskService/Tasks')).json;
  expect((await call(one.bmc, 'GET', all[0]['@odata.id'])).json).toMatchObject({
    TaskState: 'Completed',
    TaskStatus: 'OK',
  });
});

test('a task that creates a subscription ends with its 201, or its 400', async () => {
  await using one = await bmcWith([withTasks('tasks', '', { polls: 0, retryAfter: null })]);
  const end = async (body: unknown) => {
    const accepted = await call(one.bmc, 'POST', SUBSCRIPTIONS, { body });
    expect([accepted.status, accepted.headers.get('Retry-After')]).toEqual([202, null]);
    return call(one.bmc, 'GET', accepted.headers.get('Location')!);
  };
  const good = await end({ Destination: 'https://events.example/x' });
  expect([good.status, good.headers.get('Location'), good.json.Id]).toEqual([201, `${SUBSCRIPTIONS}/5`, '5']);
  expect(messages(await end({}))).toEqual(['PropertyMissing']);
});

test.each([
  ['tasks-fail', 200],
  ['tasks-fail-status', 500],
] as const)(
  '%s: the task ends as Exception with a message and its monitor with %i, without the change',
  async (name, status) => {
    await using one = await bmcWith([name]);
    const { json: task } = await call(one.bmc, 'POST', EJECT);
    for (let poll = 0; poll < 2; poll++) await call(one.bmc, 'GET', task.TaskMonitor);
    const end = await call(one.bmc, 'GET', task.TaskMonitor);
    expect(end.status).toBe(status);
    const ended = (await call(one.bmc, 'GET', task['@odata.id'])).json;
    expect(ended).toMatchObject({ TaskState: 'Exception', TaskStatus: 'Critical' });
    expect(ended.Messages[0].Message).toContain('could not');
    if (status === 200) expect(end.json).toEqual(ended);
    expect((await call(one.bmc, 'GET', CD)).json.Inserted).toBe(true);
  },
);

test('a 202 without Location still makes the change later', async () => {
  await using one = await bmcWith(['tasks-no-location']);
  const accepted = await call(one.bmc, 'POST', EJECT);
  expect([accepted.status, accepted.headers.get('Location'), accepted.text]).toEqual([202, null, '']);
  const inserted: boolean[] = [];
  for (let read = 0; read < 3; read++) inserted.push((await call(one.bmc, 'GET', CD)).json.Inserted);
  expect(inserted).toEqual([true, true, false]);
});

test('a monitor returns 404 once the task has ended', async () => {
  await using one = await bmcWith(['tasks-monitor-gone']);
  const monitor = (await call(one.bmc, 'POST', EJECT)).headers.get('Location')!;
  const statuses: number[] = [];
  for (let poll = 0; poll < 3; poll++) statuses.push((await call(one.bmc, 'GET', monitor)).status);
  expect(statuses).toEqual([202, 202, 404]);
  expect((await call(one.bmc, 'GET', CD)).json.Inserted).toBe(false);
});

test('old iDRAC: Location is the Task, which returns 200 while it runs', async () => {
  await using one = await bmcWith(['tasks-location-task']);
  const task = (await call(one.bmc, 'POST', EJECT)).headers.get('Location')!;
  const seen: unknown[] = [];
  for (let poll = 0; poll < 3; poll++) {
    const { status, json } = await call(one.bmc, 'GET', task);
    seen.push([status, json.TaskState]);
  }
  expect(seen).toEqual([
    [200, 'Running'],
    [200, 'Running'],
    [200, 'Completed'],
  ]);
});

test('ETags are weak, and If-Match accepts them', async () => {
  await using one = await bmcWith(['weak-etags']);
  const etag = (await call(one.bmc, 'GET', CD)).headers.get('ETag')!;
  expect(etag).toMatch(/^W\/"/);
  const patch = (ifMatch: string) =>
    call(one.bmc, 'PATCH', CD, { body: { Image: null }, headers: { 'If-Match': ifMatch } });
  expect((await patch('W/"other"')).status).toBe(412);
  expect((await patch(etag)).status).toBe(200);
});

test.each([
  ['weak-etags-strong-match', (etag: string) => etag.replace('W/', '')],
  ['unquoted-if-match', (etag: string) => etag.replaceAll('"', '')],
] as const)('%s: If-Match accepts the ETag in that form only', async (name, form) => {
  await using one = await bmcWith([name]);
  const etag = (await call(one.bmc, 'GET', CD)).headers.get('ETag')!;
  const patch = (ifMatch: string) =>
    call(one.bmc, 'PATCH', CD, { body: { Image: null }, headers: { 'If-Match': ifMatch } });
  expect((await patch(etag)).status).toBe(412);
  expect((await patch(form(etag))).status).toBe(200);
});

test.each([
  ['links-with-slash', (_url: string, path: string) => `${path}/`],
  ['links-full-url', (url: string, path: string) => url + path],
  [
    'links-percent-encoded',
    (_url: string, path: string) => path.replace(/.$/, (c) => `%${c.charCodeAt(0).toString(16).toUpperCase()}`),
  ],
])('%s: links, targets and Location have this form and work', async (name, form) => {
  await using one = await bmcWith([name]);
  const { url } = one.bmc;
  const relative = (path: string) => path.replace(url, '');
  const { Systems: link } = (await call(one.bmc, 'GET', '/redfish/v1/')).json;
  expect(link['@odata.id']).toBe(form(url, '/redfish/v1/Systems'));
  const { Members: members } = (await call(one.bmc, 'GET', relative(link['@odata.id']))).json;
  expect((await call(one.bmc, 'GET', relative(members[0]['@odata.id']))).json.Id).toBe('437XR1138R2');
  const { target } = (await call(one.bmc, 'GET', CD)).json.Actions['#VirtualMedia.EjectMedia'];
  expect(target).toBe(form(url, EJECT));
  expect((await call(one.bmc, 'POST', relative(target))).status).toBe(204);
  const created = await call(one.bmc, 'POST', SUBSCRIPTIONS, { body: { Destination: 'https://events.example/x' } });
  expect(created.headers.get('Location')).toBe(form(url, `${SUBSCRIPTIONS}/5`));
});

test('a long collection has pages, and its count includes all', async () => {
  await using one = await bmcWith(['pages']);
  const seen: string[] = [];
  let next: string | undefined = SUBSCRIPTIONS;
  while (next !== undefined) {
    const { json }: { json: Record<string, unknown> } = await call(one.bmc, 'GET', next);
    expect(json['Members@odata.count']).toBe(4);
    seen.push(...(json.Members as { '@odata.id': string }[]).map((member) => member['@odata.id']));
    next = json['Members@odata.nextLink'] as string | undefined;
  }
  expect(seen).toEqual(['1', '2', '3', '4'].map((id) => `${SUBSCRIPTIONS}/${id}`));
});
