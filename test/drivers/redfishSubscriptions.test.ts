import { afterEach, beforeEach, expect, test } from 'vitest';
import { PassthruError } from '../../src/core/errors.ts';
import type { HardwareType } from '../../src/core/hardware.ts';
import type { JsonObject } from '../../src/core/json.ts';
import { silentLogger } from '../../src/core/logger.ts';
import { createRedfishHardwareType } from '../../src/drivers/redfish/redfishHardwareType.ts';
import { type Fleet, type SimulatedBmc, startFleet } from '../../src/sim/index.ts';
import { methodOf, nodeOf, taskOn } from './nodeTask.ts';

const COLLECTION = '/redfish/v1/EventService/Subscriptions';
const FIRST = {
  Context: 'WebUser3',
  Destination: 'http://www.dnsname.com/Destination1',
  EventTypes: ['Alert'],
  Id: '1',
  Protocol: 'Redfish',
};
let fleet: Fleet;
let bmc: SimulatedBmc;
let redfish: HardwareType;
let info: JsonObject;

beforeEach(async () => {
  fleet = await startFleet();
  bmc = fleet.bmcs[0]!;
  redfish = createRedfishHardwareType({
    settings: { authType: 'auto', connectionAttempts: 1, connectionRetryIntervalMs: 5, requestTimeoutMs: 5000 },
    log: silentLogger,
  });
  info = { redfish_address: bmc.url, redfish_username: 'u', redfish_password: 'p' };
});
afterEach(async () => {
  bmc.faults.clear();
  await redfish.close?.();
  await fleet.close();
});

/** Calls a method as the core does: arguments checked, then the handler. */
async function call(name: string, args: JsonObject = {}, driverInfo: JsonObject = info): Promise<unknown> {
  const method = methodOf(redfish, name);
  return method.run(taskOn(nodeOf('redfish', driverInfo)).task, method.parse(args));
}

async function failure(promise: Promise<unknown>): Promise<PassthruError> {
  const error = await promise.then(
    () => null,
    (reason: unknown) => reason,
  );
  expect(error).toBeInstanceOf(PassthruError);
  return error as PassthruError;
}

test('get_all_subscriptions returns the collection with the recorded keys and no others', async () => {
  expect(await call('get_all_subscriptions')).toEqual({
    '@odata.id': COLLECTION,
    '@odata.type': '#EventDestinationCollection.EventDestinationCollection',
    Name: 'Event Subscriptions Collection',
    Members: [1, 2, 3, 4].map((id) => ({ '@odata.id': `${COLLECTION}/${id}` })),
    'Members@odata.count': 4,
  });
});

test('get_subscription returns the members that Ironic shows, for an id as string or number', async () => {
  expect(await call('get_subscription', { id: '1' })).toEqual(FIRST);
  expect(await call('get_subscription', { id: 1 })).toEqual(FIRST);
});

test('get_subscription returns only what the BMC sends, and never HttpHeaders', async () => {
  const path = `${COLLECTION}/1`;
  bmc.documents.set(path, { '@odata.id': path, Id: '1', HttpHeaders: [{ Authorization: 'Bearer secret' }] });
  expect(await call('get_subscription', { id: '1' })).toEqual({ Id: '1' });
});

test.each(['get_subscription', 'delete_subscription'])(
  '%s of an absent subscription is reported in Ironic’s words',
  async (name) => {
    const error = await failure(call(name, { id: '999' }));
    expect(error.kind).toBe('subscription_not_found');
    expect(error.message).toBe(
      `Redfish exception occurred. Error: Redfish ${name} failed for subscription 999 on node ` +
        `22222222-2222-4222-8222-222222222222. Error: Resource ${bmc.url}${COLLECTION}/999 not found`,
    );
  },
);

test('delete_subscription deletes, and returns nothing', async () => {
  expect(await call('delete_subscription', { id: '4' })).toBeNull();
  expect(bmc.documents.get(`${COLLECTION}/4`)).toBeUndefined();
});

test('a failed delete is not reported as a missing subscription', async () => {
  bmc.faults.add({ kind: 'status', status: 503, match: { method: 'DELETE', path: `${COLLECTION}/*` } });
  const error = await failure(call('delete_subscription', { id: '4' }));
  expect(error.kind).toBe('bmc_failed');
  expect(error.bmc?.status).toBe(503);
  expect(error.message).toContain('Redfish delete_subscription failed for subscription 4');
});

test.each(['get_subscription', 'delete_subscription'])('%s without an id fails in Ironic’s words', async (name) => {
  for (const args of [{}, { id: null }, { id: '' }] as JsonObject[]) {
    const error = await failure(call(name, args));
    expect(error).toMatchObject({ kind: 'invalid_argument', message: "id can't be None" });
  }
});

test.each(['a/b', '..', '../Systems', 'a?b', 'a#b', 'a%2fb', 'a%252fb', 'a\\b'])(
  'the id %s is refused before anything is sent to the BMC',
  async (id) => {
    for (const name of ['get_subscription', 'delete_subscription']) {
      expect((await failure(call(name, { id }))).kind).toBe('invalid_argument');
    }
    expect(bmc.requestCount).toBe(0);
  },
);

test('create_subscription sends the given properties and Ironic’s defaults, and returns the subscription', async () => {
  const created = await call('create_subscription', { Destination: 'https://ev.example/x' });
  expect(created).toEqual({
    Context: '',
    Destination: 'https://ev.example/x',
    EventTypes: ['Alert'],
    Id: '5',
    Protocol: 'Redfish',
  });
  expect(bmc.requests.at(-1)?.body).toEqual({
    Context: '',
    Destination: 'https://ev.example/x',
    EventTypes: ['Alert'],
    Protocol: 'Redfish',
  });
});

test('create_subscription accepts the alias destination, and everything that Ironic accepts', async () => {
  await call('create_subscription', {
    destination: 'https://ev.example/x',
    Context: 'mine',
    Protocol: 'Redfish',
    EventTypes: ['StatusChange', 'Alert'],
    HttpHeaders: [{ Authorization: 'Bearer secret' }],
  });
  expect(bmc.requests.at(-1)?.body).toEqual({
    Context: 'mine',
    Destination: 'https://ev.example/x',
    EventTypes: ['StatusChange', 'Alert'],
    HttpHeaders: '******',
    Protocol: 'Redfish',
  });
});

test.each([
  [{}, 'Destination None is not a valid URI'],
  [{ Destination: null }, 'Destination None is not a valid URI'],
  [{ Destination: 'nope' }, 'Destination nope is not a valid URI'],
  [{ Destination: 'https://ev.example/x', Context: 5 }, 'Context 5 is not a valid string'],
  [{ Destination: 'https://ev.example/x', Protocol: ['Redfish'] }, "Protocol ['Redfish'] is not a string"],
  [{ Destination: 'https://ev.example/x', HttpHeaders: { a: 'b' } }, "HttpHeaders {'a': 'b'} is not a list of headers"],
  [{ Destination: 'https://ev.example/x', EventTypes: 'Alert' }, /^EventTypes Alert is not a valid value/],
  [{ Destination: 'https://ev.example/x', EventTypes: [1] }, /EventTypes/],
  [{ Destination: 'https://ev.example/x', destination: 'https://other.example/x' }, /destination/],
  [{ Destination: 'https://ev.example/x', Bogus: 1 }, /Bogus/],
  [{ Destination: 'https://ev.example/x', HttpHeaders: ['token-text'] }, /HttpHeaders/],
] satisfies [JsonObject, string | RegExp][])(
  'create_subscription with %j is refused with "%s"',
  async (args, message) => {
    const error = await failure(call('create_subscription', args));
    expect(error.kind).toBe('invalid_argument');
    if (typeof message === 'string') expect(error.message).toBe(message);
    else expect(error.message).toMatch(message);
    expect(error.message).not.toContain('token-text');
    expect(bmc.requestCount).toBe(0);
  },
);

/** Makes the BMC list these event types; null: none. */
async function listTypes(types: string[] | null): Promise<void> {
  const { EventTypesForSubscription: _, ...service } = bmc.documents.get('/redfish/v1/EventService')!;
  const listed = types === null ? service : { ...service, EventTypesForSubscription: types };
  bmc.documents.set('/redfish/v1/EventService', listed);
  await redfish.release?.(nodeOf('redfish', info));
}

const withTypes = (...EventTypes: string[]) =>
  call('create_subscription', { Destination: 'https://ev.example/x', EventTypes });

test('event types that the BMC does not list are refused, and nothing is created', async () => {
  const error = await failure(withTypes('Alert', 'MetricReport'));
  expect(error).toMatchObject({
    kind: 'invalid_argument',
    message: expect.stringContaining(
      "EventTypes ['Alert', 'MetricReport'] is not a valid value, allowed values ['StatusChange'",
    ),
    violations: [{ field: 'arguments.EventTypes' }],
  });
  expect(bmc.requests.filter(({ path }) => path === COLLECTION)).toEqual([]);
});

test('an event type beyond the schema is accepted where the BMC lists it', async () => {
  await listTypes(['Alert', 'OemHeartbeat']);
  const sent = bmc.nextRequest({ method: 'POST', path: COLLECTION });
  await withTypes('OemHeartbeat').catch(() => undefined);
  expect(JSON.parse(JSON.stringify((await sent).body))).toMatchObject({ EventTypes: ['OemHeartbeat'] });
});

test('where the BMC lists no event types, those of the schema are accepted and others refused', async () => {
  await listTypes(null);
  expect(await withTypes('MetricReport')).toMatchObject({ EventTypes: ['MetricReport'] });
  expect(await failure(withTypes('Bogus'))).toMatchObject({
    kind: 'invalid_argument',
    message: expect.stringMatching(/^EventTypes \['Bogus'\] is not a valid value, allowed values \['StatusChange'/),
  });
});

test('a second subscription to one destination is refused with the id of the first', async () => {
  await call('create_subscription', { Destination: 'https://ev.example/x' });
  const body = {
    error: { '@Message.ExtendedInfo': [{ MessageId: 'iLO.2.14.ResourceAlreadyExists', Message: 'Taken.' }] },
  };
  bmc.faults.add({
    kind: 'status',
    status: 400,
    body: JSON.stringify(body),
    headers: { 'Content-Type': 'application/json' },
    match: { method: 'POST', path: COLLECTION },
  });
  const error = await failure(call('create_subscription', { Destination: 'https://ev.example/x' }));
  expect(error.kind).toBe('subscription_exists');
  expect(error.message).toContain('with the id 5');
  expect(error.bmc).toEqual({ status: 400, extendedInfo: body.error['@Message.ExtendedInfo'] });
});

test('with if_exists "return" a subscription with the same Destination and Context is returned, and none is created', async () => {
  const args = { Destination: 'https://ev.example/x', Context: 'mine', if_exists: 'return' };
  const made = await call('create_subscription', args);
  const before = bmc.requestCount;
  expect(await call('create_subscription', args)).toEqual(made);
  expect(bmc.requests.slice(before).map(({ method }) => method)).not.toContain('POST');
  // A different Context is a different subscription.
  expect(await call('create_subscription', { ...args, Context: 'theirs' })).toMatchObject({ Id: '6' });
});

test('with if_exists "return" a create whose response is lost returns the created subscription', async () => {
  await call('get_all_subscriptions');
  bmc.faults.add({ kind: 'reset', afterRead: true, match: { method: 'POST' }, times: 1 });
  const made = await call('create_subscription', { Destination: 'https://ev.example/x', if_exists: 'return' });
  expect(made).toMatchObject({ Id: '5', Destination: 'https://ev.example/x' });
});

test('with if_exists "return" a different context at the same destination is refused with the id (iLO)', async () => {
  await call('create_subscription', { Destination: 'https://ev.example/x', Context: 'theirs' });
  bmc.faults.add({
    kind: 'status',
    status: 400,
    body: JSON.stringify({ error: { '@Message.ExtendedInfo': [{ MessageId: 'iLO.2.14.ResourceAlreadyExists' }] } }),
    match: { method: 'POST', path: COLLECTION },
  });
  const args = { Destination: 'https://ev.example/x', Context: 'mine', if_exists: 'return' };
  const error = await failure(call('create_subscription', args));
  expect(error.kind).toBe('subscription_exists');
  expect(error.message).toContain('with the id 5');
});

test('if_exists is described in the schema, never sent, and refused with other values', async () => {
  const schema = methodOf(redfish, 'create_subscription').argumentsSchema as { properties: Record<string, JsonObject> };
  expect(schema.properties.if_exists).toMatchObject({ enum: ['refuse', 'return'], default: 'refuse' });
  await call('create_subscription', { Destination: 'https://ev.example/x', if_exists: 'refuse' });
  expect(JSON.stringify(bmc.requests)).not.toContain('if_exists');
  expect(
    (await failure(call('create_subscription', { Destination: 'https://ev.example/y', if_exists: 'x' }))).kind,
  ).toBe('invalid_argument');
});

test('header values that the BMC quotes in a refusal are redacted', async () => {
  const entry = { MessageId: 'Base.1.8.PropertyValueError', Message: "The value 'Bearer abc' is wrong" };
  bmc.faults.add({
    kind: 'status',
    status: 400,
    body: JSON.stringify({ error: { '@Message.ExtendedInfo': [entry] } }),
    match: { method: 'POST', path: COLLECTION },
  });
  const args = { Destination: 'https://ev.example/x', HttpHeaders: [{ Authorization: 'Bearer abc' }] };
  const error = await failure(call('create_subscription', args));
  expect(JSON.stringify([error.message, error.bmc])).not.toContain('Bearer abc');
});

test('in the steady state get, list, create and delete cost one request each, over one connection', async () => {
  await call('get_all_subscriptions');
  const start = bmc.requestCount;
  await call('get_subscription', { id: '1' });
  await call('get_all_subscriptions');
  await call('create_subscription', { Destination: 'https://ev.example/x', EventTypes: ['Alert'] });
  await call('delete_subscription', { id: '5' });
  expect(bmc.requestCount - start).toBe(4);
  expect(bmc.connections).toBe(1);
  expect(bmc.requests.filter(({ path }) => path.includes('Sessions'))).toHaveLength(1);
});

test('a BMC that is down is reported in Ironic’s words', async () => {
  await fleet.close();
  const error = await failure(call('get_all_subscriptions'));
  expect(error.kind).toBe('bmc_unreachable');
  expect(error.message).toMatch(
    /^Redfish connection failed for node 22222222-2222-4222-8222-222222222222: Unable to connect to http:.*ECONNREFUSED/,
  );
});

test('a BMC that has been down for a while is reported at once, with the first failure and the next try', async () => {
  await fleet.close();
  for (let i = 0; i < 5; i++) await failure(call('get_all_subscriptions'));
  const error = await failure(call('delete_subscription', { id: '1' }));
  expect(error.kind).toBe('bmc_unreachable');
  expect(error.message).toMatch(
    /^Redfish connection failed for node 22222222-.*not responded since \d{4}-.*next try in \d+ s/,
  );
});

test('a BMC that hangs ends the call at the node’s own timeout', async () => {
  await call('get_all_subscriptions');
  bmc.faults.add({ kind: 'hang' });
  const error = await failure(call('get_all_subscriptions', {}, { ...info, redfish_request_timeout: 0.2 }));
  expect(error.kind).toBe('bmc_timeout');
});

test('a create whose response is lost reports the state of the subscription', async () => {
  await call('get_all_subscriptions');
  bmc.faults.add({ kind: 'reset', afterRead: true, match: { method: 'POST' }, times: 1 });
  const error = await failure(call('create_subscription', { Destination: 'https://ev.example/x' }));
  expect(error.kind).toBe('outcome_unknown');
  expect(error.message).toMatch(/now: 5/);
});

test("an aborted call ends with the signal's reason", async () => {
  const method = methodOf(redfish, 'get_all_subscriptions');
  const { task, abort } = taskOn(nodeOf('redfish', info));
  await call('get_all_subscriptions');
  bmc.faults.add({ kind: 'hang' });
  const reason = new PassthruError('cancelled', 'left');
  void bmc.nextRequest().then(() => abort.abort(reason));
  await expect(method.run(task, method.parse({}))).rejects.toBe(reason);
});
