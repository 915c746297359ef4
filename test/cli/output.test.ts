import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test, vi } from 'vitest';
import { parse } from 'yaml';
import { needs } from '../needs.ts';
import { useBenchService } from './benchService.ts';
import { ROOT, start } from './run.ts';
import { hasTerminal, onTerminal } from './terminal.ts';

const NEEDS_TERMINAL = needs(hasTerminal ? null : 'python3, which makes the pseudo-terminal');

// Each command is a process, which is slow to start on a busy machine.
vi.setConfig({ testTimeout: 60_000, hookTimeout: 60_000 });

const { at, run, output } = useBenchService();

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

  test("node passthru list is a table with Ironic's columns, and the role of each method", async () => {
    expect(await output('node', 'passthru', 'list', 'bench-1')).toBe(`\
+--------+------------------------+-------+--------------------------------------------------------------+------------------------+----------+
| Name   | Supported HTTP methods | Async | Description                                                  | Response is attachment | Role     |
+--------+------------------------+-------+--------------------------------------------------------------+------------------------+----------+
| echo   | POST, PUT              | False | Returns its arguments                                        | False                  | operator |
| hold   | POST                   | True  | Runs until the driver method release is called with its word | False                  | operator |
| report | GET                    | False | Returns bytes                                                | True                   | operator |
+--------+------------------------+-------+--------------------------------------------------------------+------------------------+----------+
`);
  });

  test('--long shows the arguments of a method, and with -f json their schema', async () => {
    const words = ['node', 'passthru', 'list', 'bench-1', '--long', '-c', 'Arguments'];
    const text = await output(...words, '-f', 'value');
    expect(text).toContain('word* string\n');
    expect(text).toMatch(/^choice a\|b$/m);
    const schemas = JSON.parse(await output(...words, '-f', 'json'));
    expect(schemas[1]).toMatchObject({ Arguments: { properties: { word: { type: 'string' } }, required: ['word'] } });
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

  test('-f json, yaml and value print data; -c selects columns in any case, in the order in which they are given', async () => {
    const pick = ['-c', 'maintenance', '-c', 'NAME'];
    expect(JSON.parse(await output('node', 'list', '-f', 'json', ...pick))[0]).toEqual({
      Name: 'bench-1',
      Maintenance: false,
    });
    expect(parse(await output('node', 'list', '-f', 'yaml', ...pick))[0]).toEqual({
      Name: 'bench-1',
      Maintenance: false,
    });
    expect((await output('node', 'list', '-f', 'value', ...pick)).split('\n')[0]).toBe('False bench-1');
    expect(await output('node', 'show', 'bench-1', '-f', 'value', '-c', 'maintenance', '-c', 'driver')).toBe(
      'False\nbench\n',
    );
    // Programs that read the keys in their order get the order too, and each once.
    const keys = ['-c', 'UUID', '-c', 'driver', '-c', 'name', '-c', 'Driver'];
    const [first] = JSON.parse(await output('node', 'list', '-f', 'json', ...keys));
    expect(Object.keys(first)).toEqual(['UUID', 'Driver', 'Name']);
    expect(await output('node', 'list', '-f', 'value', '-c', 'provisioning_state', '--limit', '1')).toBe('enroll\n');
  });

  test('an unknown column is refused with the known ones', async () => {
    expect(await run('node', 'list', '-c', 'Colour')).toMatchObject({
      status: 2,
      stderr: expect.stringContaining('unknown column Colour; columns: UUID, Name, Instance UUID'),
    });
  });

  test('node show shows the holder of a locked node', async () => {
    const node = JSON.parse(await output('node', 'show', 'locked-1', '-f', 'json'));
    expect(node).toMatchObject({
      reservation: 'conductor-b.example',
      lock: { kind: 'held', method: null, requested_by: 'nodes_file', job: null },
    });
  });
});

test('on a terminal a table fits its width without breaking words', NEEDS_TERMINAL, async () => {
  const { shown } = await onTerminal(['node', 'passthru', 'list', 'bench-1'], at, [], 90);
  expect(shown.replaceAll('\r', '')).toBe(`\
+--------+-------------------+-------+-------------------+--------------------+----------+
| Name   | Supported HTTP    | Async | Description       | Response is        | Role     |
|        | methods           |       |                   | attachment         |          |
+--------+-------------------+-------+-------------------+--------------------+----------+
| echo   | POST, PUT         | False | Returns its       | False              | operator |
|        |                   |       | arguments         |                    |          |
| hold   | POST              | True  | Runs until the    | False              | operator |
|        |                   |       | driver method     |                    |          |
|        |                   |       | release is called |                    |          |
|        |                   |       | with its word     |                    |          |
| report | GET               | False | Returns bytes     | True               | operator |
+--------+-------------------+-------+-------------------+--------------------+----------+
`);
});

test('on a narrow terminal a list shows the columns that fit, and says which do not', NEEDS_TERMINAL, async () => {
  const { shown } = await onTerminal(['node', 'list'], at, [], 80);
  const lines = shown.replaceAll('\r', '').split('\n');
  expect(lines[3]).toMatch(/^\| 11111111-1111-4111-8111-111111111111 \| bench-1 +\| bench +\|/);
  for (const line of lines.slice(0, -2)) expect(line.length).toBeLessThanOrEqual(80);
  expect(lines.at(-2)).toMatch(/^Not shown on a terminal this narrow: Instance UUID, Power State, .*Use -c COLUMN/);
  // All requested columns are shown, if need be one a line.
  const columns = ['-c', 'UUID', '-c', 'Description', '-c', 'Created At', '-c', 'Driver'];
  const requested = (await onTerminal(['node', 'list', '--limit', '1', ...columns], at, [], 72)).shown;
  expect(requested.replaceAll('\r', '')).toMatch(
    /^\+-+\+-+\+\n\| Field +\| Value +\|\n.*\n\| UUID +\| 11111111-\S+ \|\n\| Description \| first +\|\n/,
  );
});

describe('an empty list', () => {
  test.each([
    [['node', 'list', '--driver', 'no-such', '--maintenance'], 'No nodes with driver no-such, in maintenance.\n'],
    [['job', 'list', '--node', 'bench-2', '--state', 'failed'], 'No jobs of node bench-2, in state failed.\n'],
    [['driver', 'property', 'list', 'bench'], 'Driver bench reads no keys of driver_info.\n'],
  ])('of %j says so on standard error', async (words, stderr) => {
    expect(await run(...words)).toEqual({ status: 0, stdout: '', stderr });
    if (words[0] === 'job')
      expect(await run(...words, '-f', 'json')).toEqual({ status: 0, stdout: '[]\n', stderr: '' });
  });
});

test(
  'a full standard output is reported in one line',
  needs(existsSync('/dev/full') ? null : '/dev/full'),
  async () => {
    const { status, stderr } = await start('/bin/sh', [
      '-c',
      '"$0" "$@" > /dev/full',
      process.execPath,
      join(ROOT, 'src/main.js'),
      '--version',
    ]).ended;
    expect({ status, stderr }).toEqual({ status: 1, stderr: 'error: cannot write to standard output: ENOSPC\n' });
  },
);
