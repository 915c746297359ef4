import { afterEach, expect, test, vi } from 'vitest';
import {
  createRedfishClients,
  createSubscription,
  deleteSubscription,
  getSubscription,
  listSubscriptions,
  type RedfishClient,
  type RedfishClients,
} from '../../../src/redfish/index.ts';
import { QUIRKS, type Quirk, type SimulatedBmc, startFleet } from '../../../src/sim/index.ts';
import { withTasks } from '../../../src/sim/quirks/tasks.ts';
import { type Script, type ScriptedBmc, type ScriptedResponse, startScriptedBmc } from '../scriptedBmc.ts';
import { forever, target } from '../target.ts';

const SUBSCRIPTIONS = '/redfish/v1/EventService/Subscriptions';
const TASK = '/redfish/v1/TaskService/Tasks/1';
/** Polled again at once. */
const AT_TASK = { location: TASK, 'retry-after': '0' };
const options = { signal: forever };
let clients: RedfishClients = createRedfishClients();
const closing: { close(): Promise<void> }[] = [];

afterEach(async () => {
  vi.useRealTimers();
  await clients.close();
  await Promise.all(closing.splice(0).map((one) => one.close()));
});

async function simulated(...quirks: Quirk[]): Promise<{ bmc: SimulatedBmc; client: RedfishClient }> {
  clients = createRedfishClients();
  const fleet = await startFleet({ quirks });
  closing.push(fleet);
  const bmc = fleet.bmcs[0]!;
  const limits = { timeoutMs: 500, connectionAttempts: 1, connectionRetryIntervalMs: 5 };
  return { bmc, client: clients.for(target(bmc.url, { limits }), options) };
}

/** Starts a BMC with an ordinary event service and scripted subscriptions. */
async function scripted(script: Script, service: object = {}) {
  clients = createRedfishClients();
  const bmc = await startScriptedBmc((request) => {
    if (request.path === '/redfish/v1/') {
      return { status: 200, body: { EventService: { '@odata.id': '/redfish/v1/EventService' } } };
    }
    if (request.path === '/redfish/v1/EventService') {
      return { status: 200, body: { Subscriptions: { '@odata.id': SUBSCRIPTIONS }, ...service } };
    }
    return script(request);
  });
  closing.push(bmc);
  const account = { username: 'u', password: 'p', authType: 'basic' as const };
  const limits = { timeoutMs: 500, connectionAttempts: 1, connectionRetryIntervalMs: 5 };
  return { bmc, client: clients.for(target(bmc.url, { account, limits }), options) };
}

const subscription = { Destination: 'https://events.example/in', Context: 'mine' };
/** What is sent where the BMC does not know EventTypes. */
const withoutTypes = { ...subscription, Protocol: 'Redfish' };
/** The error of a second subscription to the destination of the one with `id`. */
const existsAs = (id: string) => ({
  kind: 'exists',
  message: expect.stringContaining(`already, with the id ${id}. Error`),
});
/** The error when the BMC lists no subscription, but may still create it. */
const NONE_YET: unknown = expect.stringMatching(/lists no subscription .* yet, and may still create it; check with/);
const created = {
  Id: '7',
  Destination: 'https://events.example/in',
  Context: 'mine',
  '@odata.id': `${SUBSCRIPTIONS}/7`,
};

test('get, list, create and delete cost one request each at a discovered BMC', async () => {
  const { bmc, client } = await simulated();
  await listSubscriptions(client);
  const cost = async (work: () => Promise<unknown>) => {
    const before = bmc.requestCount;
    await work();
    return bmc.requestCount - before;
  };
  expect(await cost(() => listSubscriptions(client))).toBe(1);
  expect(await cost(() => getSubscription(client, '1'))).toBe(1);
  expect(await cost(() => createSubscription(client, subscription))).toBe(1);
  expect(await cost(() => deleteSubscription(client, '1'))).toBe(1);
  expect(bmc.connections).toBe(1);
});

test('a new BMC costs four requests: service root, login, event service, collection', async () => {
  const { bmc, client } = await simulated();
  await Promise.all(Array.from({ length: 3 }, () => listSubscriptions(client)));
  expect(bmc.requestCount).toBe(3 + 3);
});

test('a call with an expired session and no discovered paths does not deadlock', async () => {
  const { bmc, client } = await simulated();
  await listSubscriptions(client);
  client.discovered.forget();
  bmc.expireSessions();
  expect((await listSubscriptions(client)).members).toHaveLength(4);
});

test('a long collection is followed page by page, on the same host', async () => {
  const { client } = await scripted(({ path }) => {
    const next = { 'Members@odata.nextLink': `${SUBSCRIPTIONS}?$skip=1` };
    return path === SUBSCRIPTIONS
      ? { status: 200, body: { Name: 'S', Members: [{ '@odata.id': `${SUBSCRIPTIONS}/1` }], ...next } }
      : { status: 200, body: { Members: [{ '@odata.id': `${SUBSCRIPTIONS}/2` }] } };
  });
  const { members } = await listSubscriptions(client);
  expect(members.map(({ path }) => path)).toEqual([`${SUBSCRIPTIONS}/1`, `${SUBSCRIPTIONS}/2`]);
});

test('pages that form a loop or lead to another host fail', async () => {
  const { bmc, client } = await scripted(() => ({
    status: 200,
    body: { Members: [], 'Members@odata.nextLink': SUBSCRIPTIONS },
  }));
  await expect(listSubscriptions(client)).rejects.toMatchObject({ kind: 'failed' });
  // Each page was requested once.
  expect(bmc.lines().filter((line) => line.includes('Subscriptions'))).toHaveLength(1);
  const next = { Members: [], 'Members@odata.nextLink': 'http://other.example/S' };
  const foreign = await scripted(() => ({ status: 200, body: next }));
  await expect(listSubscriptions(foreign.client)).rejects.toThrow('another host');
});

test('an absent subscription is not-found only if the collection exists', async () => {
  const { client } = await simulated();
  await listSubscriptions(client);
  await expect(getSubscription(client, '999')).rejects.toMatchObject({ kind: 'not-found', status: 404 });
  await expect(deleteSubscription(client, '999')).rejects.toMatchObject({ kind: 'not-found' });
});

test('a starting BMC that returns 404 to everything does not make subscriptions count as deleted', async () => {
  const { bmc, client } = await simulated();
  await listSubscriptions(client);
  bmc.faults.add({ kind: 'status', status: 404 });
  await expect(deleteSubscription(client, '1')).rejects.toMatchObject({ kind: 'refused', status: 404 });
});

test('discovered paths that the BMC no longer has are dropped and discovered again', async () => {
  let place = '/redfish/v1/old';
  clients = createRedfishClients();
  const bmc = await startScriptedBmc(({ path }) => {
    if (path === '/redfish/v1/') return { status: 200, body: { EventService: { '@odata.id': '/redfish/v1/E' } } };
    if (path === '/redfish/v1/E') return { status: 200, body: { Subscriptions: { '@odata.id': place } } };
    if (path === place) return { status: 200, body: { Members: [] } };
    return path === `${place}/1` ? { status: 200, body: { Id: '1' } } : { status: 404 };
  });
  closing.push(bmc);
  const client = clients.for(target(bmc.url, { account: { username: null, password: '', authType: 'auto' } }), options);
  await getSubscription(client, '1');
  place = '/redfish/v1/new';
  expect(await getSubscription(client, '1')).toEqual({ Id: '1' });
  place = '/redfish/v1/newer';
  await listSubscriptions(client);
  expect(bmc.lines().at(-1)).toBe('GET /redfish/v1/newer');
});

test('an absent event service, and a new subscription at a disabled one, is reported as unsupported', async () => {
  const disabled = await scripted(() => ({ status: 200 }), { ServiceEnabled: false });
  await expect(createSubscription(disabled.client, subscription)).rejects.toMatchObject({
    kind: 'unsupported',
    message: expect.stringContaining('ServiceEnabled'),
  });
  clients = createRedfishClients();
  const bmc = await startScriptedBmc(() => ({ status: 200, body: {} }));
  closing.push(bmc);
  const client = clients.for(target(bmc.url, { account: { username: null, password: '', authType: 'auto' } }), options);
  await expect(listSubscriptions(client)).rejects.toThrow('no EventService');
});

test.each([
  [
    '201 with Location and the document',
    { status: 201, headers: { location: `${SUBSCRIPTIONS}/7` }, body: created },
    0,
  ],
  ['201 with Location alone', { status: 201, headers: { location: `${SUBSCRIPTIONS}/7` } }, 1],
  [
    '201 with a full URL of its own as Location',
    { status: 201, headers: { location: `https://10.0.0.5${SUBSCRIPTIONS}/7` } },
    1,
  ],
  ['201 with a body and no Location', { status: 201, body: created }, 0],
  [
    '200 with a success message and Location',
    { status: 200, headers: { location: `${SUBSCRIPTIONS}/7` }, body: { error: {} } },
    1,
  ],
  ['204 with neither', { status: 204 }, 2],
  ['202 without Location', { status: 202 }, 2],
])('a create that returns %s yields the subscription', async (_, reply, more) => {
  const { bmc, client } = await scripted(({ method, path }) => {
    if (method === 'POST') return reply;
    if (path === `${SUBSCRIPTIONS}/7`) return { status: 200, body: created };
    return { status: 200, body: { Members: [{ '@odata.id': `${SUBSCRIPTIONS}/7` }] } };
  });
  expect(await createSubscription(client, subscription)).toMatchObject({
    Id: '7',
    Destination: subscription.Destination,
  });
  expect(bmc.lines().slice(bmc.lines().indexOf(`POST ${SUBSCRIPTIONS}`) + 1)).toHaveLength(more);
});

test('a subscription that was created but cannot be read is still returned', async () => {
  const { client } = await scripted(({ method }) =>
    method === 'POST' ? { status: 201, headers: { location: `${SUBSCRIPTIONS}/7` } } : { status: 500 },
  );
  expect(await createSubscription(client, subscription)).toMatchObject({ Id: '7', Context: 'mine' });
});

test.each([
  ['iLO', { MessageId: 'iLO.2.14.ResourceAlreadyExists' }],
  ['iDRAC', { MessageId: 'Base.1.8.PropertyValueModified', MessageArgs: ['Destination', subscription.Destination] }],
])('a second subscription to one destination is reported with the id of the first (%s)', async (_, entry) => {
  const { client } = await scripted(({ method, path }) => {
    if (method === 'POST') return { status: 400, body: { error: { '@Message.ExtendedInfo': [entry] } } };
    if (path === `${SUBSCRIPTIONS}/7`) return { status: 200, body: created };
    return { status: 200, body: { Members: [{ '@odata.id': `${SUBSCRIPTIONS}/7` }] } };
  });
  await expect(createSubscription(client, subscription)).rejects.toMatchObject(existsAs('7'));
});

test.each(['Base.1.8.PropertyUnknown', 'iLO.2.14.PropertyNotWritableOrUnknown'])(
  'a default that the BMC does not know is omitted; a property that the caller gave is not (%s)',
  async (MessageId) => {
    const unknown = (name: string) => ({
      status: 400,
      body: { error: { '@Message.ExtendedInfo': [{ MessageId, MessageArgs: [name] }] } },
    });
    const { bmc, client } = await scripted(({ body }) =>
      'EventTypes' in JSON.parse(body) ? unknown('EventTypes') : { status: 201, body: created },
    );
    await createSubscription(client, subscription);
    expect(JSON.parse(bmc.requests.at(-1)!.body)).toEqual(withoutTypes);

    const given = await scripted(() => unknown('Context'));
    await expect(createSubscription(given.client, subscription)).rejects.toMatchObject({ status: 400 });
    expect(given.bmc.lines().filter((line) => line.startsWith('POST'))).toHaveLength(1);
  },
);

test('defaults that the BMC refuses one at a time are omitted one after another, until a given property is refused', async () => {
  const refusing = (names: string[]) =>
    scripted(({ body }) => {
      const name = names.find((one) => one in JSON.parse(body));
      if (name === undefined) return { status: 201, body: created };
      const entry = { MessageId: 'Base.1.8.PropertyUnknown', MessageArgs: [name] };
      return { status: 400, body: { error: { '@Message.ExtendedInfo': [entry] } } };
    });
  const posts = (bmc: ScriptedBmc) => bmc.requests.filter(({ method }) => method === 'POST');
  const one = await refusing(['Protocol', 'EventTypes']);
  expect(await createSubscription(one.client, subscription)).toMatchObject({ Id: '7' });
  expect(posts(one.bmc)).toHaveLength(3);
  expect(JSON.parse(posts(one.bmc).at(-1)!.body)).toEqual(subscription);

  const all = await refusing(['Protocol', 'EventTypes', 'Destination']);
  await expect(createSubscription(all.client, subscription)).rejects.toMatchObject({ status: 400 });
  expect(posts(all.bmc)).toHaveLength(3);
});

test('after a create without a response the subscription is searched for, and the error reports the result', async () => {
  const { bmc, client } = await simulated();
  await listSubscriptions(client);
  bmc.faults.add({ kind: 'reset', match: { method: 'POST', path: SUBSCRIPTIONS }, times: 1 });
  await expect(createSubscription(client, subscription)).rejects.toMatchObject({
    kind: 'outcome-unknown',
    message: NONE_YET,
  });
  bmc.faults.add({ kind: 'reset', afterRead: true, match: { method: 'POST', path: SUBSCRIPTIONS }, times: 1 });
  await expect(createSubscription(client, subscription)).rejects.toMatchObject({
    kind: 'outcome-unknown',
    message: expect.stringMatching(/has a subscription .* now: 5/),
  });
});

test('a delete without a response succeeds if the subscription is gone; otherwise its outcome is unknown', async () => {
  const { bmc, client } = await simulated();
  await listSubscriptions(client);
  bmc.faults.add({ kind: 'hang', afterRead: true, match: { method: 'DELETE' }, times: 1 });
  await deleteSubscription(client, '1');
  bmc.faults.add({ kind: 'hang', match: { method: 'DELETE' }, times: 1 });
  await expect(deleteSubscription(client, '2')).rejects.toMatchObject({
    kind: 'outcome-unknown',
    message: expect.stringContaining('still exists'),
  });
});

test('a 202 is followed by its monitor to the end of the task', async () => {
  let polls = 0;
  const { bmc, client } = await scripted(({ method, path }) => {
    const again = { location: '/redfish/v1/Tasks/1/Monitor', 'retry-after': '0' };
    if (method === 'POST') return { status: 202, headers: again, body: { TaskState: 'Running' } };
    if (path !== '/redfish/v1/Tasks/1/Monitor') return { status: 404 };
    return ++polls < 3 ? { status: 202, headers: again } : { status: 201, body: created };
  });
  expect(await createSubscription(client, subscription)).toMatchObject({ Id: '7' });
  expect(bmc.lines().filter((line) => line.endsWith('Monitor'))).toHaveLength(3);
});

test('a failed task is reported with its messages', async () => {
  const { client } = await scripted(({ method }) =>
    method === 'POST'
      ? { status: 202, headers: { location: '/redfish/v1/Tasks/1', 'retry-after': '0' } }
      : { status: 200, body: { TaskState: 'Exception', Messages: [{ Message: 'No room for it.' }] } },
  );
  await expect(createSubscription(client, subscription)).rejects.toMatchObject({
    kind: 'failed',
    message: expect.stringContaining('No room for it.'),
  });
});

test.each([
  ['iLO', { MessageId: 'iLO.2.14.ResourceAlreadyExists', Message: 'There already.' }],
  ['iDRAC', { MessageId: 'Base.1.8.PropertyValueModified', MessageArgs: ['Destination', subscription.Destination] }],
])('a task that fails because of a duplicate is reported with the id of the first (%s)', async (_, entry) => {
  const { client } = await scripted(({ method, path }) => {
    if (method === 'POST') return { status: 202, headers: AT_TASK };
    if (path === TASK) return { status: 200, body: { TaskState: 'Exception', Messages: [entry] } };
    if (path === `${SUBSCRIPTIONS}/7`) return { status: 200, body: created };
    return { status: 200, body: { Members: [{ '@odata.id': `${SUBSCRIPTIONS}/7` }] } };
  });
  await expect(createSubscription(client, subscription)).rejects.toMatchObject(existsAs('7'));
});

test('a task at Location, which returns 200 while it runs, is followed to its end and the subscription found', async () => {
  let polls = 0;
  const { bmc, client } = await scripted(({ method, path }) => {
    if (method === 'POST') return { status: 202, headers: AT_TASK };
    if (path === TASK) {
      const TaskState = ++polls < 3 ? 'Running' : 'Completed';
      return { status: 200, headers: AT_TASK, body: { '@odata.id': TASK, Id: '1', TaskState } };
    }
    if (path === `${SUBSCRIPTIONS}/7`) return { status: 200, body: created };
    // The subscription does not exist before the task has ended.
    return { status: 200, body: { Members: polls < 3 ? [] : [{ '@odata.id': `${SUBSCRIPTIONS}/7` }] } };
  });
  expect(await createSubscription(client, subscription)).toMatchObject({ Id: '7' });
  expect(bmc.lines().filter((line) => line === `GET ${TASK}`)).toHaveLength(3);
});

const taskIs = (reply: ScriptedResponse): Script => {
  return ({ path }) => (path === TASK ? reply : { status: 202, headers: AT_TASK });
};
const still: ScriptedResponse = { status: 200, headers: AT_TASK, body: { TaskState: 'Running' } };

test.each<{ name: string; script: Script; text: string }>([
  { name: 'a 202 without Location', script: () => ({ status: 202 }), text: 'without the path' },
  { name: 'a POST without a response', script: () => null, text: 'No response' },
  { name: 'a task whose monitor is silent', script: taskIs({ status: 503 }), text: 'cannot be followed' },
  { name: 'a task that takes too long', script: taskIs(still), text: 'did not end in time' },
])(
  'after $name the error does not advise to repeat, as the BMC may still create the subscription',
  async ({ script, text }) => {
    // Time passes with each poll, so that the test need not wait.
    vi.useFakeTimers({ toFake: ['performance'] });
    const { bmc, client } = await scripted(async (request) => {
      const lists = request.method === 'GET' && request.path === SUBSCRIPTIONS;
      const reply = lists ? { status: 200, body: { Members: [] } } : await script(request);
      if (reply?.status === 200) vi.advanceTimersByTime(20 * 60_000);
      return reply;
    });
    const error = await createSubscription(client, subscription).catch((thrown: unknown) => thrown);
    expect(error).toMatchObject({ kind: 'outcome-unknown', message: NONE_YET });
    expect(String(error)).toContain(text);
    expect(bmc.lines().filter((line) => line.startsWith('POST'))).toHaveLength(1);
  },
);

test.each(['one-per-destination-ilo', 'one-per-destination-idrac'])(
  'a create whose Location is the Task follows it, and a second create is reported as a duplicate (%s)',
  async (name) => {
    const tasks = withTasks('tasks', '', { polls: 1, retryAfter: 0, location: 'task' });
    const { client } = await simulated(tasks, QUIRKS.get(name)!);
    expect(await createSubscription(client, subscription)).toMatchObject({
      Id: '5',
      Destination: subscription.Destination,
    });
    await expect(createSubscription(client, subscription)).rejects.toMatchObject(existsAs('5'));
  },
);

test("an unknown default is recognised by the property's message beside a general error", async () => {
  const { bmc, client } = await scripted(({ body }) => {
    if (!('EventTypes' in JSON.parse(body))) return { status: 201, body: created };
    const entry = { MessageId: 'Base.1.8.PropertyUnknown', MessageArgs: ['EventTypes'] };
    const general = { MessageId: 'Base.1.8.GeneralError', Message: 'A general error.' };
    const info = '@Message.ExtendedInfo';
    return { status: 400, body: { error: { [info]: [general] }, [`EventTypes${info}`]: [entry] } };
  });
  await createSubscription(client, subscription);
  expect(JSON.parse(bmc.requests.at(-1)!.body)).toEqual(withoutTypes);
});
