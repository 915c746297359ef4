import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test, vi } from 'vitest';
import { stringify } from 'yaml';
import { UNUSED_PROPERTY } from '../../src/cli/driverKeys.ts';
import { REDFISH_PROPERTIES } from '../../src/drivers/redfish/properties.ts';
import { useBenchService } from './benchService.ts';

// Each command is a process, which is slow to start on a busy machine.
vi.setConfig({ testTimeout: 180_000, hookTimeout: 60_000 });

const { directory, run, output } = useBenchService();

const UUID = '33333333-3333-4333-8333-333333333333';

function fileOf(nodes: unknown): string {
  const file = join(directory, 'apply.yaml');
  writeFileSync(file, stringify({ nodes }));
  return file;
}

async function apply(nodes: unknown, ...options: string[]) {
  const { status, stdout, stderr } = await run('apply', '-f', fileOf(nodes), '--format', 'json', ...options);
  const rows = stdout === '' ? null : (JSON.parse(stdout) as { Node: string; Action: string; Details: string }[]);
  return { status, stderr, outcome: rows?.map(({ Node, Action, Details }) => [Node, Action, Details]) };
}

const show = async (node: string) => JSON.parse(await output('node', 'show', node, '-f', 'json'));

describe('apply', () => {
  const info = { redfish_address: 'https://bmc.example', redfish_password: 'one' };
  const node = {
    uuid: UUID,
    name: 'a-1',
    driver: 'redfish',
    driver_info: info,
    extra: { rack: 7 },
    properties: { n: 1 },
  };
  const held = { name: 'a-2', driver: 'bench', reservation: 'people' };

  test('enrols what is missing, changes what differs, and nothing when it is repeated', async () => {
    const dry = await apply([node, held], '--dry-run');
    expect(dry).toEqual({
      status: 0,
      outcome: [
        ['a-1', 'create', ''],
        ['a-2', 'create', ''],
      ],
      stderr: '2 nodes: 2 to create; nothing was changed\n',
    });
    expect(await run('node', 'show', 'a-1')).toMatchObject({ status: 3 });

    expect((await apply([node, held])).outcome).toEqual([
      ['a-1', 'created', ''],
      ['a-2', 'created', ''],
    ]);
    const first = await show('a-1');
    expect(first).toMatchObject({ uuid: UUID, extra: { rack: 7 }, properties: { n: 1 } });
    expect(await show('a-2')).toMatchObject({ reservation: 'people' });

    // The password cannot be compared here, and is no change all the same.
    expect(await apply([node, held])).toMatchObject({
      status: 0,
      outcome: [
        ['a-1', 'unchanged', ''],
        ['a-2', 'unchanged', ''],
      ],
    });
    expect(await show('a-1')).toEqual(first);

    // What the file does not name stays; the name follows the UUID.
    const changed = {
      ...{ uuid: UUID, name: 'a-one', driver: 'redfish', extra: { row: 2 } },
      driver_info: { redfish_password: 'two', redfish_adress: 'x' },
    };
    const warning = 'driver_info: driver redfish does not read redfish_adress; did you mean redfish_address?';
    expect((await apply([changed], '--dry-run')).outcome).toEqual([
      [
        'a-1',
        'update',
        `name, driver_info.redfish_adress, extra.row; driver_info.redfish_password is not compared, as secrets are not shown; ${warning}`,
      ],
    ]);
    expect((await apply([changed])).outcome).toEqual([
      ['a-1', 'updated', `name, driver_info.redfish_adress, extra.row; ${warning}`],
    ]);
    expect(await show('a-one')).toMatchObject({
      extra: { rack: 7, row: 2 },
      driver_info: { redfish_address: 'https://bmc.example' },
    });
    const { redfish_adress: _, ...driverInfo } = { ...changed.driver_info, redfish_password: 'three' };
    expect((await apply([{ ...changed, driver_info: driverInfo }])).outcome).toEqual([
      ['a-one', 'updated', 'driver_info.redfish_password'],
    ]);
  });

  test('reports each node that fails, continues, and exits with the common status; --prune deletes nothing then', async () => {
    const nodes = [
      { name: 'locked-1', driver: 'bench', description: 'changed' },
      { name: 'bench-2', driver: 'bench', description: 'second' },
    ];
    const refused = await apply(nodes, '--prune');
    expect(refused.status).toBe(4);
    expect(refused.outcome).toEqual([
      ['locked-1', 'failed', expect.stringMatching(/^Node locked-1 is locked by host conductor-b\.example.*; held by/)],
      ['bench-2', 'updated', 'description'],
    ]);
    expect(refused.stderr).toMatch(
      /^2 nodes: 1 failed, 1 updated\nerror: 1 of 2 nodes could not be made what the file says\n$/,
    );
    const mixed = await apply([...nodes, { name: 'new', driver: 'bensh' }]);
    expect([mixed.status, mixed.outcome?.at(-1)]).toEqual([
      1,
      ['new', 'failed', 'unknown driver "bensh"; did you mean bench?'],
    ]);
    expect(await show('bench-1')).toMatchObject({ name: 'bench-1' });
  });

  test('--prune deletes the nodes that the file does not name, and no others', async () => {
    await run('node', 'unlock', 'locked-1');
    await run('node', 'unlock', 'a-2');
    const kept = [{ name: 'bench-1', driver: 'bench' }];
    const planned = await apply(kept, '--prune', '--dry-run');
    expect(planned.outcome).toContainEqual(['bench-2', 'delete', 'not in the file']);
    const { status, outcome } = await apply(kept, '--prune');
    expect(status).toBe(0);
    expect(outcome).toContainEqual(['bench-2', 'deleted', 'not in the file']);
    expect(await output('node', 'list', '-f', 'value', '-c', 'Name')).toBe('bench-1\n');
  });

  test.each([
    [[{ name: 'x' }], 'nodes[0] (x): driver: missing'],
    [[{ name: 'x', driver: 'bench', drvier_info: {} }], 'drvier_info: unknown key; did you mean driver_info?'],
    [[{ driver: 'bench' }], 'requires a name or a uuid'],
  ])('of %j exits with 2 and changes nothing', async (nodes, message) => {
    const { status, stderr } = await apply(nodes);
    expect([status, stderr]).toEqual([2, expect.stringContaining(message)]);
  });
});

test('the keys that the command hides are those that the driver describes as unused', () => {
  expect(Object.values(REDFISH_PROPERTIES).filter((about) => about === UNUSED_PROPERTY).length).toBeGreaterThan(5);
});
