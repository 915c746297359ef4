import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { applyNodesFile, readNodesFile } from '../../src/config/nodesFile.ts';
import { ConfigError } from '../../src/config/problems.ts';
import type { Core } from '../../src/core/core.ts';
import { createCore } from '../../src/core/create.ts';
import { silentLogger } from '../../src/core/logger.ts';
import type { Node } from '../../src/core/node.ts';
import type { Store } from '../../src/core/store.ts';
import { createFakeHardwareType } from '../../src/drivers/fake/fakeHardwareType.ts';
import { openStore } from '../../src/store/open.ts';

const UUID = '22222222-2222-4222-8222-222222222222';

let directory: string;
let path: string;
let store: Store;
let core: Core;

beforeEach(async () => {
  directory = mkdtempSync(join(tmpdir(), 'passthru-nodes-'));
  path = join(directory, 'nodes.yaml');
  store = await openStore('sqlite::memory:', { log: silentLogger });
  core = await createCore({
    store,
    hardwareTypes: [createFakeHardwareType({ vendorDelay: 0 })],
    host: 'test',
    log: silentLogger,
    settings: { lockedRetryAttempts: 1, lockedRetryInterval: 0, maxLockWait: 0, workers: 1 },
  });
});

afterEach(async () => {
  await core.shutdown(0);
  await store.close();
  rmSync(directory, { recursive: true });
});

/** Writes the file and enrols what it lists. */
async function apply(yaml: string): Promise<void> {
  writeFileSync(path, yaml);
  await applyNodesFile(path, core, silentLogger);
}

async function problemsOf(yaml: string): Promise<string[]> {
  try {
    await apply(yaml);
  } catch (error) {
    if (error instanceof ConfigError) return error.problems.map((problem) => problem.replace(`${path}: `, ''));
    throw error;
  }
  return [];
}

async function listNodes(): Promise<Node[]> {
  return (await core.nodes.list({ limit: 10, marker: null, sortKey: 'id', sortDirection: 'asc' })).items;
}

const caller = { name: 'operator', role: 'admin' } as const;
const { signal } = new AbortController();

test('enrols the listed nodes with all fields of their entries', async () => {
  await apply(`
nodes:
  - uuid: ${UUID}
    name: fake-1
    driver: fake-hardware
    vendor_interface: no-vendor
    driver_info: { B1: one, nested: { list: [1, true, null] } }
    description: the first
    extra: { rack: 7 }
    reservation: conductor-b.example
  - { name: fake-2, driver: fake-hardware }
`);
  const [first, second] = await listNodes();
  expect(first).toMatchObject({
    uuid: UUID,
    name: 'fake-1',
    driver: 'fake-hardware',
    vendorInterface: 'no-vendor',
    driverInfo: { B1: 'one', nested: { list: [1, true, null] } },
    description: 'the first',
    extra: { rack: 7 },
    reservation: { holder: 'conductor-b.example', kind: 'held', requestedBy: 'nodes_file' },
  });
  expect(second).toMatchObject({ name: 'fake-2', vendorInterface: 'fake', driverInfo: {}, reservation: null });
});

test('leaves an enrolled node unchanged, whether the entry has its UUID or its name', async () => {
  const yaml = `
nodes:
  - { uuid: ${UUID}, name: fake-1, driver: fake-hardware, description: as listed, reservation: conductor-b.example }
  - { name: fake-2, driver: fake-hardware, description: as listed }
`;
  await apply(yaml);
  await core.nodes.unlock('fake-1', caller);
  await core.nodes.update('fake-1', () => ({ name: 'renamed', description: 'changed' }), caller, signal);
  await core.nodes.update('fake-2', () => ({ description: 'changed' }), caller, signal);
  await apply(yaml);
  expect(await listNodes()).toMatchObject([
    { uuid: UUID, name: 'renamed', description: 'changed', reservation: null },
    { name: 'fake-2', description: 'changed' },
  ]);
});

test('matches an entry with an unknown UUID by its name', async () => {
  const node = await core.nodes.create({ name: 'fake-1', driver: 'fake-hardware' }, caller);
  await apply(`nodes: [{ uuid: ${UUID}, name: fake-1, driver: fake-hardware }]`);
  expect((await listNodes()).map(({ uuid }) => uuid)).toEqual([node.uuid]);
});

test('ignores the case of UUIDs', async () => {
  const uuid = 'ABCDEF22-2222-4222-8222-222222222222';
  await apply(`nodes: [{ uuid: ${uuid}, driver: fake-hardware }]`);
  await apply(`nodes: [{ uuid: ${uuid}, driver: fake-hardware }]`);
  expect(await listNodes()).toMatchObject([{ uuid: uuid.toLowerCase(), name: null }]);
});

test.each(['1e400', '12345678901234567890', '-0', '0x1fffffffffffffff', '3.14159265358979323846'])(
  'refuses the number %s, which would be stored as another one, with its line',
  async (number) => {
    expect(await problemsOf(`nodes:\n- name: a\n  driver: fake-hardware\n  extra: { n: ${number} }\n`)).toEqual([
      `line 4: a number that does not fit into 64 bits of floating point, or -0; write it in quotes`,
    ]);
  },
);

test.each([
  ['12345678901234567890 in quotes', '"12345678901234567890"', '12345678901234567890'],
  ['1.50', '1.50', 1.5],
  ['0xff', '0xff', 255],
  ['0o17', '0o17', 15],
  ['+.5e1', '+.5e1', 5],
  ['9007199254740991', '9007199254740991', 9007199254740991],
])('keeps the number %s', async (_what, yaml, value) => {
  await apply(`nodes:\n- name: a\n  driver: fake-hardware\n  extra: { n: ${yaml} }\n`);
  expect((await core.nodes.get('a')).extra).toEqual({ n: value });
});

test('keeps nodes that are not listed', async () => {
  await core.nodes.create({ name: 'other', driver: 'fake-hardware' }, caller);
  await apply('nodes: []');
  expect(await listNodes()).toMatchObject([{ name: 'other' }]);
});

describe('an invalid file is reported with entry and key, and enrols nothing', () => {
  test.each<[yaml: string, problem: string]>([
    ['', 'must have "nodes:" with a list of nodes'],
    ['nodes: {}', 'must have "nodes:" with a list of nodes'],
    ['{nodes: [], node: []}', 'node: unknown key; allowed: nodes'],
    [
      'nodes: [7]',
      'nodes[0]: must be a mapping with the keys uuid, name, driver, vendor_interface, driver_info, description, extra, properties, reservation',
    ],
    ['nodes: [{ name: a }]', 'nodes[0] (a): driver: missing; allowed: the name of a hardware type (required)'],
    [
      'nodes: [{ driver: fake-hardware }]',
      'nodes[0]: requires a name or a uuid; otherwise every start would enrol it again',
    ],
    ['nodes: [{ uuid: 7, driver: fake-hardware }]', 'nodes[0]: uuid: 7 is not allowed; allowed: a UUID'],
    [
      'nodes: [{ name: "a/b", driver: fake-hardware }]',
      'nodes[0] (a/b): name: "a/b" is not allowed; allowed: 1 to 255 letters, digits and - . _ ~; not a UUID and not a word of a REST route',
    ],
    [
      'nodes: [{ name: maintenance, driver: fake-hardware }]',
      'nodes[0] (maintenance): name: "maintenance" is not allowed; allowed: 1 to 255 letters, digits and - . _ ~; not a UUID and not a word of a REST route',
    ],
    [
      'nodes: [{ name: a, driver: fake-hardware, driver_inf: {} }]',
      'nodes[0] (a): driver_inf: unknown key; did you mean driver_info?',
    ],
    [
      'nodes: [{ name: a, driver: fake-hardware, driver_info: [hunter2] }]',
      'nodes[0] (a): driver_info: the value is not allowed; allowed: a mapping of keys to values',
    ],
    [
      'nodes: [{ name: a, driver: fake-hardware, extra: { a: .nan } }]',
      'nodes[0] (a): extra.a: NaN is not allowed; allowed: any JSON value',
    ],
    [
      'nodes: [{ name: a, driver: fake-hardware, reservation: "" }]',
      'nodes[0] (a): reservation: "" is not allowed; allowed: a host name of 1 to 255 characters without control characters',
    ],
    [
      'nodes: [{ name: a, driver: fake-hardware }, { name: b, driver: fake-hardware }, { name: a, driver: fake-hardware }]',
      'nodes[2] (a): name: "a" is already used by nodes[0]',
    ],
  ])('%s', async (yaml, problem) => {
    expect(await problemsOf(yaml)).toEqual([problem]);
    expect(await listNodes()).toEqual([]);
  });

  test('all problems at once', async () => {
    expect(
      await problemsOf('nodes: [{ name: "a b", driver: 1 }, { x: 1, name: c, driver: fake-hardware }]'),
    ).toHaveLength(3);
  });

  test('reports a refused entry with its key', async () => {
    const [driver] = await problemsOf('nodes: [{ name: a, driver: redfsh }]');
    expect(driver).toMatch(/^nodes\[0\] \(a\): driver: unknown driver "redfsh"; allowed: fake-hardware/);
    const [face] = await problemsOf('nodes: [{ name: a, driver: fake-hardware, vendor_interface: ilo }]');
    expect(face).toMatch(/^nodes\[0\] \(a\): vendor_interface: .*Valid interfaces are: fake, no-vendor/);
    const [mask] = await problemsOf(
      'nodes: [{ name: a, driver: fake-hardware, driver_info: { redfish_password: "******" } }]',
    );
    expect(mask).toMatch(/^nodes\[0\] \(a\): driver_info\.redfish_password: /);
  });

  test('does not repeat a password', () => {
    writeFileSync(path, 'nodes: [{ name: a, driver: d, driver_info: { redfish_password: { hunter2: .inf } } }]');
    expect(() => readNodesFile(path)).toThrow('driver_info.redfish_password: ****** is not allowed');
    expect(() => readNodesFile(path)).not.toThrow('hunter2');
    writeFileSync(path, 'nodes:\n  - driver_info: { redfish_password: "hunter2 }');
    expect(() => readNodesFile(path)).toThrow(ConfigError);
    expect(() => readNodesFile(path)).not.toThrow('hunter2');
  });
});
