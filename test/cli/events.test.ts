import { afterAll, beforeAll, describe, expect, test, vi } from 'vitest';
import { readEventRecords } from '../../src/core/events/records/readRecords.ts';
import { type GatedService, startGatedService } from '../rest/gatedService.ts';
import { passthru, startPassthru } from './run.ts';

// Each command is a process, which is slow to start on a busy machine.
vi.setConfig({ testTimeout: 120_000, hookTimeout: 120_000 });

let service: GatedService;
let nodeUuid: string;
const at = { PASSTHRU_SERVER: '' };
beforeAll(async () => {
  service = await startGatedService();
  at.PASSTHRU_SERVER = service.url;
  nodeUuid = (await service.core.nodes.get('n1')).uuid;
});
afterAll(() => service.close());

const take = (record: object) => service.core.intake.take(nodeUuid, readEventRecords(record as never));

describe('passthru events', () => {
  test('list shows events newest first, as a table or JSON, with filters', async () => {
    await take({ EventId: '1', Message: 'Fan 3 failed', MessageId: 'Alert.1.0.FanFailed', Severity: 'Critical' });
    await take({ EventId: '2', Message: 'Fan 3 is \u001b[31mback', MessageId: 'Alert.1.0.FanBack', Severity: 'OK' });
    const table = await passthru(['events', 'list'], at);
    expect(table).toMatchObject({ status: 0, stderr: '' });
    expect(table.stdout.indexOf('back')).toBeLessThan(table.stdout.indexOf('Fan 3 failed'));
    expect(table.stdout).not.toContain('\u001b');
    const json = await passthru(
      [
        'events',
        'list',
        '--node',
        'n1',
        '--severity',
        'warning',
        '--message',
        'fanfailed',
        '--since',
        '1h',
        '-f',
        'json',
      ],
      at,
    );
    expect(JSON.parse(json.stdout)).toMatchObject([{ Node: 'n1', Severity: 'critical', Message: 'Fan 3 failed' }]);
    const one = await passthru(['events', 'list', '--limit', '1', '-f', 'value', '-c', 'Message ID'], at);
    expect(one.stdout).toBe('Alert.1.0.FanBack\n');
    const none = await passthru(['events', 'list', '--until', '2020-01-01'], at);
    expect(none).toMatchObject({ status: 0, stdout: '', stderr: 'No events.\n' });
    const wrong = await passthru(['events', 'list', '--since', 'monday'], at);
    expect([wrong.status, wrong.stderr]).toEqual([2, expect.stringContaining('--since')]);
  });

  test('follow prints each event that arrives, as a line or JSON, until it is interrupted', async () => {
    const text = startPassthru(['events', 'follow', '--severity', 'warning'], at);
    const json = startPassthru(['events', 'follow', '--node', 'n1', '-f', 'json', '--raw'], at);
    await text.printed(/ events follow\n/);
    await json.printed(/"event":"current"/);
    await take({ EventId: '3', Message: 'Lid closed', Severity: 'OK' });
    await take({ EventId: '4', Message: 'Lid open', Severity: 'Warning', OriginOfCondition: '/redfish/v1/Chassis/1' });
    await text.printed(/ n1 warning Lid open \(\/redfish\/v1\/Chassis\/1\)\n/);
    await json.printed(/Lid closed[\s\S]*Lid open/);
    for (const command of [text, json]) command.process.kill('SIGINT');
    const { status, stdout } = await text.ended;
    expect([status, stdout]).toEqual([130, expect.not.stringContaining('Lid closed')]);
    const lines = (await json.ended).stdout.trimEnd().split('\n');
    expect(JSON.parse(lines.at(-1)!)).toMatchObject({
      event: 'event',
      record: { message: 'Lid open', severity: 'warning', raw: { EventId: '4' } },
      cursor: expect.stringMatching(/^[\w-]+$/),
    });
  });
});
