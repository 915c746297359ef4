import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import { type ErrorKind, PassthruError } from '../../../src/core/errors.ts';
import { RestartSigns, tellsOfRestart } from '../../../src/core/events/sources/restartSigns.ts';
import type { CallEnd, CallReport } from '../../../src/core/observer.ts';
import { recordOf } from './sourceHarness.ts';

const NODE = { uuid: '11111111-1111-4111-8111-111111111111', name: 'n1' };

let looked: string[];
let time: number;
let signs: RestartSigns;
beforeEach(() => {
  vi.useFakeTimers();
  looked = [];
  time = 1e6;
  signs = new RestartSigns(
    (nodeUuid) => looked.push(nodeUuid),
    () => time,
  );
});
afterEach(() => {
  signs.stop();
  vi.useRealTimers();
});

const fail = (kind: ErrorKind) =>
  signs.observer.callEnded(
    { node: NODE } as CallReport,
    { outcome: null, error: new PassthruError(kind, '') } as CallEnd,
  );

test.each([
  ['OpenBMC.0.1.BMCReboot', ''],
  ['IDRAC.2.8.RAC0182', ''],
  ['iLOEvents.2.3.iLOReset', ''],
  ['ResourceEvent.1.0.ResourcePoweredOn', '/redfish/v1/Managers/1'],
  ['ResourceEvent.1.3.ResourceStateChanged', '/redfish/v1/Managers/iDRAC.Embedded.1/'],
  ['LenovoFirmware.XCCRestarted', ''],
])('%s about %s tells of a restart', (messageId, origin) => {
  expect(tellsOfRestart({ messageId, origin })).toBe(true);
});

test.each([
  ['ResourceEvent.1.0.ResourcePoweredOn', '/redfish/v1/Systems/1'],
  ['ResourceEvent.1.0.ResourceChanged', '/redfish/v1/Managers/1'],
  ['ResourceEvent.1.0.ResourceStateChanged', '/redfish/v1/Managers/1/LogServices/Log1'],
  ['Base.1.8.Success', ''],
  ['', ''],
])('%s about %s does not', (messageId, origin) => {
  expect(tellsOfRestart({ messageId, origin })).toBe(false);
});

test('an event of a restart has the source looked at, and once more when the BMC should be back', () => {
  const event = { nodeUuid: NODE.uuid, content: recordOf('OpenBMC.0.1.BMCReboot') };
  const stored = { ...event, id: 'a-1', position: 1, bytes: 1, nodeName: null, receiveTime: new Date(0) };
  signs.stored([{ ...stored, content: recordOf('Base.1.0.Success') }]);
  expect(looked).toEqual([]);
  signs.stored([stored, stored]);
  expect(looked).toEqual([NODE.uuid]);
  vi.advanceTimersByTime(10 * 60_000);
  expect(looked).toEqual([NODE.uuid, NODE.uuid]);
});

test('a call that cannot reach the BMC is a sign, one that fails otherwise is none; many in a row count once', () => {
  fail('bmc_refused');
  fail('invalid_argument');
  expect(looked).toEqual([]);
  for (let call = 0; call < 100; call++) fail('bmc_unreachable');
  expect(looked).toHaveLength(1);
  time += 31_000;
  fail('bmc_unreachable');
  expect(looked).toHaveLength(2);
});

test('nothing is looked at after the stop', () => {
  fail('bmc_unreachable');
  signs.stop();
  vi.advanceTimersByTime(10 * 60_000);
  expect(looked).toHaveLength(1);
});
