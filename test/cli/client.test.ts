import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, describe, expect, test, vi } from 'vitest';
import { parse } from 'yaml';
import { tellSkipped } from '../real/pythonEnvironment.ts';
import { type Ended, passthru, ROOT, type Served, serve, start, startPassthru } from './run.ts';
import { hasTerminal, onTerminal } from './terminal.ts';

// Each command is a process of its own, which takes its time on a busy machine.
vi.setConfig({ testTimeout: 60_000, hookTimeout: 60_000 });

const DRIVER = fileURLToPath(new URL('./benchDriver.ts', import.meta.url));

let directory: string;
let served: Served;

beforeAll(async () => {
  directory = mkdtempSync(join(tmpdir(), 'passthru-cli-'));
  const nodes = join(directory, 'nodes.yaml');
  writeFileSync(
    nodes,
    `nodes:
  - { name: bench-1, driver: bench, uuid: 11111111-1111-4111-8111-111111111111, description: 'first' }
  - { name: bench-2, driver: bench }
  - { name: locked-1, driver: bench, reservation: conductor-b.example }
`,
  );
  served = await serve([], {
    PASSTHRU_NODES_FILE: nodes,
    PASSTHRU_DRIVERS: DRIVER,
    PASSTHRU_HOST: 'replica-1',
  });
});

afterAll(async () => {
  await served?.stop();
  rmSync(directory, { recursive: true });
});

function run(...args: string[]): Promise<Ended> {
  return passthru(args, { PASSTHRU_SERVER: served.url });
}

/** Runs a command that must succeed and answers what it printed. */
async function output(...args: string[]): Promise<string> {
  const { status, stdout, stderr } = await run(...args);
  expect({ status, stderr }).toEqual({ status: 0, stderr: '' });
  return stdout;
}

describe('lists and records', () => {
  test("node list is a table with Ironic's columns", async () => {
    const lines = (await output('node', 'list')).split('\n');
    expect(lines.slice(0, 4)).toEqual([
      '+--------------------------------------+----------+---------------+-------------+--------------------+-------------+',
      '| UUID                                 | Name     | Instance UUID | Power State | Provisioning State | Maintenance |',
      '+--------------------------------------+----------+---------------+-------------+--------------------+-------------+',
      '| 11111111-1111-4111-8111-111111111111 | bench-1  | None          | None        | enroll             | False       |',
    ]);
  });

  test("node passthru list is a table with Ironic's columns", async () => {
    expect(await output('node', 'passthru', 'list', 'bench-1')).toBe(`\
+--------+------------------------+-------+--------------------------------------------------------------+------------------------+
| Name   | Supported HTTP methods | Async | Description                                                  | Response is attachment |
+--------+------------------------+-------+--------------------------------------------------------------+------------------------+
| echo   | POST, PUT              | False | Answers its arguments                                        | False                  |
| hold   | POST                   | True  | Runs until the driver method release is called with its word | False                  |
| report | GET                    | False | Answers bytes                                                | True                   |
+--------+------------------------+-------+--------------------------------------------------------------+------------------------+
`);
  });

  test("driver list has Ironic's columns and driver passthru list the driver's own methods", async () => {
    const drivers = JSON.parse(await output('driver', 'list', '-f', 'json'));
    expect(drivers).toContainEqual({ 'Supported driver(s)': 'bench', 'Active host(s)': 'replica-1' });
    const names = await output('driver', 'passthru', 'list', 'bench', '-f', 'value', '-c', 'Name');
    expect(names).toBe('release\n');
  });

  test('node show is a table of fields and values', async () => {
    const lines = (await output('node', 'show', 'bench-1')).split('\n');
    expect(lines[1]).toMatch(/^\| Field +\| Value +\|$/);
    expect(lines.map((line) => line.replace(/ +/g, ' '))).toEqual(
      expect.arrayContaining(['| description | first |', '| reservation | None |', '| vendor_interface | bench |']),
    );
  });

  test('-f json, yaml and value print data, -c picks columns whatever their case, in the order of the table', async () => {
    const pick = ['-c', 'maintenance', '-c', 'NAME'];
    expect(JSON.parse(await output('node', 'list', '-f', 'json', ...pick))[0]).toEqual({
      Name: 'bench-1',
      Maintenance: false,
    });
    expect(parse(await output('node', 'list', '-f', 'yaml', ...pick))[0]).toEqual({
      Name: 'bench-1',
      Maintenance: false,
    });
    expect((await output('node', 'list', '-f', 'value', ...pick)).split('\n')[0]).toBe('bench-1 False');
    expect(await output('node', 'show', 'bench-1', '-f', 'value', '-c', 'driver', '-c', 'maintenance')).toBe(
      'bench\nFalse\n',
    );
    expect(await output('node', 'list', '-f', 'value', '-c', 'provisioning_state', '--limit', '1')).toBe('enroll\n');
  });

  test('a column that is not there is refused with those that are', async () => {
    expect(await run('node', 'list', '-c', 'Colour')).toMatchObject({
      status: 2,
      stderr: expect.stringContaining('there is no column Colour; columns: UUID, Name, Instance UUID'),
    });
  });

  test('who holds a locked node is shown', async () => {
    const node = JSON.parse(await output('node', 'show', 'locked-1', '-f', 'json'));
    expect(node).toMatchObject({
      reservation: 'conductor-b.example',
      lock: { kind: 'held', method: null, requested_by: 'nodes_file', job: null },
    });
  });
});

describe('node validate', () => {
  test("tells under Ironic's columns whether the interface can work with the node; 1 when it cannot", async () => {
    expect(JSON.parse(await output('node', 'validate', 'bench-1', '-f', 'json'))).toEqual([
      { Interface: 'vendor', Result: true, Reason: null },
    ]);
    await output('node', 'create', '--driver', 'redfish', '--name', 'no-address');
    const { status, stdout, stderr } = await run('node', 'validate', 'no-address', '-f', 'json');
    expect([status, stderr]).toEqual([1, 'error: node no-address is not valid\n']);
    expect(JSON.parse(stdout)).toEqual([
      { Interface: 'vendor', Result: false, Reason: expect.stringContaining('redfish_address') },
    ]);
    await output('node', 'delete', 'no-address');
    expect(await run('node', 'validate', 'nope')).toMatchObject({ status: 3 });
  });
});

describe('a life of a node', () => {
  test('create, set, maintenance, lock, unlock, unset, delete', async () => {
    const secret = join(directory, 'password.txt');
    writeFileSync(secret, '0123\n');
    const created = JSON.parse(
      await output(
        ...['node', 'create', '--driver', 'bench', '--name', 'life-1', '--driver-info', `a_password=@${secret}`],
        ...['--driver-info', 'port=623', '--extra', 'tags=["x"]', '--property', 'cpus=4', '-f', 'json'],
      ),
    );
    expect(created).toMatchObject({
      name: 'life-1',
      driver_info: { a_password: '******', port: 623 },
      extra: { tags: ['x'] },
      properties: { cpus: 4 },
    });
    const show = async () => JSON.parse(await output('node', 'show', created.uuid, '-f', 'json'));

    await output('node', 'set', 'life-1', '--name', 'life-2', '--description', 'new', '--driver-info', 'port=624');
    expect(await show()).toMatchObject({
      name: 'life-2',
      description: 'new',
      driver_info: { a_password: '******', port: 624 },
    });

    await output('node', 'maintenance', 'set', 'life-2', '--reason', 'fan');
    expect(await show()).toMatchObject({ maintenance: true, maintenance_reason: 'fan' });
    expect(await output('node', 'list', '--maintenance', '-f', 'value', '-c', 'Name')).toBe('life-2\n');
    expect(await output('node', 'list', '--no-maintenance', '-f', 'value', '-c', 'Name')).not.toContain('life-2');
    await output('node', 'maintenance', 'unset', 'life-2');
    expect(await show()).toMatchObject({ maintenance: false, maintenance_reason: null });

    expect(await output('node', 'lock', 'life-2', '--holder', 'me')).toBe('Locked node life-2; it is held by me\n');
    expect(await show()).toMatchObject({ reservation: 'me' });
    await output('node', 'unlock', 'life-2');
    expect(await show()).toMatchObject({ reservation: null, lock: null });

    await output(
      'node',
      'unset',
      'life-2',
      '--description',
      '--driver-info',
      'port',
      '--extra',
      'tags',
      '--property',
      'cpus',
    );
    expect(await show()).toMatchObject({
      description: null,
      driver_info: { a_password: '******' },
      extra: {},
      properties: {},
    });

    expect(await run('node', 'delete', 'nope', 'life-2')).toEqual({
      status: 3,
      stdout: 'Deleted node life-2\n',
      stderr: 'error: Node nope could not be found.\n',
    });
    expect(await run('node', 'show', 'life-2')).toMatchObject({ status: 3 });
  });
});

describe('a call', () => {
  const call = (...args: string[]) => run('node', 'passthru', 'call', ...args);

  test("arguments get the types of the method's schema", async () => {
    const pairs = {
      ...{ text: '7', number: '1.5', integer: '3', flag: 'True', list: '["a"]', object: '{"a":{"b":[1]}}' },
      ...{ choice: 'a', either: 'false', anything: '{"x":1}' },
    };
    const args = Object.entries(pairs).flatMap(([key, value]) => ['--arg', `${key}=${value}`]);
    const { stdout } = await call('bench-1', 'echo', '--http-method', 'PUT', ...args);
    expect(JSON.parse(stdout)).toEqual({
      ...{ text: '7', number: 1.5, integer: 3, flag: true, list: ['a'], object: { a: { b: [1] } } },
      ...{ choice: 'a', either: 'false', anything: '{"x":1}' },
    });
  });

  test('@FILE is the content of a file, @@ a text that begins with @', async () => {
    const file = join(directory, 'text.txt');
    writeFileSync(file, 'from a file\n');
    const { stdout } = await call(
      'bench-1',
      'echo',
      '--http-method',
      'POST',
      '--arg',
      `text=@${file}`,
      '--arg',
      'anything=@@x=y',
    );
    expect(JSON.parse(stdout)).toEqual({ text: 'from a file', anything: '@x=y' });
  });

  test.each([
    [['--arg', 'number=x'], '--arg number: must be number'],
    [['--arg', 'list=a'], '--arg list: must be array, as JSON'],
    [['--arg', 'flag=maybe'], '--arg flag: must be boolean'],
    [['--arg', 'text'], '--arg: it is KEY=VALUE'],
    [['--arg', 'text=a', '--arg', 'text=b'], '--arg: text is given twice'],
    [['--arg', 'text=@/does/not/exist'], '--arg: /does/not/exist cannot be read: ENOENT'],
    [['--output', 'x'], '--output: echo answers no attachment'],
    [['--lock-wait', 'long'], 'It is a time such as 10 (seconds), 500ms or 2m.'],
    [['--format', 'xml'], 'Allowed choices are table, json, yaml, value'],
    [['--colour'], "unknown option '--colour'"],
  ])('%j is wrong usage and nothing is sent', async (args, message) => {
    expect(await call('bench-1', 'echo', ...args)).toMatchObject({
      status: 2,
      stdout: '',
      stderr: expect.stringContaining(message),
    });
  });

  test('what the service refuses is told with each violation', async () => {
    const { status, stderr } = await call(
      'bench-1',
      'echo',
      '--http-method',
      'PUT',
      '--arg',
      'integer=1.5',
      '--arg',
      'nope=1',
    );
    expect(status).toBe(2);
    expect(stderr).toContain('--arg integer: must be integer');
    const refused = await call('bench-1', 'echo', '--http-method', 'PUT', '--arg', 'choice=c', '--arg', 'nope=1');
    expect(refused.status).toBe(1);
    expect(refused.stderr).toMatch(/choice.*must be one of/);
    expect(refused.stderr).toMatch(/nope/);
  });

  test('an unknown node is 3, an unknown method 1, a locked node 4 with its holder', async () => {
    expect(await call('nope', 'echo')).toMatchObject({ status: 3, stderr: 'error: Node nope could not be found.\n' });
    expect(await run('driver', 'show', 'nope')).toMatchObject({ status: 3 });
    expect(await run('job', 'show', '00000000-0000-4000-8000-000000000000')).toMatchObject({ status: 3 });
    expect(await call('bench-1', 'nope')).toMatchObject({ status: 1, stderr: expect.stringContaining('nope') });
    const locked = await call('locked-1', 'echo', '--http-method', 'PUT', '--lock-wait', '0');
    expect(locked.status).toBe(4);
    expect(locked.stderr).toMatch(/is locked by host conductor-b\.example/);
    expect(locked.stderr).toMatch(/held by conductor-b\.example, since 20\d\d-\S+, requested by nodes_file/);
  });

  test('an attachment goes to --output, or to standard output, byte by byte, and never where the service says', async () => {
    const file = join(directory, 'report.bin');
    expect(await call('bench-1', 'report', '--output', file)).toEqual({
      status: 0,
      stdout: '',
      stderr: `${file}: 4 bytes of application/octet-stream\n`,
    });
    expect([...readFileSync(file)]).toEqual([0, 1, 254, 255]);
    const piped = startPassthru(['node', 'passthru', 'call', 'bench-1', 'report'], { PASSTHRU_SERVER: served.url });
    expect(await piped.ended).toMatchObject({ status: 0 });
    expect([...piped.bytes()]).toEqual([0, 1, 254, 255]);
    const unwritable = await call('bench-1', 'report', '--output', join(directory, 'absent', 'x'));
    expect(unwritable).toMatchObject({ status: 1, stderr: expect.stringContaining('the method was called, but') });
  });

  test('a key of idempotency makes two calls one job', async () => {
    const once = async () => {
      const { stdout } = await call(
        'bench-2',
        'hold',
        '--arg',
        'word=once',
        '--idempotency-key',
        'k1',
        '-f',
        'value',
        '-c',
        'id',
      );
      return stdout;
    };
    await output('driver', 'passthru', 'call', 'bench', 'release', '--arg', 'word=once');
    expect(await once()).toBe(await once());
  });
});

describe('a job', () => {
  /** Starts a job that runs until it is released, and answers its id. */
  async function startHold(word: string): Promise<string> {
    const id = await output(
      'node',
      'passthru',
      'call',
      'bench-1',
      'hold',
      '--arg',
      `word=${word}`,
      '-f',
      'value',
      '-c',
      'id',
    );
    return id.trim();
  }
  const release = (word: string) => output('driver', 'passthru', 'call', 'bench', 'release', '--arg', `word=${word}`);

  test('--watch follows it: a line for each change on standard error, the job on standard output', async () => {
    const args = ['node', 'passthru', 'call', 'bench-1', 'hold', '--arg', 'word=watched', '--watch', '-f', 'json'];
    const watch = startPassthru(args, { PASSTHRU_SERVER: served.url });
    await watch.printed(/hold running 50% half/);
    await release('watched');
    const { status, stdout, stderr } = await watch.ended;
    expect(status).toBe(0);
    expect(JSON.parse(stdout)).toMatchObject({
      state: 'succeeded',
      method: 'hold',
      node_name: 'bench-1',
      result: { word: 'watched' },
    });
    expect(stderr.trimEnd().split('\n').at(-1)).toMatch(/^\d{4}-\d\d-\d\dT\S+Z hold succeeded$/);
    // What a driver or a BMC says cannot colour the terminal.
    expect(stderr).toContain('half \\x1b[31mway');
    expect(stderr).not.toContain('\u001b');
  });

  if (!hasTerminal) tellSkipped('a watch on a terminal', 'there is no python3 here');
  test.skipIf(!hasTerminal)('on a terminal a bar shows how far it is, in one line that is written anew', async () => {
    const { status, shown } = await onTerminal(
      ['node', 'passthru', 'call', 'bench-1', 'hold', '--arg', 'word=bar', '--watch', '-f', 'value', '-c', 'state'],
      { PASSTHRU_SERVER: served.url },
      [[/50% half/, () => void release('bar')]],
    );
    expect(status).toBe(0);
    const lines = shown.split('\r\u001b[K');
    expect(lines).toContain('[##########----------] hold running 50% half \\x1b[31mway');
    expect(lines.at(-1)).toBe('hold succeeded\r\nsucceeded\r\n');
  });

  test('one that fails ends its watch with 1 and the reason', async () => {
    const id = await startHold('fail');
    const watch = startPassthru(['job', 'watch', id, '-f', 'value', '-c', 'state'], { PASSTHRU_SERVER: served.url });
    await watch.printed(/hold running/);
    await release('fail');
    expect(await watch.ended).toMatchObject({
      status: 1,
      stdout: 'failed\n',
      stderr: expect.stringContaining(`error: job ${id} failed: `),
    });
  });

  test('a watch goes on where it was when the service comes back', async () => {
    const environment = { PASSTHRU_STORE: `sqlite:${join(directory, 'jobs.db')}`, PASSTHRU_DRIVERS: DRIVER };
    const first = await serve([], environment);
    const at = { PASSTHRU_SERVER: first.url };
    await passthru(['node', 'create', '--driver', 'bench', '--name', 'n'], at);
    const watch = startPassthru(['node', 'passthru', 'call', 'n', 'hold', '--arg', 'word=lost', '--watch'], at);
    await watch.printed(/hold running 50%/);
    first.command.process.kill('SIGKILL');
    await first.command.ended;
    const second = await serve([], { ...environment, PASSTHRU_LISTEN: new URL(first.url).host });
    try {
      const { status, stderr } = await watch.ended;
      expect(status).toBe(1);
      expect(stderr.match(/hold running 50%/g)).toHaveLength(1);
      expect(stderr).toMatch(/hold failed\n[\s\S]*worker lost/);
    } finally {
      await second.stop();
    }
  });

  test('Ctrl-C ends the watch and leaves the job running; cancel ends the job', async () => {
    const id = await startHold('endless');
    const watch = startPassthru(['job', 'watch', id], { PASSTHRU_SERVER: served.url });
    await watch.printed(/hold running/);
    watch.process.kill('SIGINT');
    expect(await watch.ended).toMatchObject({
      status: 130,
      stderr: expect.stringMatching(
        new RegExp(`stopped watching; the job goes on\\.[\\s\\S]*passthru job cancel ${id}`),
      ),
    });
    const list = JSON.parse(await output('job', 'list', '--state', 'running', '--node', 'bench-1', '-f', 'json'));
    expect(list).toMatchObject([
      { ID: id, Method: 'hold', Node: 'bench-1', State: 'running', Progress: { fraction: 0.5 } },
    ]);
    expect(await output('job', 'cancel', id, '-f', 'value', '-c', 'state')).toBe('cancelled\n');
    expect(await output('job', 'show', id, '-f', 'value', '-c', 'state')).toBe('cancelled\n');
    expect(await run('job', 'watch', id)).toMatchObject({
      status: 1,
      stderr: expect.stringContaining(`job ${id} cancelled`),
    });
  });
});

describe('a service that is not there', () => {
  test('is 5, with the address and what to do', async () => {
    expect(await passthru(['--server', 'http://127.0.0.1:1', 'node', 'list'])).toEqual({
      status: 5,
      stdout: '',
      stderr:
        'error: cannot reach http://127.0.0.1:1: the connection was refused. Is the service running? --server, PASSTHRU_SERVER or a context names another.\n',
    });
  });

  test('and a URL that is none is wrong usage', async () => {
    expect(await passthru(['node', 'list', '--server', 'bmc-1'])).toMatchObject({
      status: 2,
      stderr: 'error: --server: "bmc-1" is no http:// or https:// URL\n',
    });
  });
});

test.skipIf(!existsSync('/dev/full'))('a standard output that is full is told in a line', async () => {
  const { status, stderr } = await start('/bin/sh', [
    '-c',
    '"$0" "$@" > /dev/full',
    process.execPath,
    join(ROOT, 'src/main.js'),
    '--version',
  ]).ended;
  expect({ status, stderr }).toEqual({ status: 1, stderr: 'error: standard output cannot be written: ENOSPC\n' });
});

test('the help of every command has examples', async () => {
  const words = [...readFileSync(join(ROOT, 'docs', 'cli.md'), 'utf8').matchAll(/^\| `([a-z ]+?)(?= [^a-z`]|`)/gm)];
  const commands = new Set(words.map(([, path]) => path!));
  expect(commands.size).toBeGreaterThan(15);
  for (const path of commands) {
    const { status, stdout } = await passthru([...path.split(' '), '--help']);
    expect([path, status, stdout]).toEqual([path, 0, expect.stringMatching(/\nExamples?:\n {2}|start-up file:/)]);
  }
});

test('every command has help, and a misspelt one a suggestion', async () => {
  const help = await passthru(['node', 'passthru', 'call', '--help']);
  expect(help).toMatchObject({ status: 0, stderr: '', stdout: expect.stringContaining('Examples:') });
  expect(help.stdout).toContain('--server <url>');
  expect(await passthru(['--help'])).toMatchObject({
    status: 0,
    stdout: expect.stringMatching(/serve[\s\S]*sim[\s\S]*Exit status/),
  });
  expect(await passthru(['node', 'lst'])).toMatchObject({
    status: 2,
    stderr: expect.stringContaining('Did you mean list?'),
  });
  expect(await passthru(['nod'])).toMatchObject({ status: 2, stderr: expect.stringContaining('Did you mean node?') });
  expect(await passthru([])).toMatchObject({ status: 2 });
  expect(await passthru(['--version'])).toMatchObject({ status: 0, stdout: '0.1.0\n' });
});
