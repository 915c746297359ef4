import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { PassthruError } from '../../../src/core/errors.ts';
import type { EventRecord } from '../../../src/core/events/event.ts';
import { identify } from '../../../src/core/events/eventIdentity.ts';
import { messageKeys } from '../../../src/core/events/messageId.ts';
import { readBmcTime } from '../../../src/core/events/records/bmcTime.ts';
import { parseEventBody, readEventRecords } from '../../../src/core/events/records/readRecords.ts';
import type { Json, JsonObject } from '../../../src/core/json.ts';

/** What an event is, whatever its form. */
interface Facts {
  id: string;
  time: number;
  message: string;
  args: string[];
  severity: 'ok' | 'warning' | 'critical';
  origin: string;
}

/** Without what looks like credentials in an address, which are masked. */
const plain = (text: string) => text.replace(/[:@?&;=]/g, '-');

const FACTS: fc.Arbitrary<Facts> = fc.record({
  id: fc.integer({ min: 1, max: 1e9 }).map(String),
  // Whole seconds, as most BMCs send.
  time: fc.integer({ min: 0, max: 4e9 }).map((seconds) => seconds * 1000),
  message: fc.string({ minLength: 1, maxLength: 40, unit: 'grapheme' }).map((text) => `The ${plain(text)} changed.`),
  args: fc.array(fc.string({ maxLength: 10 }).map(plain), { maxLength: 4 }),
  severity: fc.constantFrom('ok', 'warning', 'critical'),
  origin: fc.constantFrom('/redfish/v1/Systems/1', '/redfish/v1/Chassis/1/Sensors/Fan%201'),
});

/** Severities as BMCs write them. */
const WORDS = {
  ok: ['OK', 'Informational', 'INFO', 'ok', 'Normal'],
  warning: ['Warning', 'WARNING', 'Non-Critical', 'Minor'],
  critical: ['Critical', 'Fatal', 'MAJOR', 'Non-Recoverable'],
};

/** A time as BMCs write it: in UTC, with an offset of some form, with fractions, or without the `T`. */
function timeForms(time: number): string[] {
  const utc = new Date(time).toISOString().slice(0, 19);
  const west = new Date(time - 6 * 3_600_000).toISOString().slice(0, 19);
  const east = new Date(time + 5.5 * 3_600_000).toISOString().slice(0, 19);
  return [
    ...[`${utc}Z`, `${utc}z`, `${utc}.000Z`, `${utc}.0000001Z`, `${utc}+00:00`, `${utc}+0000`, utc],
    ...[utc.replace('T', ' '), `${west}-06:00`, `${west}-0600`, `${west}-06`, `${east}+05:30`, `${east}+0530`],
  ];
}

const MESSAGE_IDS = [
  ...['ResourceEvent.1.0.ResourceChanged', 'ResourceEvent.1.0.3.ResourceChanged', 'ResourceEvent.ResourceChanged'],
  ...['resourceevent.1.3.resourcechanged', 'RESOURCEEVENT.RESOURCECHANGED'],
];

/** Returns a function that writes the record in one of its forms. */
const RECORD_FORM = fc
  .record({
    word: fc.nat(),
    messageSeverity: fc.boolean(),
    time: fc.nat(),
    messageId: fc.constantFrom(...MESSAGE_IDS),
    plainOrigin: fc.constantFrom('link', 'text', 'list'),
    member: fc.boolean(),
    type: fc.boolean(),
    idName: fc.constantFrom('EventId', 'EventID', 'eventId'),
    noise: fc.boolean(),
  })
  .map((form) => (facts: Facts): JsonObject => {
    const pick = <T>(list: T[], index: number) => list[index % list.length]!;
    const word = pick(WORDS[facts.severity], form.word);
    const link = { '@odata.id': facts.origin };
    const origins: Record<string, Json> = { link, text: facts.origin, list: [link] };
    return {
      ...(form.member ? { MemberId: '0' } : {}),
      ...(form.type ? { EventType: 'Alert' } : {}),
      [form.idName]: facts.id,
      EventTimestamp: pick(timeForms(facts.time), form.time),
      ...(form.messageSeverity ? { MessageSeverity: word, Severity: 'nonsense' } : { Severity: word }),
      Message: facts.message,
      MessageId: form.messageId,
      MessageArgs: facts.args,
      OriginOfCondition: origins[form.plainOrigin]!,
      ...(form.noise ? { Oem: { Vendor: { '@odata.type': '#X.Y' } }, Context: 'ours' } : {}),
    };
  });

const ENVELOPES: ((record: JsonObject) => Json)[] = [
  (record) => ({ '@odata.type': '#Event.v1_7_0.Event', Id: '9', Name: 'Event Array', Context: 'x', Events: [record] }),
  (record) => ({ '@odata.context': '/redfish/v1/$metadata#Event.Event', Events: record }),
  (record) => ({ Alerts: [record] }),
  (record) => ({ events: [record] }),
  (record) => record,
  (record) => [record],
];

/** What all forms of an event have in common. */
function essence({ raw: _, eventType: __, messageId, registry: ___, ...rest }: EventRecord) {
  return { ...rest, keys: messageKeys(messageId) };
}

describe('records', () => {
  test('are the same for every form of the same event, and count as the same delivery', () => {
    fc.assert(
      fc.property(FACTS, RECORD_FORM, fc.constantFrom(...ENVELOPES), (facts, form, envelope) => {
        const [record, ...others] = parseEventBody(JSON.stringify(envelope(form(facts))));
        expect(others).toEqual([]);
        expect(essence(record!)).toEqual({
          kind: 'record',
          bmcTime: new Date(facts.time),
          keys: { registry: 'resourceevent', message: 'resourcechanged' },
          message: facts.message,
          messageArgs: facts.args,
          severity: facts.severity,
          origin: facts.origin,
          bmcEventId: facts.id,
          truncated: false,
          reference: null,
        });
        const [again] = parseEventBody(JSON.stringify({ Events: [{ ...form(facts), MessageId: record!.messageId }] }));
        const digest = (given: EventRecord) => identify('n', given, facts.time).digest;
        expect(digest(again!)).toBe(digest(record!));
        expect(digest({ ...record!, bmcEventId: `${facts.id}1` })).not.toBe(digest(record!));
      }),
      { numRuns: 300 },
    );
  });

  test('never fail with anything but what is wrong with the body', () => {
    const names = fc.constantFrom(
      ...[
        'Events',
        'Alerts',
        'events',
        'MessageId',
        'Message',
        'MessageArgs',
        'Severity',
        'MessageSeverity',
        'EventId',
      ],
      ...[
        'EventTimestamp',
        'OriginOfCondition',
        '@odata.id',
        '@odata.type',
        'MetricValues',
        'Links',
        '__proto__',
        'Id',
      ],
    );
    const { value } = fc.letrec<{ value: unknown }>((tie) => ({
      value: fc.oneof(
        { depthSize: 'small', withCrossShrink: true },
        fc.constantFrom<unknown>(null, true, 0, -1, 1e308, '', '/redfish/v1', '2026-11-30T03:45:28-0600', '\ud800\0'),
        fc.string({ unit: 'binary', maxLength: 12 }),
        fc.array(tie('value'), { maxLength: 4 }),
        fc.array(fc.tuple(names, tie('value')), { maxLength: 6 }).map((members) => Object.fromEntries(members)),
      ),
    }));
    const bodies = fc.oneof(
      value.map((document) => JSON.stringify(document)),
      value.map((document) => JSON.stringify(document).slice(0, -1)),
      fc.string({ unit: 'binary', maxLength: 30 }),
    );
    let read = 0;
    let refused = 0;
    fc.assert(
      fc.property(bodies, (body) => {
        try {
          const records = parseEventBody(body);
          read++;
          for (const record of records) {
            identify('n', record, 0);
            JSON.stringify(record);
          }
        } catch (error) {
          refused++;
          if (!(error instanceof PassthruError)) throw error;
          expect(error.kind).toBe('invalid_argument');
          expect(error.message).toMatch(/^The body of an event must /);
        }
      }),
      { numRuns: 20_000 },
    );
    // Both happen.
    expect(Math.min(read, refused)).toBeGreaterThan(1000);
  });

  test('of older firmware, logs, reports and links are read', () => {
    const entry = {
      '@odata.type': '#LogEntry.v1_15_0.LogEntry',
      Id: '7',
      Created: '2026-11-30T03:45:28Z',
      Severity: 'Critical',
      Message: 'Fan 1 failed',
      MessageId: 'OpenBMC.0.1.FanFailed',
      Links: { OriginOfCondition: { '@odata.id': '/redfish/v1/Chassis/1' } },
    };
    expect(readEventRecords(entry)).toMatchObject([
      { bmcEventId: '7', severity: 'critical', origin: '/redfish/v1/Chassis/1', registry: 'OpenBMC' },
    ]);
    expect(readEventRecords(entry)[0]!.bmcTime).toEqual(new Date('2026-11-30T03:45:28Z'));
    const report = {
      '@odata.type': '#MetricReport.v1_4_2.MetricReport',
      Id: 'Power',
      ReportSequence: '12',
      MetricValues: [{}],
    };
    expect(readEventRecords(report)).toMatchObject([{ kind: 'metric_report', bmcEventId: 'Power/12', raw: report }]);
    expect(readEventRecords({ Events: [{ '@odata.id': '/redfish/v1/Log/1' }] })).toMatchObject([
      { reference: '/redfish/v1/Log/1', message: '', severity: null, bmcTime: null },
    ]);
    expect(readEventRecords({ MessageId: 'ResourceEvent.1.0.X', Message: '' })).toMatchObject([
      { message: '', bmcEventId: '', bmcTime: null, severity: null, registry: 'ResourceEvent' },
    ]);
    expect(readEventRecords({ Events: [] })).toEqual([]);
    expect(parseEventBody('\ufeff{"Events":["Fan 1 failed"]}\0\n')).toMatchObject([{ message: 'Fan 1 failed' }]);
  });

  test('have no time where the BMC sent none', () => {
    for (const time of [
      '',
      '00:00:00Z',
      '0000-00-00T00:00:00Z',
      '2026-02-31T00:00:00Z',
      '2026-13-01T00:00:00Z',
      'now',
      null,
      {},
      -5,
    ]) {
      expect(readBmcTime(time), JSON.stringify(time)).toBeNull();
    }
    expect(readBmcTime(1_700_000_000)).toEqual(new Date(1_700_000_000_000));
    expect(readBmcTime('1700000000000')).toEqual(new Date(1_700_000_000_000));
  });

  test('are cut to a bounded size, and say so; secrets in them are masked', () => {
    const long = 'x'.repeat(100_000);
    const [record] = readEventRecords({
      Message: long,
      MessageId: long,
      MessageArgs: Array(100).fill(long),
      Oem: { a: long },
    });
    expect(record!.truncated).toBe(true);
    expect(JSON.stringify(record).length).toBeLessThan(120_000);
    let deep: Json = {};
    for (let depth = 0; depth < 50; depth++) deep = { deep };
    expect(readEventRecords({ Message: 'a', Oem: deep })[0]).toMatchObject({ message: 'a', truncated: true });
    const [masked] = readEventRecords({ Message: 'a', Oem: { Password: 'hunter2', url: 'http://u:hunter2@x/' } });
    expect(JSON.stringify(masked)).not.toContain('hunter2');
    expect(masked!.truncated).toBe(false);
  });
});
