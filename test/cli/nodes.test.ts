import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test, vi } from 'vitest';
import { useBenchService } from './benchService.ts';

// Each command is a process, which is slow to start on a busy machine.
vi.setConfig({ testTimeout: 60_000, hookTimeout: 60_000 });

const { directory, run, output } = useBenchService();

describe('node validate', () => {
  test("shows under Ironic's columns whether the interface can manage the node; exits with 1 if not", async () => {
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

describe('the life cycle of a node', () => {
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

    expect(await output('node', 'lock', 'life-2', '--holder', 'me')).toMatch(/^Locked node life-2; held by me\n/);
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
