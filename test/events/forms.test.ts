// Each form in which the simulator sends events, as machines in the field do: it becomes the same typed record.
import { afterAll, beforeAll, describe, expect, test, vi } from 'vitest';
import type { EventRecord } from '../../src/core/events/event.ts';
import { messageKeys } from '../../src/core/events/messageId.ts';
import type { Service } from '../../src/service.ts';
import { QUIRKS } from '../../src/sim/index.ts';
import { startWatching, WatchedMachine } from './watchedMachine.ts';

const MESSAGE_ID = 'ResourceEvent.1.3.ResourceErrorsDetected';
const ORIGIN = '/redfish/v1/Chassis/1/Thermal';
const TIME = Date.UTC(2026, 4, 1, 12, 30, 15);

/** What every form of the event tells. */
const WHOLE = {
  kind: 'record',
  bmcTime: new Date(TIME),
  keys: messageKeys(MESSAGE_ID),
  message: expect.stringMatching(/Fan 3.*Overheated/),
  messageArgs: ['Fan 3', 'Overheated'],
  severity: 'warning',
  origin: ORIGIN,
  bmcEventId: expect.stringMatching(/./),
  truncated: false,
};

/** What some forms do not tell, and no registry does. */
const LACKING: Record<string, Partial<Record<keyof typeof WHOLE, unknown>>> = {
  'event-message-id-key': { keys: { registry: '', message: 'resourceerrorsdetected' } },
  'event-args-null': { messageArgs: [] },
  'event-args-missing': { messageArgs: [] },
  'event-origin-missing': { origin: '' },
  'event-timestamp-missing': { bmcTime: null },
  'event-timestamp-unset': { bmcTime: new Date('1970-01-01T00:00:42Z') },
  'event-id-missing': { bmcEventId: '' },
};

/** The quirks that change what is sent. */
const FORMS = [...QUIRKS.values()].filter(
  ({ changeRecord, changeEnvelope, events }) => changeRecord ?? changeEnvelope ?? events?.indent,
);

let service: Service;
beforeAll(async () => {
  // Tests would be records too.
  service = await startWatching({ PASSTHRU_EVENTS_TEST_INTERVAL: '0s', PASSTHRU_EVENTS_VERIFY_INTERVAL: '1m' });
});
afterAll(() => service.close());

async function records(node: string): Promise<EventRecord[]> {
  const { events } = await service.core.events.list({
    ...{ nodes: [node], minSeverity: null, messages: [], origin: null },
    ...{ limit: 10, before: null, since: null, until: null, withRaw: true },
  });
  return events.map(({ content }) => content as EventRecord);
}

describe('an event becomes the same record', () => {
  test.concurrent.each(['as the standard has it', ...FORMS.map(({ name }) => name)])('%s', async (name) => {
    const quirks = QUIRKS.has(name) ? [name] : [];
    await using machine = await WatchedMachine.start(service, name.replace(/\W+/g, '-'), 'plain', { quirks });
    await machine.set();
    await vi.waitFor(async () => expect(await machine.source()).toMatchObject({ state: 'active' }));
    machine.bmc.events.send({
      ...{ messageId: MESSAGE_ID, args: ['Fan 3', 'Overheated'], severity: 'Warning', time: TIME, origin: ORIGIN },
    });
    const [record] = await vi.waitFor(async () => {
      const found = await records(machine.node);
      expect(found).toHaveLength(1);
      return found;
    });
    const { raw, eventType: _, registry: __, messageId, reference: ___, ...told } = record!;
    expect({ ...told, keys: messageKeys(messageId) }).toEqual({ ...WHOLE, ...LACKING[name] });
    expect(JSON.stringify(raw)).toContain(messageId === '' ? 'Id' : messageId);
  });

  test('and a metric report one of its own kind, with its values', async () => {
    await using machine = await WatchedMachine.start(service, 'report', 'plain');
    await machine.set();
    await vi.waitFor(async () => expect(await machine.source()).toMatchObject({ state: 'active' }));
    // A subscription that selects nothing gets events alone; that of the service may be changed to get reports too.
    machine.change(machine.own[0]!, { EventTypes: ['MetricReport'], EventFormatType: 'MetricReport' });
    machine.bmc.events.sendReport({ report: 'Power', values: [{ id: 'PowerConsumedWatts', value: '412' }] });
    const [record] = await vi.waitFor(async () => {
      const found = await records('report');
      expect(found).toHaveLength(1);
      return found;
    });
    expect(record).toMatchObject({ kind: 'metric_report', severity: null, eventType: 'MetricReport', messageId: '' });
    expect(JSON.stringify(record!.raw)).toContain('412');
  });
});
