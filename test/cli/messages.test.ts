// The wording of errors, without starting a command for each.
import { create } from '@bufbuild/protobuf';
import { Code, ConnectError } from '@connectrpc/connect';
import fc from 'fast-check';
import { describe, expect, test, vi } from 'vitest';
import { ErrorDetailSchema, ErrorReason, ReservationKind } from '../../gen/passthru/v1/error_pb.ts';
import { unreadKeys } from '../../src/cli/driverKeys.ts';
import { CommandFailure } from '../../src/cli/exitStatus.ts';
import { describeDetail, toCommandFailure } from '../../src/cli/failure.ts';
import { readAttributes } from '../../src/cli/keyValues.ts';
import { nameNodes } from '../../src/cli/nodeNames.ts';
import { limitOption, lockDurationOption, lockWaitOption, timeoutOption } from '../../src/cli/options.ts';
import { recordOption } from '../../src/cli/recordOption.ts';
import { usageText } from '../../src/cli/usageText.ts';

const UUID = '11111111-1111-4111-8111-111111111111';
const OTHER = '22222222-2222-4222-8222-222222222222';

describe('the value of an option', () => {
  test.each([
    [limitOption('nodes', 'all'), ['x', '-1', '1.5', '', ' 1', '1e3', '0x10', '1000000000', '９'], 'a whole number'],
    [lockWaitOption(), ['x', '-1', '', '1w', '1 s'], 'a duration'],
    [lockDurationOption(), ['soon'], 'a duration'],
    [timeoutOption(), ['0', '0s', '2d', 'x', ''], 'a duration'],
  ])('of $long that is wrong is named with what is allowed', (option, values, what) => {
    for (const value of values) {
      const message = `${option.long}: ${JSON.stringify(value)} is not ${what}`;
      expect(() => option.parseArg?.(value, undefined)).toThrow(message);
    }
  });

  test('of --record gets a suggestion', () => {
    const parse = () => recordOption().parseArg?.('failure', undefined);
    expect(parse).toThrow('--record: "failure" is not allowed; did you mean failures?');
  });

  test('without "=" is repeated only if it can be no secret', () => {
    const read = (word: string) => () => readAttributes('--driver-info', [word]);
    expect(read('redfish_address')).toThrow(
      '--driver-info: "redfish_address" has no "=" and no value; must be KEY=VALUE',
    );
    fc.assert(
      fc.property(fc.stringMatching(/^[A-Za-z0-9!.-]{6,20}$/), (secret) => {
        expect(read(secret)).toThrow(expect.objectContaining({ message: expect.not.stringContaining(secret) }));
      }),
    );
    expect(read('=x')).toThrow('the key before "=" is empty');
  });
});

describe('usageText', () => {
  test.each([
    [
      "error: option '-f, --format <format>' argument 'jsn' is invalid. Allowed choices are table, json.",
      'error: --format: "jsn" is not allowed; allowed: table, json. Did you mean json?\n  See: passthru node list --help\n',
    ],
    [
      "error: option '--port <port>' argument '7\u001b[2J' is invalid. Use a whole number from 0 to 65535.",
      'error: --port: "7\\x1b[2J" is not allowed. Use a whole number from 0 to 65535.\n  See: passthru node list --help\n',
    ],
    [
      "error: unknown command 'lst'\n(Did you mean list?)",
      "error: unknown command 'lst'. Did you mean list?\n  See: passthru node list --help\n",
    ],
    // Not a matter of usage.
    [
      'error: port 8000 on 127.0.0.1 is in use; choose another',
      'error: port 8000 on 127.0.0.1 is in use; choose another\n',
    ],
  ])('of %s', (given, text) => {
    expect(usageText(`${given}\n`, ['node', 'list'])).toBe(text);
  });
});

describe('an error of the service', () => {
  const server = {
    url: 'http://a',
    headers: {},
    tls: {},
    advice: { authorities: '', credentials: 'C', address: '', api: '' },
  };

  test.each([
    [
      'Redfish exception occurred. Error: Redfish get_subscription failed for subscription 9. Error: Resource x not found',
      'Redfish get_subscription failed for subscription 9: Resource x not found',
    ],
    [
      'Redfish exception occurred. Error: Failed. Error: HTTP POST x returned code 400. Base.1.18.Exists See @Message.ExtendedInfo for more information.',
      'Failed: HTTP POST x returned code 400. Base.1.18.Exists',
    ],
    ['Destination None is not a valid URI', 'Destination None is not a valid URI'],
  ])('%s is printed without the words that join its layers', (message, printed) => {
    expect(describeDetail(create(ErrorDetailSchema, { message }))).toBe(printed);
  });

  test('of a locked node says what can be done, which depends on the lock', () => {
    const locked = (kind: ReservationKind) =>
      describeDetail(create(ErrorDetailSchema, { message: 'locked', lock: { kind, holder: 'h' } }));
    expect(locked(ReservationKind.HELD)).toMatch(/\n {2}release it by passthru node unlock, .* --lock-wait$/);
    expect(locked(ReservationKind.CALL)).toMatch(/\n {2}wait longer by --lock-wait$/);
  });

  test('names nodes as the user does: by name, unless the user gave the UUID', async () => {
    const getNode = vi.fn(async ({ node }) => {
      if (node === OTHER) throw new ConnectError('gone', Code.NotFound);
      return { node: { name: 'rf-1' } };
    });
    const named = async (message: string, given: string[], status = 1) => {
      const client = { getNode } as unknown as Parameters<typeof nameNodes>[1];
      return (await nameNodes(new CommandFailure(status, message), client, given)).message;
    };
    expect(await named(`Node ${UUID} is locked. See node '${UUID}'`, ['rf-1'])).toBe(
      "Node rf-1 is locked. See node 'rf-1'",
    );
    expect(await named(`Node ${UUID} is locked`, [UUID.toUpperCase()])).toBe(`Node ${UUID} is locked`);
    expect(await named(`Node ${OTHER} is gone`, ['rf-2'])).toBe(`Node ${OTHER} is gone`);
    getNode.mockClear();
    // Other ids are no nodes, and a service that is away is not asked again.
    expect(await named(`Job ${UUID} could not be found`, [])).toContain(UUID);
    expect(await named(`Node ${UUID}`, [], 5)).toContain(UUID);
    expect(getNode).not.toHaveBeenCalled();
  });

  test('after --timeout ends with 124, but not a BMC that timed out', () => {
    const late = new ConnectError('late', Code.DeadlineExceeded);
    expect(toCommandFailure(late, { ...server, timeout: 1500 })).toMatchObject({
      status: 124,
      message: 'no response from http://a within 1.5 s (--timeout); what was requested may still be carried out',
    });
    const detail = { desc: ErrorDetailSchema, value: { reason: ErrorReason.BMC_TIMEOUT, message: 'slow BMC' } };
    const slow = new ConnectError('slow', Code.DeadlineExceeded, undefined, [detail]);
    expect(toCommandFailure(slow, { ...server, timeout: 1500 })).toMatchObject({ status: 1, message: 'slow BMC' });
  });
});

test('keys of driver_info that a driver does not read get a suggestion', () => {
  const known = ['redfish_address', 'redfish_password'];
  expect(unreadKeys('redfish', known, ['redfish_adress', 'redfish_address', 'ipmi_port', '\u001b]0;x'])).toEqual([
    'driver_info: driver redfish does not read redfish_adress; did you mean redfish_address?',
    'driver_info: driver redfish does not read ipmi_port; passthru driver property list shows the keys that it reads',
    expect.stringContaining('does not read \\x1b]0;x;'),
  ]);
  // A driver that names none may read any.
  expect(unreadKeys('lamp', [], ['anything'])).toEqual([]);
});
