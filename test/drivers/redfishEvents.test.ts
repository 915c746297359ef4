import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { afterEach, describe, expect, test } from 'vitest';
import type { EventsInterface, EventsTask, NewEventSubscription } from '../../src/core/events/eventsInterface.ts';
import { newSourceToken } from '../../src/core/events/sources/sourceToken.ts';
import type { HardwareType } from '../../src/core/hardware.ts';
import { silentLogger } from '../../src/core/logger.ts';
import { createRedfishHardwareType } from '../../src/drivers/redfish/redfishHardwareType.ts';
import { PROFILES, QUIRKS, type SimulatedBmc, startFleet } from '../../src/sim/index.ts';
import { type Script, startScriptedBmc } from '../redfish/scriptedBmc.ts';
import { methodOf, nodeOf, taskOn } from './nodeTask.ts';

const SERVICE = '/redfish/v1/EventService';
const COLLECTION = `${SERVICE}/Subscriptions`;
const EVERYTHING = { registryPrefixes: [], messageIds: [], resourceTypes: [], severities: [] };
const closing: (() => Promise<unknown> | undefined)[] = [];

afterEach(async () => {
  for (const close of closing.splice(0).reverse()) await close();
});

/** Returns the interface of the hardware type redfish, and a task on a node with that BMC. */
function eventsOf(url: string): { events: EventsInterface; task: EventsTask; abort: AbortController } {
  const redfish: HardwareType = createRedfishHardwareType({
    settings: { authType: 'auto', connectionAttempts: 1, connectionRetryIntervalMs: 5, requestTimeoutMs: 5000 },
    log: silentLogger,
  });
  closing.push(() => redfish.close?.());
  const info = { redfish_address: url, redfish_username: 'u', redfish_password: 'p', redfish_verify_ca: false };
  const { task, abort } = taskOn(nodeOf('redfish', info));
  return { events: redfish.events!, task, abort };
}

async function simulated(profile: string, ...quirks: string[]) {
  const fleet = await startFleet({
    profile: PROFILES.get(profile)!,
    quirks: quirks.map((name) => QUIRKS.get(name)!),
  });
  closing.push(() => fleet.close());
  const bmc: SimulatedBmc = fleet.bmcs[0]!;
  return { bmc, ...eventsOf(bmc.url) };
}

/** Starts a BMC whose event service has what is given, and whose other requests the test scripts. */
async function scripted(service: object, script: Script) {
  const bmc = await startScriptedBmc((request) => {
    if (request.path === '/redfish/v1/') {
      return { status: 200, body: { EventService: { '@odata.id': SERVICE }, Vendor: 'Test' } };
    }
    if (request.path === SERVICE) {
      return { status: 200, body: { Subscriptions: { '@odata.id': COLLECTION }, ...service } };
    }
    if (request.path.includes('/Sessions')) return { status: 404 };
    return script(request);
  });
  closing.push(() => bmc.close());
  return { bmc, ...eventsOf(bmc.url) };
}

function wish(given: Partial<NewEventSubscription> = {}): NewEventSubscription {
  const destination = `https://passthru.example:6386/events/${newSourceToken()}`;
  return { destination, context: 'passthru:fleet:node:1', selection: EVERYTHING, ...given };
}

describe.each([...PROFILES.keys()])('the events of a BMC like %s', (profile) => {
  test('are subscribed to, found, and unsubscribed from', async () => {
    const { events, task } = await simulated(profile);
    const wanted = wish();
    const uri = await events.subscribe(task, wanted);
    const found = { uri, destination: wanted.destination, context: wanted.context, fault: null };
    expect(await events.getSubscription(task, uri)).toEqual(found);
    const { subscriptions, complete } = await events.listSubscriptions(task);
    expect(complete).toBe(true);
    expect(subscriptions.filter(({ context }) => context === wanted.context)).toEqual([found]);
    await events.unsubscribe(task, uri);
    await events.unsubscribe(task, uri);
    expect(await events.getSubscription(task, uri)).toBeNull();
  });
});

test('asks the BMC to retry forever, and asks again without it where the BMC refuses that', async () => {
  const plain = await simulated('plain');
  await plain.events.subscribe(plain.task, wish());
  const ilo = await simulated('ilo5');
  await ilo.events.subscribe(ilo.task, wish());
  const policies = ({ bmc }: { bmc: SimulatedBmc }) =>
    bmc.requests
      .filter(({ method, path }) => method === 'POST' && path.endsWith('Subscriptions'))
      .map(({ body }) => (body === null ? null : (body as { DeliveryRetryPolicy?: string }).DeliveryRetryPolicy));
  expect(policies(plain)).toEqual(['RetryForever']);
  expect(policies(ilo).at(-1)).toBeUndefined();
});

test('leaves out the context and the selection where the BMC takes none', async () => {
  const { events, task } = await simulated('plain', 'refuses-context');
  const selection = { ...EVERYTHING, registryPrefixes: ['ResourceEvent'], severities: ['warning' as const] };
  const uri = await events.subscribe(task, wish({ selection }));
  expect(await events.getSubscription(task, uri)).toMatchObject({ context: '', fault: null });
});

test('gives the types of events to a BMC that demands them', async () => {
  const bodies: { EventTypes?: string[] }[] = [];
  const { events, task } = await scripted({ EventTypesForSubscription: ['Alert', 'MetricReport'] }, ({ body }) => {
    bodies.push(JSON.parse(body));
    const missing = { MessageId: 'Base.1.8.PropertyMissing', MessageArgs: ['EventTypes'] };
    return bodies.length === 1
      ? { status: 400, body: { error: { '@Message.ExtendedInfo': [missing] } } }
      : { status: 201, headers: { location: `${COLLECTION}/7` }, body: { Id: '7', Destination: 'x' } };
  });
  expect(await events.subscribe(task, wish())).toBe(`${COLLECTION}/7`);
  expect(bodies.map(({ EventTypes: types }) => types)).toEqual([undefined, ['Alert']]);
});

test('tells why a subscription sends nothing', async () => {
  const { bmc, events, task } = await simulated('plain');
  const uri = await events.subscribe(task, wish());
  bmc.documents.set(uri, { ...bmc.documents.get(uri)!, Status: { State: 'Disabled' } });
  expect(await events.getSubscription(task, uri)).toMatchObject({ fault: 'Status.State is Disabled' });
});

test('keeps the secret of the destination out of the BMC’s words', async () => {
  const wanted = wish();
  const { events, task } = await scripted({}, () => ({
    status: 400,
    body: {
      error: { '@Message.ExtendedInfo': [{ MessageId: 'Base.1.8.Bad', Message: `${wanted.destination} is bad` }] },
    },
  }));
  const error = await events.subscribe(task, wanted).catch((thrown: unknown) => thrown);
  expect(error).toMatchObject({ kind: 'bmc_refused', message: expect.stringContaining('is bad') });
  expect(JSON.stringify([error, String(error)])).not.toContain(wanted.destination.split('/').at(-1));
});

test('shows the subscription of a source without its secret', async () => {
  const { bmc, events, task } = await simulated('plain');
  const { destination } = wish();
  const uri = await events.subscribe(task, wish({ destination }));
  const redfish = createRedfishHardwareType({
    settings: { authType: 'auto', connectionAttempts: 1, connectionRetryIntervalMs: 5, requestTimeoutMs: 5000 },
    log: silentLogger,
  });
  closing.push(() => redfish.close?.());
  const method = methodOf(redfish, 'get_subscription');
  const shown = await method.run(taskOn(task.node).task, method.parse({ id: uri.split('/').at(-1)! }));
  expect(shown).toMatchObject({ Destination: 'https://passthru.example:6386/events/******' });
  expect(bmc.documents.get(uri)?.Destination).toBe(destination);
});

test('requests a test event in the form that the BMC takes', async () => {
  const action = { '#EventService.SubmitTestEvent': { target: `${SERVICE}/Actions/EventService.SubmitTestEvent` } };
  const bodies: Record<string, unknown>[] = [];
  const { events, task } = await scripted({ Actions: action }, ({ body }) => {
    const sent = JSON.parse(body);
    bodies.push(sent);
    const say = (id: string, argument: string) => ({
      status: 400,
      body: { error: { '@Message.ExtendedInfo': [{ MessageId: `Base.1.8.${id}`, MessageArgs: [argument] }] } },
    });
    if (sent.MessageId !== 'TMP0118') return say('ActionParameterValueFormatError', 'MessageId');
    if (sent.EventType === undefined) return say('ActionParameterMissing', 'EventType');
    return { status: 204 };
  });
  expect(await events.requestTest(task)).toBe('TMP0118');
  expect(bodies.at(-1)).toEqual({ MessageId: 'TMP0118', EventType: 'Alert' });
  bodies.length = 0;
  // What it took is remembered.
  expect(await events.requestTest(task)).toBe('TMP0118');
  expect(bodies[0]).toMatchObject({ MessageId: 'TMP0118' });
});

test('says when a BMC has no test events and no stream', async () => {
  const { events, task } = await scripted({}, () => ({ status: 404 }));
  await expect(events.requestTest(task)).rejects.toMatchObject({ kind: 'bmc_unsupported' });
  const sink = { opened() {}, alive() {}, event: async () => {} };
  await expect(events.stream!(task, null, sink)).rejects.toMatchObject({ kind: 'bmc_unsupported' });
});

test('reads messages from the registries of the BMC, whatever the case and the version of the id', async () => {
  const registry = '/redfish/v1/Registries/Test.1.2';
  const { events, task, bmc } = await scripted({}, ({ path }) => {
    const body: Record<string, object> = {
      '/redfish/v1/Registries': {
        Members: [{ '@odata.id': '/redfish/v1/Registries/Testing.1.0' }, { '@odata.id': registry }],
      },
      [registry]: { Registry: 'Test.1.2', Location: [{ Language: 'en', Uri: '/registries/test.json' }] },
      '/registries/test.json': { Messages: { FanFailed: { Message: 'Fan %1 failed', MessageSeverity: 'Critical' } } },
    };
    return path in body ? { status: 200, body: body[path] } : { status: 404 };
  });
  const ids = ['Test.1.0.fanfailed', 'Test.FanFailed', 'Test.1.2.Unknown', 'Other.1.0.X', 'bare'];
  const fan = { text: 'Fan %1 failed', severity: 'critical' };
  expect([...(await events.messages!(task, ids))]).toEqual([
    ['Test.1.0.fanfailed', fan],
    ['Test.FanFailed', fan],
  ]);
  const before = bmc.requests.length;
  expect((await events.messages!(task, ['Test.1.2.FanFailed'])).size).toBe(1);
  expect(bmc.requests.length).toBe(before);
});

test('reads a record that the BMC only links to, and from no other host', async () => {
  const link = '/redfish/v1/Managers/1/LogServices/Log/Entries/3';
  const { events, task } = await scripted({}, ({ path }) =>
    path === link ? { status: 200, body: { Id: '3', Message: 'Overheated' } } : { status: 404 },
  );
  expect(await events.readRecord!(task, link)).toMatchObject({ Message: 'Overheated' });
  await expect(events.readRecord!(task, `http://203.0.113.9${link}`)).rejects.toThrow('links to another host');
  await expect(events.readRecord!(task, '/other/path')).rejects.toThrow('outside of Redfish');
});

describe('a stream of events', () => {
  /** Starts a BMC that streams as `serve` does. */
  async function streaming(serve: (request: IncomingMessage, response: ServerResponse) => void) {
    const server: Server = createServer((request, response) => {
      if (request.url === `${SERVICE}/SSE`) return serve(request, response);
      const documents: Record<string, object> = {
        '/redfish/v1/': { EventService: { '@odata.id': SERVICE } },
        [SERVICE]: { Subscriptions: { '@odata.id': COLLECTION }, ServerSentEventUri: `${SERVICE}/SSE` },
      };
      const document = documents[request.url ?? ''];
      response.writeHead(document === undefined ? 404 : 200, { 'content-type': 'application/json' });
      response.end(document === undefined ? '' : JSON.stringify(document));
    });
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    closing.push(async () => {
      server.closeAllConnections();
      server.close();
    });
    return eventsOf(`http://127.0.0.1:${(server.address() as AddressInfo).port}`);
  }

  test('tells its events whole and in order, and resumes after the last one', async () => {
    const { events, task } = await streaming((request, response) => {
      response.writeHead(200, { 'content-type': 'text/event-stream' });
      response.write(`: hello\n\nid: ${request.headers['last-event-id'] ?? 'none'}\r\ndata: {"a":\r`);
      setImmediate(() => response.end('\ndata: 1}\r\n\r\nid: 2\ndata: {}\n\ndata: cut off'));
    });
    const told: unknown[] = [];
    const sink = {
      opened: () => void told.push('opened'),
      alive() {},
      event: async (id: string | null, body: string) => void told.push([id, body]),
    };
    await events.stream!(task, '41', sink);
    expect(told).toEqual(['opened', ['41', '{"a":\n1}'], ['2', '{}']]);
  });

  test('ends with the signal, and with what its receiver throws', async () => {
    const { events, task, abort } = await streaming((_request, response) => {
      response.writeHead(200, { 'content-type': 'text/event-stream' });
      response.write('data: {}\n\n');
    });
    const failing = { opened() {}, alive() {}, event: () => Promise.reject(new Error('full')) };
    await expect(events.stream!(task, null, failing)).rejects.toThrow('full');
    const sink = { opened() {}, alive() {}, event: async () => abort.abort(new Error('enough')) };
    await expect(events.stream!(task, null, sink)).rejects.toThrow('enough');
  });

  test('says why the BMC refuses it', async () => {
    const { events, task } = await streaming((_request, response) => {
      response.writeHead(503, { 'content-type': 'application/json' });
      response.end(JSON.stringify({ error: { '@Message.ExtendedInfo': [{ Message: 'Ten streams are open' }] } }));
    });
    const sink = { opened() {}, alive() {}, event: async () => {} };
    await expect(events.stream!(task, null, sink)).rejects.toThrow('Ten streams are open');
  });
});
