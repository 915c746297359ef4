// Events handed over to a real HTTP server, by the whole service.
import { createHmac } from 'node:crypto';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import type { EventRecord, StoredEvent } from '../../src/core/events/event.ts';
import { Webhook } from '../../src/events/webhook/webhook.ts';
import { operator, recordOf } from '../core/events/sourceHarness.ts';
import { type ObservedService, startObserved } from '../observe/observedService.ts';
import { type Received, startWebhookServer, type WebhookServer } from './webhookServer.ts';

const NODE = '11111111-1111-4111-8111-111111111111';
const SECRETS = ['a'.repeat(32), 'b'.repeat(24)].map((text) => `whsec_${Buffer.from(text).toString('base64')}`);
const UNTIL = { timeout: 30_000, interval: 20 };

let folder: string;
let receiver: WebhookServer;
let observed: ObservedService | null;
beforeEach(async () => {
  folder = mkdtempSync(join(tmpdir(), 'passthru-webhook-'));
  writeFileSync(join(folder, 'secret'), `# of the receiver\n${SECRETS[0]}\n`);
  receiver = await startWebhookServer();
  observed = null;
});
afterEach(async () => {
  await observed?.[Symbol.asyncDispose]();
  await receiver[Symbol.asyncDispose]();
  rmSync(folder, { recursive: true });
});

async function start(environment: Record<string, string> = {}): Promise<void> {
  observed = await startObserved({
    PASSTHRU_STORE: `sqlite:${join(folder, 'store.db')}`,
    PASSTHRU_EVENTS_WEBHOOK_URL: receiver.url,
    PASSTHRU_EVENTS_WEBHOOK_SECRET_FILE: join(folder, 'secret'),
    ...environment,
  });
}

function store(...records: Partial<EventRecord>[]): Promise<void> {
  const all = records.map((changes, index) => ({ ...recordOf('A.1.0.B'), bmcEventId: String(index), ...changes }));
  return observed!.service.core.intake.take(NODE, all);
}

const numbered = (count: number, from = 0) =>
  Array.from({ length: count }, (_, index) => ({ bmcEventId: String(from + index) }));
const numbers = () =>
  receiver.received.map(({ event }) => Number((event.data as { bmc_event_id: string }).bmc_event_id));

/** Returns which of `SECRETS` have signed a request, as a receiver finds out by the specification. */
function signers({ headers, body }: Received): number[] {
  const given = String(headers['webhook-signature']).split(' ');
  return SECRETS.flatMap((secret, index) => {
    const key = Buffer.from(secret.slice('whsec_'.length), 'base64');
    const content = `${headers['webhook-id']}.${headers['webhook-timestamp']}.${body}`;
    return given.includes(`v1,${createHmac('sha256', key).update(content).digest('base64')}`) ? [index] : [];
  });
}

test('an event arrives as a CloudEvent in structured mode, signed by the Standard Webhooks specification', async () => {
  await start();
  await store({
    severity: 'critical',
    origin: '/redfish/v1/Chassis/1',
    bmcTime: new Date('2026-11-30T03:45:28Z'),
    raw: { Oem: { a: 1 } },
  });
  await vi.waitFor(() => expect(receiver.received).toHaveLength(1), UNTIL);
  const [first] = receiver.received;
  const response = await observed!.send('GET', '/v1/events?raw=true');
  const listed = (await response.json()) as { events: { id: string; receive_time: string }[] };
  expect(first!.headers['content-type']).toBe('application/cloudevents+json; charset=utf-8');
  expect(first!.path).toBe('/events?key=secret-of-the-url');
  expect(first!.event).toEqual({
    specversion: '1.0',
    id: listed.events[0]!.id,
    source: `/v1/nodes/${NODE}`,
    type: 'passthru.v1.event.record',
    subject: '/redfish/v1/Chassis/1',
    time: new Date(listed.events[0]!.receive_time).toISOString(),
    severity: 'critical',
    sequence: '0000000000000001',
    datacontenttype: 'application/json',
    data: listed.events[0],
  });
  expect(first!.id).toBe(listed.events[0]!.id);
  expect(Math.abs(Number(first!.headers['webhook-timestamp']) * 1000 - Date.now())).toBeLessThan(60_000);
  expect(signers(first!)).toEqual([0]);
  const output = JSON.stringify(observed!.lines);
  expect(output).toContain('events are handed over by webhook');
  for (const secret of ['secret-of-the-url', ...SECRETS]) expect(output).not.toContain(secret);
});

test('a new secret signs beside the one before once it is in the file; a file that is wrong changes nothing', async () => {
  await start();
  writeFileSync(join(folder, 'secret'), `${SECRETS[0]}\n${SECRETS[1]}\n`);
  let number = 0;
  await vi.waitFor(
    async () => {
      await store({ bmcEventId: `x${number++}` });
      await vi.waitFor(() => expect(receiver.received).toHaveLength(number), UNTIL);
      expect(signers(receiver.received.at(-1)!)).toEqual([0, 1]);
    },
    { timeout: 30_000, interval: 200 },
  );
  writeFileSync(join(folder, 'secret'), 'whsec_short\n');
  await vi.waitFor(() => expect(JSON.stringify(observed!.lines)).toContain('those from before stay in use'), UNTIL);
  await store({ bmcEventId: 'last' });
  await vi.waitFor(() => expect(receiver.received).toHaveLength(number + 1), UNTIL);
  expect(signers(receiver.received.at(-1)!)).toEqual([0, 1]);
  expect(JSON.stringify(observed!.lines)).not.toContain('whsec_short');
});

test('while the receiver is down events wait, and come in their order when it is back, over a restart of the service', async () => {
  const { url } = receiver;
  const port = Number(new URL(url).port);
  await start();
  await store(...numbered(3));
  await vi.waitFor(() => expect(numbers()).toEqual([0, 1, 2]), UNTIL);
  await receiver[Symbol.asyncDispose]();
  await store(...numbered(4, 3));
  await vi.waitUntil(
    async () => ((await observed!.metric('passthru_webhook_events_total{outcome="failed"}')) ?? 0) > 0,
    UNTIL,
  );
  expect(await observed!.metric('passthru_webhook_lag_events')).toBe(4);
  expect(await observed!.metric('passthru_webhook_lag_seconds')).toBeGreaterThan(0);
  for (const node of ['fake-1', 'rf-1']) {
    await observed!.service.core.nodes.delete(node, operator, new AbortController().signal);
  }
  await observed![Symbol.asyncDispose]();
  receiver = await startWebhookServer(port);
  await start();
  await vi.waitFor(() => expect(numbers()).toEqual([3, 4, 5, 6]), UNTIL);
  await vi.waitUntil(async () => (await observed!.metric('passthru_webhook_lag_events')) === 0, UNTIL);
  expect(await observed!.metric('passthru_webhook_events_total{outcome="delivered"}')).toBe(4);
});

test('503 is repeated with the same id and a signature of its own, not before Retry-After', async () => {
  const times: number[] = [];
  receiver.respond = (_, response) => {
    times.push(performance.now());
    if (times.length === 1) response.writeHead(503, { 'Retry-After': '2' }).end();
    else response.writeHead(200).end('taken');
  };
  await start();
  await store({});
  await vi.waitFor(() => expect(times).toHaveLength(2), UNTIL);
  expect(times[1]! - times[0]!).toBeGreaterThanOrEqual(1990);
  const [first, second] = receiver.received;
  expect(second!.id).toBe(first!.id);
  expect(second!.body).toBe(first!.body);
  expect(Number(second!.headers['webhook-timestamp'])).toBeGreaterThan(Number(first!.headers['webhook-timestamp']));
  expect([first!, second!].map(signers)).toEqual([[0], [0]]);
});

test('a redirect is not followed, and told', async () => {
  await using other = await startWebhookServer();
  receiver.respond = (_, response) => void response.writeHead(307, { Location: other.url }).end();
  await start();
  await store({});
  await vi.waitFor(() => expect(JSON.stringify(observed!.lines)).toContain('a redirect, which is not followed'), UNTIL);
  expect(other.received).toEqual([]);
  receiver.respond = (_, response) => void response.writeHead(200).end();
  await vi.waitUntil(
    async () => (await observed!.metric('passthru_webhook_events_total{outcome="delivered"}')) === 1,
    UNTIL,
  );
});

test('an event that the receiver refuses by 400 holds up the others until events.webhook.skip_after', async () => {
  receiver.respond = ({ event }, response) => {
    const { bmc_event_id: id } = event.data as { bmc_event_id: string };
    response.writeHead(id === '1' ? 400 : 202).end();
  };
  await start({ PASSTHRU_EVENTS_WEBHOOK_SKIP_AFTER: '1s' });
  await store(...numbered(3));
  await vi.waitFor(() => expect(numbers().at(-1)).toBe(2), UNTIL);
  expect(numbers()).toEqual([0, ...numbers().filter((number) => number === 1), 2]);
  expect(numbers().length).toBeGreaterThanOrEqual(4);
  expect(await observed!.metric('passthru_webhook_events_total{outcome="skipped"}')).toBe(1);
  const skipped = observed!.lines.find(({ msg }) => String(msg).includes('was skipped'));
  expect(skipped).toMatchObject({
    level: 'error',
    event: receiver.received[1]!.id,
    reason: 'the receiver returned 400',
  });
});

test('a long record comes without raw, so that all that pass CloudEvents on take it', async () => {
  await start();
  await store({ kind: 'metric_report', raw: { Values: 'x'.repeat(100_000) } }, { bmcEventId: 'short', raw: { a: 1 } });
  await vi.waitFor(() => expect(receiver.received).toHaveLength(2), UNTIL);
  const [long, short] = receiver.received;
  expect(long!.body.length).toBeLessThan(64 * 1024);
  expect(long!.event).toMatchObject({
    type: 'passthru.v1.event.metric_report',
    data: { kind: 'EVENT_KIND_METRIC_REPORT' },
  });
  expect(long!.event.data).not.toHaveProperty('raw');
  expect(short!.event.data).toMatchObject({ raw: { a: 1 } });
});

test('with events.webhook.batch events come together, as a signed list of CloudEvents', async () => {
  receiver.respond = (_, response) => void setTimeout(() => response.writeHead(200).end(), 200);
  await start({ PASSTHRU_EVENTS_WEBHOOK_BATCH: '100' });
  for (let from = 0; from < 250; from += 50) await store(...numbered(50, from));
  const all = () =>
    receiver.received.flatMap(({ events }) =>
      events.map(({ data }) => Number((data as { bmc_event_id: string }).bmc_event_id)),
    );
  await vi.waitFor(() => expect(all()).toEqual(numbered(250).map(({ bmcEventId }) => Number(bmcEventId))), UNTIL);
  const { received } = receiver;
  expect(received.length).toBeLessThan(10);
  for (const request of received) {
    const ids = request.events.map(({ id }) => id);
    expect(ids.length).toBeLessThanOrEqual(100);
    expect(request.headers['content-type']).toBe('application/cloudevents-batch+json; charset=utf-8');
    expect(request.id).toBe(`${ids[0]}_${ids.at(-1)}`);
    expect(request.events[0]).toMatchObject({ specversion: '1.0', type: 'passthru.v1.event.record' });
    expect(signers(request)).toEqual([0]);
  }
  await vi.waitUntil(
    async () => (await observed!.metric('passthru_webhook_events_total{outcome="delivered"}')) === 250,
    UNTIL,
  );
});

test('a batch is no longer than servers take, however long its events are', async () => {
  await start({ PASSTHRU_EVENTS_WEBHOOK_BATCH: '500' });
  await store(...numbered(60).map((each) => ({ ...each, raw: { text: 'x'.repeat(50_000) } })));
  await vi.waitFor(() => expect(receiver.received.flatMap(({ events }) => events)).toHaveLength(60), UNTIL);
  for (const { body } of receiver.received) expect(body.length).toBeLessThan(1_000_000);
});

test('a receiver that is too slow has not taken the event', async () => {
  const event: StoredEvent = {
    ...{ id: 'log-1', position: 1, bytes: 1, nodeUuid: NODE, nodeName: null, receiveTime: new Date(0) },
    content: recordOf('A.1.0.B'),
  };
  receiver.respond = () => {};
  const webhook = new Webhook({ url: receiver.url, secrets: () => [Buffer.alloc(32)], timeout: 300 });
  const signal = new AbortController().signal;
  expect(await webhook.deliver([event], signal)).toEqual({
    delivery: { outcome: 'failed', reason: 'the receiver did not respond within 0.3 s', retryAfter: null },
    count: 1,
  });
  receiver.respond = (_, response) => void response.writeHead(200).end();
  const delivered = { delivery: { outcome: 'delivered' }, count: 1 };
  expect(await webhook.deliver([event], signal)).toEqual(delivered);
  // One that has responded but sends its body slowly has taken it.
  receiver.respond = (_, response) => void response.writeHead(200).write('t');
  expect(await webhook.deliver([event], signal)).toEqual(delivered);
  await webhook.close();
});

test.each([
  ['without a secret', '# nothing\n', 'contains no secret'],
  ['with a secret that is too short', `whsec_${Buffer.alloc(23).toString('base64')}`, 'line 1: not a secret'],
  ['with a secret in another form', `\n${'ab'.repeat(32)}\n`, 'line 2: not a secret'],
])('does not start with a file of secrets %s, and repeats no secret', async (_, content, problem) => {
  writeFileSync(join(folder, 'secret'), content);
  const failure = await start().catch((error: unknown) => String(error));
  expect(failure).toContain(`events.webhook.secret_file: ${join(folder, 'secret')}`);
  expect(failure).toContain(problem);
  expect(failure).not.toContain(content.trim());
});
