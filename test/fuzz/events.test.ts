// Bodies that a BMC may post, and what becomes of them when they are damaged: nothing crashes, and what is stored is a typed record.
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { gzipSync } from 'node:zlib';
import fc from 'fast-check';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { z } from 'zod';
import { EVENT_SEVERITIES } from '../../src/core/events/event.ts';
import { StoringIntake } from '../../src/core/events/intake.ts';
import { isJsonObject, type Json, type JsonObject, nestsDeeperThan, storableText } from '../../src/core/json.ts';
import type { Logger } from '../../src/core/logger.ts';
import { NO_OBSERVER } from '../../src/core/observer.ts';
import type { Store } from '../../src/core/store.ts';
import { type PostOutcome, type Receiver, startReceiver } from '../../src/events/receiver.ts';
import { openStore } from '../../src/store/open.ts';

/** The number of bodies. */
const RUNS = Number(process.env.FUZZ_RUNS ?? 5000);
const AT_ONCE = 50;
/** Reproduces a run: FUZZ_SEED. */
const SEED = Number(process.env.FUZZ_SEED ?? Date.now() % 2 ** 31);

const NODE = '11111111-1111-4111-8111-111111111111';

let store: Store;
let receiver: Receiver;
let outcomes: PostOutcome[] = [];
const defects: object[] = [];
const log: Logger = {
  debug() {},
  info() {},
  warn() {},
  error: (fields, message) => void defects.push({ message, ...fields }),
};

beforeAll(async () => {
  store = await openStore('sqlite::memory:', { log });
  receiver = await startReceiver({
    ...{ host: '127.0.0.1', port: 0, tls: null, path: '', log, maxConnections: 200, receiveTimeout: 10_000 },
    senders: { find: async () => ({ nodeUuid: NODE, bmcHost: null }), findKnown: () => null },
    intake: new StoringIntake(store, log, NO_OBSERVER, { rate: 1e9, totalRate: 1e9 }),
    ...{ senderCheck: null, refuseOthers: false },
    ended: (outcome) => outcomes.push(outcome),
    otherSender() {},
  });
});
afterAll(async () => {
  await receiver.close(0);
  await store.close();
});

const MESSAGE = {
  MessageId: 'ResourceEvent.1.0.3.ResourceErrorsDetected',
  Message: 'The resource property Fan 3 has detected errors.',
  MessageArgs: ['Fan 3', 'Overheated'],
};
const PLACE = { OriginOfCondition: { '@odata.id': '/redfish/v1/Chassis/1' } };

/** The forms of records that are known of machines, see `test/events/forms.test.ts`. */
const RECORDS: JsonObject[] = [
  {
    ...{ MemberId: '0', EventType: 'Alert', EventId: '4', EventTimestamp: '2026-11-30T03:45:28-0600' },
    ...{ Severity: 'Warning', MessageSeverity: 'Warning', Context: 'passthru:a:b:1' },
    ...{ ...MESSAGE, ...PLACE },
  },
  {
    MessageId: 'IDRAC.2.8.TMP0120',
    Message: '',
    Severity: 'Informational',
    OriginOfCondition: '/redfish/v1/Systems/1',
  },
  { messageid: 'TMP0120', eventId: 7, EventTimestamp: 1_796_000_000, MessageArgs: null, Severity: 'Non-Critical' },
  { '@odata.id': '/redfish/v1/EventService/Events/7' },
  {
    ...{ '@odata.type': '#LogEntry.v1_15_0.LogEntry', Id: '9', EntryType: 'Event', Created: '2026-11-30 03:45:28' },
    ...{ ...MESSAGE, Links: PLACE, Oem: { Hpe: { Class: 17, Code: 5, Password: 'calvin' } } },
  },
];

/** Documents of captured machines, whose links, dates and vendors' members are put into bodies. */
const CAPTURED: Json[] = readdirSync(join(import.meta.dirname, '../captures'))
  .filter((file) => file.endsWith('.json'))
  .flatMap((file) => {
    const capture = JSON.parse(readFileSync(join(import.meta.dirname, '../captures', file), 'utf8')) as JsonObject;
    return Object.values(capture)
      .filter(isJsonObject)
      .flatMap((part) => Object.values(part))
      .filter(isJsonObject)
      .slice(0, 50);
  });

const ENVELOPES: ((records: Json[]) => Json)[] = [
  (records) => ({ '@odata.type': '#Event.v1_7_0.Event', Id: '9', Name: 'Event Array', Context: 'x', Events: records }),
  (records) => ({ Alerts: records }),
  (records) => ({ events: records[0] ?? {} }),
  (records) => records[0] ?? {},
  (records) => records,
  (records) => ({
    ...{ '@odata.type': '#MetricReport.v1_4_2.MetricReport', Id: 'Power', Name: 'Power', ReportSequence: '5' },
    ...{ Timestamp: '2026-11-30T03:45:28Z', MetricValues: records },
  }),
];

/** Values where others are expected. */
const odd: fc.Arbitrary<Json> = fc.oneof(
  fc.constantFrom<Json>(null, true, 0, -1, 1e308, 2 ** 53, '', ' ', [], {}, [null], '__proto__', '\ud800', '\u0000x'),
  fc.constantFrom<Json>('9999-12-31T23:59:60Z', '2026-02-31T00:00:00Z', '-0600', '%1 %2 %99', 'passthru_evt_x'),
  fc.constantFrom<Json>(
    { '@odata.id': '/redfish/v1/../../etc/passwd' },
    { '@odata.id': 'https://elsewhere.example/x' },
  ),
  fc.string({ unit: 'binary', maxLength: 20 }),
  fc.integer({ min: 1, max: 40_000 }).map((length) => 'é'.repeat(length)),
  fc.integer({ min: 1, max: 90 }).map((depth) => JSON.parse(`${'['.repeat(depth)}${']'.repeat(depth)}`) as Json),
  CAPTURED.length > 0 ? fc.constantFrom(...CAPTURED) : fc.constant<Json>({}),
  fc
    .dictionary(fc.string({ maxLength: 8 }), fc.jsonValue({ maxDepth: 2 }), { maxKeys: 5 })
    .map((value) => value as Json),
);

const NAMES = [...new Set(RECORDS.flatMap((record) => Object.keys(record))), 'Links', '__proto__', 'constructor', 'Id'];

/** Changes members of a record: other values, other names, missing or added ones. */
const mutatedRecord = fc
  .record({
    record: fc.constantFrom(...RECORDS),
    values: fc.array(fc.tuple(fc.constantFrom(...NAMES), odd), { maxLength: 3 }),
    dropped: fc.subarray(NAMES, { maxLength: 3 }),
    upper: fc.constantFrom('as is', 'upper', 'lower'),
  })
  .map(({ record, values, dropped, upper }) => {
    const members = Object.entries({ ...record, ...Object.fromEntries(values) }).filter(
      ([name]) => !dropped.includes(name),
    );
    const renamed = members.map(([name, value]): [string, Json] => [
      upper === 'upper' ? name.toUpperCase() : upper === 'lower' ? name.toLowerCase() : name,
      value,
    ]);
    return Object.fromEntries(renamed) as Json;
  });

const document = fc
  .tuple(
    fc.constantFrom(...ENVELOPES),
    fc.array(fc.oneof({ weight: 8, arbitrary: mutatedRecord }, odd), { maxLength: 4 }),
  )
  .map(([envelope, records]) => JSON.stringify(envelope(records)));

/** Damages the text of a body: cuts, inserts, repeats and flips bytes of it. */
const damaged = fc
  .tuple(
    document,
    fc.nat(),
    fc.nat(),
    fc.constantFrom('cut', 'insert', 'repeat', 'flip', 'append'),
    fc.string({ unit: 'binary', maxLength: 6 }),
  )
  .map(([text, from, to, how, inserted]) => {
    const body = Buffer.from(text);
    const [start, end] = [from % body.length, to % body.length].toSorted((a, b) => a - b) as [number, number];
    const parts = {
      cut: () => [body.subarray(0, start), body.subarray(end)],
      insert: () => [body.subarray(0, start), Buffer.from(inserted), body.subarray(start)],
      repeat: () => [body.subarray(0, end), body.subarray(start)],
      flip: () => [body.subarray(0, start), Buffer.from([body[start]! ^ 0x41]), body.subarray(start + 1)],
      append: () => [body, Buffer.from(inserted)],
    };
    return Buffer.concat(parts[how]());
  });

const body = fc.oneof(
  { weight: 10, arbitrary: document.map((text) => ({ body: Buffer.from(text), encoding: 'identity' })) },
  { weight: 8, arbitrary: damaged.map((bytes) => ({ body: bytes, encoding: 'identity' })) },
  { weight: 1, arbitrary: document.map((text) => ({ body: gzipSync(text), encoding: 'gzip' })) },
  { weight: 1, arbitrary: damaged.map((bytes) => ({ body: bytes, encoding: 'gzip' })) },
  {
    weight: 1,
    arbitrary: fc.uint8Array({ maxLength: 60 }).map((bytes) => ({ body: Buffer.from(bytes), encoding: 'identity' })),
  },
);

/** At most `bytes` long, and such as every store keeps. */
const text = (bytes: number) =>
  z.string().refine((value) => Buffer.byteLength(value) <= bytes && storableText(value) === value);

/** What may be stored of a post: `EventRecord` with its limits. */
const STORED = z.strictObject({
  kind: z.enum(['record', 'metric_report']),
  bmcTime: z.date().min(new Date(0)).max(new Date('9999-12-31T23:59:59.999Z')).nullable(),
  messageId: text(256),
  registry: text(256),
  message: text(4096),
  messageArgs: z.array(text(1024)).max(32),
  severity: z.enum(EVENT_SEVERITIES).nullable(),
  origin: text(1024),
  eventType: text(256),
  bmcEventId: text(256),
  raw: z.custom<JsonObject>((value) => isJsonObject(value as Json)).refine((raw) => !nestsDeeperThan(raw, 28)),
  truncated: z.boolean(),
  reference: text(1024).nullable(),
});

let [accepted, refused, records] = [0, 0, 0];
let position = 0;

async function post({ body: bytes, encoding }: { body: Buffer; encoding: string }): Promise<number> {
  const response = await fetch(`${receiver.url}/x`, {
    ...{ method: 'POST', headers: { 'content-encoding': encoding } },
    body: new Uint8Array(bytes),
  });
  expect(await response.text()).toBe('');
  return response.status;
}

/** Checks what was stored since the last time. */
async function checkStored(): Promise<void> {
  for (;;) {
    const events = await store.eventsAbove(position, 500);
    if (events.length === 0) return;
    for (const { content, nodeUuid } of events) {
      expect(nodeUuid).toBe(NODE);
      const { error } = STORED.safeParse(content);
      if (error !== undefined) throw new Error(`${error.message}\n${JSON.stringify(content).slice(0, 2000)}`);
      // Damage may have changed the name by which a password is known.
      if (content.kind !== 'gap') expect(JSON.stringify(content.raw)).not.toMatch(/"password":"[^"]*calvin/i);
    }
    records += events.length;
    position = events.at(-1)!.position;
  }
}

test(`${RUNS} bodies: each is stored as typed records or refused, and nothing fails (seed ${SEED})`, async () => {
  const property = fc.asyncProperty(fc.array(body, { minLength: AT_ONCE, maxLength: AT_ONCE }), async (bodies) => {
    outcomes = [];
    const statuses = await Promise.all(bodies.map(post));
    for (const [index, status] of statuses.entries()) {
      if (status === 200) accepted++;
      else if (status === 400 || status === 413) refused++;
      else throw new Error(`status ${status}: ${bodies[index]!.body.toString('latin1').slice(0, 2000)}`);
    }
    expect(outcomes.filter((outcome) => outcome === 'stored')).toHaveLength(
      statuses.filter((status) => status === 200).length,
    );
    await checkStored();
    expect(defects.splice(0)).toEqual([]);
  });
  await fc.assert(property, { numRuns: Math.ceil(RUNS / AT_ONCE), seed: SEED, endOnFailure: true });
  console.log(`${accepted} bodies accepted, ${refused} refused; ${records} records stored`);
  // Both must be met often, or the bodies prove little.
  expect(Math.min(accepted, refused)).toBeGreaterThan(RUNS / 10);
}, 600_000);
