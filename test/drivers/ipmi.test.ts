import { randomUUID } from 'node:crypto';
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test, vi } from 'vitest';
import { PassthruError } from '../../src/core/errors.ts';
import type { JsonObject } from '../../src/core/json.ts';
import { readIpmiConnection } from '../../src/drivers/ipmi/connection.ts';
import { createIpmiHardwareType } from '../../src/drivers/ipmi/ipmiHardwareType.ts';
import { readFailure, withoutBytes } from '../../src/drivers/ipmi/ipmitoolFailure.ts';
import { methodOf, nodeOf, taskOn } from './nodeTask.ts';

const ipmi = createIpmiHardwareType();

function validate(driverInfo: JsonObject): string | null {
  try {
    ipmi.vendorInterfaces[0].validate?.(nodeOf('ipmi', driverInfo));
    return null;
  } catch (error) {
    expect(error).toBeInstanceOf(PassthruError);
    expect((error as PassthruError).kind).toBe('invalid_argument');
    expect((error as PassthruError).violations[0]?.field).toMatch(/^driver_info\.ipmi_/);
    return (error as PassthruError).message;
  }
}

describe('the ipmi hardware type', () => {
  test('has the methods that Ironic lists', async () => {
    const recordings = await readFile(new URL('../recordings/transcripts.json', import.meta.url), 'utf8');
    const transcripts: { name: string; response: { json: unknown } }[] = JSON.parse(recordings);
    const recorded = transcripts.find((each) => each.name === 'node methods of ipmi');
    const methods = ipmi.vendorInterfaces[0].methods.map((method) => [
      method.name,
      {
        http_methods: method.httpMethods,
        async: method.async,
        description: method.description,
        attach: method.attach,
        require_exclusive_lock: method.requireExclusiveLock,
      },
    ]);
    expect(Object.fromEntries(methods)).toEqual(recorded?.response.json);
    expect(ipmi.vendorInterfaces.map((each) => each.name)).toEqual(['ipmitool', 'no-vendor']);
  });
});

describe('the arguments', () => {
  const sendRaw = methodOf(ipmi, 'send_raw');
  const bmcReset = methodOf(ipmi, 'bmc_reset');

  test.each([
    ['0x00 0x01', '0x00 0x01'],
    ['6 1 255', '0x06 0x01 0xff'],
    ['  0X6\t0xA\n', '0x06 0x0a'],
  ])('raw_bytes %j are sent as %j', (raw_bytes, sent) => {
    expect(sendRaw.parse({ raw_bytes })).toEqual({ raw_bytes: sent });
  });

  test.each([
    '0x06', // no command
    '0x100 0x01',
    '256 1',
    '010 1', // octal to ipmitool
    'chassis 1',
    '0x06 0x01; reboot',
    '0x06 -h',
    '0x06 1.0',
    '0x06 1e1',
    '6,1',
    ' \n ',
    Array(257).fill('0').join(' '),
    'x'.repeat(100_000),
  ])('raw_bytes %.20j are rejected', (raw_bytes) => {
    expect(() => sendRaw.parse({ raw_bytes })).toThrow(/^Method send_raw: argument 'raw_bytes' must be /);
  });

  test('256 bytes are accepted', () => {
    expect(() => sendRaw.parse({ raw_bytes: Array(256).fill('0xff').join(' ') })).not.toThrow();
  });

  test.each<JsonObject>([{}, { raw_bytes: null }, { raw_bytes: '' }])(
    '%j fails in Ironic’s words for missing bytes',
    (raw) => {
      expect(() => sendRaw.parse(raw)).toThrow(/^Parameter raw_bytes \(string of bytes\) was not specified\.$/);
    },
  );

  test.each([
    [{}, true],
    [{ warm: null }, true],
    [{ warm: true }, true],
    [{ warm: 'True' }, true],
    [{ warm: 'false' }, false],
    [{ warm: 0 }, false],
  ])('bmc_reset %j is warm: %j', (raw, warm) => {
    expect(bmcReset.parse(raw)).toEqual({ warm });
  });

  test('bmc_reset rejects a word that is not a boolean instead of resetting cold', () => {
    expect(() => bmcReset.parse({ warm: 'lukewarm' })).toThrow(/'warm' must be a boolean/);
  });
});

describe('driver_info', () => {
  test.each<[JsonObject, string]>([
    [{ ipmi_address: null }, "Missing the following IPMI credentials in node's driver_info: ['ipmi_address']."],
    [{ ipmi_address: '' }, "Missing the following IPMI credentials in node's driver_info: ['ipmi_address']."],
    [{ ipmi_port: 'x' }, 'ipmi_port "x" is not a valid port.'],
    [{ ipmi_port: 70000 }, 'ipmi_port "70000" is not a valid port.'],
    [{ ipmi_port: '0' }, 'ipmi_port "0" is not a valid port.'],
    [
      { ipmi_protocol_version: '3.0' },
      'Invalid IPMI protocol version value 3.0, the valid value can be one of 2.0, 1.5',
    ],
    [
      { ipmi_priv_level: 'ROOT' },
      'Invalid privilege level value:ROOT, the valid value can be one of ADMINISTRATOR, CALLBACK, OPERATOR, USER',
    ],
    [
      { ipmi_bridging: 'both' },
      "Invalid value for ipmi_bridging: both, the valid value can be one of: ['single', 'dual', 'no']",
    ],
    [
      { ipmi_bridging: 'dual', ipmi_target_channel: '7' },
      "['ipmi_target_address', 'ipmi_transit_channel', 'ipmi_transit_address'] not provided",
    ],
    [{ ipmi_cipher_suite: 'strong' }, 'Invalid cipher suite strong, expected a number'],
    [{ ipmi_cipher_suite: 3, ipmi_protocol_version: '1.5' }, 'Cipher suites cannot be used with IPMI 1.5'],
    [{ ipmi_hex_kg_key: 'abc' }, 'Number of ipmi_hex_kg_key characters is not even'],
  ])('%j is rejected in the words of Ironic', (driverInfo, message) => {
    expect(validate({ ipmi_address: 'bmc', ...driverInfo })).toBe(message);
  });

  test.each(['-H', '--help', '-', 'bmc;reboot', 'bmc -h', 'a..b', '.', '127.0.0.1:623', 'x'.repeat(254), 5, {}])(
    'an address %.20j is refused',
    (address) => {
      expect(validate({ ipmi_address: address })).toMatch(/Must be a valid IP address or hostname\.$/);
    },
  );

  test.each(['10.0.0.7', 'fe80::1', 'bmc-7.example', 'bmc_7'])('an address %s is accepted', (address) => {
    expect(validate({ ipmi_address: address })).toBeNull();
  });

  test.each<JsonObject>([
    { ipmi_username: '-x' },
    { ipmi_username: 'a\u0000b' },
    { ipmi_username: 'seventeen-letters' },
    { ipmi_password: 'a\nb' },
    { ipmi_password: 'twenty-one-letters-aa' },
    { ipmi_password: 'seventeen-letters', ipmi_protocol_version: '1.5' },
    { ipmi_hex_kg_key: '00ff' },
    { ipmi_hex_kg_key: 'zz' },
    { ipmi_bridging: 'single', ipmi_target_channel: '7', ipmi_target_address: '-v' },
  ])('%j is rejected without quoting a secret', (driverInfo) => {
    const message = validate({ ipmi_address: 'bmc', ...driverInfo });
    expect(message).toMatch(/^ipmi_/);
    for (const secret of ['a\nb', 'letters', '00ff', 'zz']) expect(message).not.toContain(secret);
  });

  test("becomes ipmitool's options, without the secrets", () => {
    const connection = readIpmiConnection(
      nodeOf('ipmi', {
        ipmi_address: 'bmc.example',
        ipmi_port: 6230,
        ipmi_username: 'root',
        ipmi_password: 12345678,
        ipmi_hex_kg_key: '6b657921',
        ipmi_priv_level: 'OPERATOR',
        ipmi_protocol_version: 2,
        ipmi_cipher_suite: '17',
        ipmi_bridging: 'dual',
        ipmi_local_address: '0x20',
        ipmi_transit_channel: 0,
        ipmi_transit_address: '0x82',
        ipmi_target_channel: '7',
        ipmi_target_address: '0x72',
      }),
    );
    expect(connection.options.join(' ')).toBe(
      '-I lanplus -H bmc.example -L OPERATOR -p 6230 -U root -C 17 -m 0x20 -B 0 -T 0x82 -b 7 -t 0x72 -E -K',
    );
    expect(connection.secrets).toEqual({ IPMITOOL_PASSWORD: '12345678', IPMI_KGKEY: 'key!' });
  });

  test('without bridging has no bridging options; single bridging has no transit', () => {
    const keys = { ipmi_transit_channel: '0', ipmi_target_channel: '7', ipmi_target_address: '0x72' };
    const none = readIpmiConnection(nodeOf('ipmi', { ipmi_address: 'bmc', ipmi_protocol_version: '1.5', ...keys }));
    expect(none.options.join(' ')).toBe('-I lan -H bmc -L ADMINISTRATOR -E');
    const single = readIpmiConnection(nodeOf('ipmi', { ipmi_address: 'bmc', ipmi_bridging: 'single', ...keys }));
    expect(single.options.join(' ')).toBe('-I lanplus -H bmc -L ADMINISTRATOR -b 7 -t 0x72 -E');
  });
});

// The output of ipmitool 1.8.19 (`-v`) with OpenIPMI's ipmi_sim, and with no BMC at all.
describe('the output of ipmitool', () => {
  const noise = 'Loading IANA PEN Registry...\n';
  const failed = 'Error: Unable to establish IPMI v2 / RMCP+ session\n';
  test.each([
    ['> RAKP 2 HMAC is invalid\n', 'bmc_refused', /password/],
    ['RAKP 2 message indicates an error : unauthorized name\n', 'bmc_refused', /unauthorized name$/],
    ['> RAKP 4 message has invalid integrity check value\n', 'bmc_refused', /Kg key/],
    [
      'Error in open session response message : invalid authentication algorithm\n\n',
      'bmc_refused',
      /invalid authentication algorithm$/,
    ],
    [
      'Get Auth Capabilities error\nError issuing Get Channel Authentication Capabilities request\n',
      'bmc_unreachable',
      /did not respond$/,
    ],
    ['Address lookup for nosuch.invalid failed\nCould not open socket!\n', 'bmc_unreachable', /could not be resolved/],
  ])('when no session is opened: %j means %s', (printed, kind, what) => {
    expect(readFailure(noise + printed + failed)).toEqual({ kind, what: expect.stringMatching(what) });
  });

  test.each([
    [
      '(channel=0x0 netfn=0x6 lun=0x0 cmd=0x2 rsp=0xc1): Invalid command',
      'bmc_refused',
      'responded 0xc1 (Invalid command)',
    ],
    ['(channel=0x0 netfn=0x6 lun=0x0 cmd=0x2 rsp=0xc0): Node busy', 'bmc_failed', 'responded 0xc0 (Node busy)'],
    ['(channel=0x0 netfn=0x6 lun=0x0 cmd=0x2 rsp=0xc3): Timeout', 'bmc_timeout', 'responded 0xc3 (Timeout)'],
    [
      '(channel=0x0 netfn=0x6 lun=0x0 cmd=0x2)',
      'outcome_unknown',
      expect.stringContaining('may have been carried out'),
    ],
  ])('to a raw command: %j means %s', (printed, kind, what) => {
    const stderr = `${noise}RAW REQ (channel=0x0 netfn=0x6 lun=0x0 cmd=0x2 data_len=0)\nUnable to send RAW command ${printed}\n`;
    expect(readFailure(stderr)).toEqual({ kind, what });
  });

  test.each([
    ['MC reset command failed: Invalid command', 'bmc_refused'],
    ['MC reset command failed.', 'outcome_unknown'],
    ['Invalid user name\nError: Unable to establish LAN session', 'bmc_refused'],
    ['Activate Session command failed\nError: Unable to establish LAN session', 'bmc_refused'],
    ['Error: Unable to establish LAN session\nError: Unable to establish IPMI v1.5 / RMCP session', 'bmc_unreachable'],
  ])('%j means %s', (printed, kind) => {
    expect(readFailure(noise + printed)?.kind).toBe(kind);
  });

  test('is not interpreted when unknown, and logged without the bytes sent', () => {
    const stderr = `${noise}RAW REQUEST (3 bytes)\n 0b 73 65\nGiven data "0x73" is invalid.\nOut of luck\n`;
    expect(readFailure(stderr)).toBeNull();
    expect(withoutBytes(stderr)).toBe('Loading IANA PEN Registry...\nRAW REQUEST (3 bytes)\nOut of luck');
  });
});

// A fake program replaces ipmitool in cases that the real one cannot show: missing, hanging, and recording its input.
// ipmi.sim.test.ts uses the real one.
describe('the program', () => {
  interface Called {
    program: string;
    abort: AbortController;
    close(): Promise<void> | undefined;
  }
  const SECRET = 'sekret-of-the-bmc-7';
  let directory: string;
  beforeAll(async () => {
    directory = await mkdtemp(join(tmpdir(), 'passthru-ipmi-'));
  });
  afterAll(async () => {
    await rm(directory, { recursive: true });
  });

  /** Writes a program that runs `script`, and calls send_raw by it; `during` may do something while it runs. */
  async function call(
    script: string | null,
    options: { timeout?: number; during?: (called: Called) => Promise<void> } = {},
  ) {
    const program = join(directory, `ipmitool-${randomUUID()}`);
    if (script !== null) await writeFile(program, `#!/bin/sh\n${script}\n`, { mode: 0o700 });
    const hardwareType = createIpmiHardwareType({ program, timeout: options.timeout });
    const method = methodOf(hardwareType, 'send_raw');
    const { task, abort } = taskOn(nodeOf('ipmi', { ipmi_address: '127.0.0.1', ipmi_password: SECRET }));
    const logged: unknown[] = [];
    const keep = (...entry: unknown[]) => logged.push(entry);
    const log = { debug: keep, info: keep, warn: keep, error: keep };
    const outcome = method.run({ ...task, log }, method.parse({ raw_bytes: '6 0x47 0x73 0x65' })).then(
      (result) => ({ result, error: null }),
      (error: PassthruError) => ({ result: null, error }),
    );
    await options.during?.({ program, abort, close: () => hardwareType.close?.() });
    return { program, logged, ...(await outcome) };
  }

  test('when missing, fails the call with how to install it', async () => {
    const { error } = await call(null);
    expect(error?.kind).toBe('driver_not_ready');
    expect(error?.message).toMatch(/is not installed .* apt-get install ipmitool/);
  });

  test('gets the password in its environment, never on its command line', async () => {
    const script = `printf '%s\\n' "$@" > $0.args; env > $0.env; printf ' 0a ff\\n 01\\n'`;
    const { program, result, error } = await call(script);
    expect(error).toBeNull();
    expect(result).toEqual({ raw_bytes: '0x0a 0xff 0x01' });
    const parameters = await readFile(`${program}.args`, 'utf8');
    expect(parameters.trim().split('\n').slice(-6)).toEqual(['-E', 'raw', '0x06', '0x47', '0x73', '0x65']);
    expect(parameters).not.toContain(SECRET);
    const environment = await readFile(`${program}.env`, 'utf8');
    expect(environment).toContain(`IPMITOOL_PASSWORD=${SECRET}\n`);
    expect(environment).toContain('LC_ALL=C\n');
  });

  test('that prints nothing returns no bytes', async () => {
    expect((await call('echo')).result).toEqual({ raw_bytes: '' });
  });

  test('that hangs is killed, with an unknown outcome', async () => {
    const { error } = await call('exec sleep 600', { timeout: 50 });
    expect(error?.kind).toBe('outcome_unknown');
    expect(error?.message).toContain('may have been carried out');
  });

  const WRITE_PID = 'echo $$ > $0.new; mv $0.new $0.pid';
  const pidOf = (program: string) =>
    vi.waitFor(async () => Number(await readFile(`${program}.pid`, 'utf8')), { timeout: 5000 });
  /** Runs until the test has made its file `go`. */
  const UNTIL_GO = `${WRITE_PID}; until [ -e $0.go ]; do sleep 0.02; done`;

  test.each([
    ['succeeds returns what it did', 'echo 0a', { result: { raw_bytes: '0x0a' }, error: null }],
    ['fails ends as cancelled', 'exit 1', { result: null, error: { kind: 'cancelled' } }],
  ])('runs to its end in a cancelled call, which keeps its node; one that %s', async (_, end, expected) => {
    let pid = 0;
    let early = false;
    const outcome = await call(`${UNTIL_GO}; ${end}`, {
      async during({ program, abort }) {
        pid = await pidOf(program);
        abort.abort(new PassthruError('cancelled', 'enough'));
        await new Promise(setImmediate);
        process.kill(pid, 0);
        early = true;
        await writeFile(`${program}.go`, '');
      },
    });
    expect(early).toBe(true);
    expect(outcome).toMatchObject(expected);
    expect(() => process.kill(pid, 0)).toThrow(/ESRCH/);
  });

  test('is killed when the service closes the driver', async () => {
    const { error } = await call(`${WRITE_PID}; exec sleep 600`, {
      async during({ program, close }) {
        await pidOf(program);
        await close();
      },
    });
    expect(error?.kind).toBe('outcome_unknown');
  });

  test('that fails for an unknown reason is logged; log and error contain neither password nor bytes', async () => {
    const { error, logged } = await call('echo "Out of luck" >&2; echo " 73 65" >&2; exit 3');
    expect(error?.kind).toBe('bmc_failed');
    expect(error?.message).toMatch(/^IPMI call failed: raw\. .*status 3/);
    expect(JSON.stringify(logged)).toContain('Out of luck');
    for (const text of [JSON.stringify(logged), error?.message]) {
      expect(text).not.toContain(SECRET);
      expect(text).not.toMatch(/73 65|0x73/);
    }
  });
});
