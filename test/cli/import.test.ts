import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test, vi } from 'vitest';
import { htpasswd, passwordOf } from '../auth/users.ts';
import { needs } from '../needs.ts';
import { type FakeIronic, startIronic } from './fakeIronic.ts';
import { type Ended, passthru, type Served, serve } from './run.ts';
import { hasTerminal, onTerminal } from './terminal.ts';

const NEEDS_TERMINAL = needs(hasTerminal ? null : 'python3, which makes the pseudo-terminal');

// Each command is a process, which is slow to start on a busy machine.
vi.setConfig({ testTimeout: 60_000, hookTimeout: 60_000 });

/** A real Ironic's response to `baremetal node list --long`. */
const RECORDED = (
  JSON.parse(readFileSync(new URL('../recordings/cli-transcripts.json', import.meta.url), 'utf8')) as {
    request: { path: string };
    response: { body: { nodes: Record<string, unknown>[] } };
  }[]
).find(({ request }) => request.path === '/v1/nodes/detail')!.response.body.nodes;

const RF_1 = '11111111-1111-4111-8111-111111111111';
const directory = mkdtempSync(join(tmpdir(), 'passthru-import-'));
const secrets = join(directory, 'secrets.yaml');
writeFileSync(secrets, '{ rf-1: { redfish_password: for-rf-1 }, "*": { redfish_password: "0123" } }');
afterAll(() => rmSync(directory, { recursive: true }));

let ironic: FakeIronic;
let target: Served;
beforeAll(async () => {
  ironic = await startIronic([
    ...RECORDED.map((node) => ({
      ...node,
      ...(node.name === 'fake-1' ? { maintenance: true, maintenance_reason: 'fan', owner: 'lab' } : {}),
    })),
    { ...RECORDED[0], uuid: 'eeeeeeee-1111-4111-8111-eeeeeeeeeeee', name: 'ilo-1', driver: 'ilo' },
    { ...RECORDED[0], uuid: 'ffffffff-1111-4111-8111-ffffffffffff', name: 'odd-1', vendor_interface: 'of-a-vendor' },
  ]);
});
afterAll(() => ironic.close());
beforeEach(async () => {
  ironic.requests.length = 0;
  target = await serve();
});
afterEach(() => target.stop());

function run(...args: string[]): Promise<Ended> {
  return passthru(args, { PASSTHRU_SERVER: target.url });
}

/** Returns the outcome and the details that `import` prints for each node, by name. */
async function runImport(...args: string[]) {
  const { status, stdout, stderr } = await run('import', '--from', ironic.url, '-f', 'json', ...args);
  const rows = JSON.parse(stdout || '[]') as Record<string, string>[];
  const byName = Object.fromEntries(rows.map(({ Name, Action, Details }) => [Name, [Action, Details]]));
  return { status, stderr, stdout, rows: byName as Record<string, [action: string, details: string]> };
}

async function show(node: string) {
  return JSON.parse((await run('node', 'show', node, '-f', 'json')).stdout) as Record<string, unknown>;
}

async function rest(path: string): Promise<Record<string, unknown>> {
  const response = await fetch(target.url + path, { headers: { 'x-openstack-ironic-api-version': '1.82' } });
  return (await response.json()) as Record<string, unknown>;
}

describe('import from a recorded Ironic', () => {
  test('reads every page, enrols the supported nodes unchanged, and reports the others', async () => {
    const { status, stderr, rows } = await runImport('--secrets', secrets);
    expect(status).toBe(1);
    expect(stderr).toBe('error: 2 of 11 nodes are not enrolled as they are in Ironic\n');
    expect(rows).toMatchObject({
      'rf-1': ['enrolled', ''],
      'ipmi-1': ['enrolled', ''],
      'locked-1': ['enrolled', 'held by conductor-b.example until "passthru node unlock"'],
      'ilo-1': ['skipped', 'unknown driver ilo'],
      'odd-1': ['skipped', 'unknown vendor interface of-a-vendor of redfish'],
    });

    expect(await rest(`/v1/nodes/${RF_1}`)).toMatchObject({
      name: 'rf-1',
      driver: 'redfish',
      vendor_interface: 'redfish',
      driver_info: { redfish_address: 'http://127.0.0.1:8000', redfish_username: 'u', redfish_password: '******' },
      reservation: null,
    });
    expect(await rest('/v1/nodes/fake-1')).toMatchObject({
      maintenance: true,
      maintenance_reason: 'fan',
      owner: 'lab',
    });
    expect(await show('locked-1')).toMatchObject({ reservation: 'conductor-b.example', lock: { kind: 'held' } });
    expect(await show('novendor-1')).toMatchObject({ vendor_interface: 'no-vendor' });
  });

  test('reports nodes already enrolled by UUID or name, and leaves them unchanged', async () => {
    const here = ['node', 'create', '--driver', 'fake-hardware', '--description', 'mine'];
    await run(...here, '--uuid', RF_1, '--name', 'renamed');
    const other = JSON.parse((await run(...here, '--name', 'fake-1', '-f', 'json')).stdout).uuid;
    const { rows } = await runImport('--secrets', secrets);
    expect(rows['rf-1']).toEqual([
      'skipped',
      'already enrolled; differs from Ironic in name, driver, vendor_interface, driver_info.redfish_address, driver_info.redfish_system_id, driver_info.redfish_username',
    ]);
    expect(rows['fake-1']).toEqual(['skipped', `its name is already used by node ${other}`]);
    expect(await show('renamed')).toMatchObject({ driver: 'fake-hardware', description: 'mine' });
    expect(await show('fake-1')).toMatchObject({ uuid: other });
    // And again: nothing is enrolled twice.
    const again = await runImport('--secrets', secrets);
    expect(new Set(Object.values(again.rows).map(([action]) => action))).toEqual(new Set(['skipped']));
  });

  test('--dry-run shows what would be enrolled and prompted for, and changes nothing', async () => {
    const { rows, stdout } = await runImport('--dry-run');
    expect(rows).toMatchObject({
      'rf-1': [
        'enrol',
        expect.stringMatching(
          /^with driver_info\.redfish_address, .*driver_info\.redfish_password, vendor_interface.*; prompts for redfish_password$/,
        ),
      ],
      'fake-1': ['enrol', expect.stringMatching(/owner, maintenance$/)],
      'locked-1': ['enrol', expect.stringContaining('held by conductor-b.example')],
      'ilo-1': ['skipped', 'unknown driver ilo'],
    });
    expect(stdout).not.toContain('******');
    const withSecrets = await runImport('--dry-run', '--secrets', secrets);
    expect(withSecrets.stdout).not.toMatch(/asks for|for-rf-1|0123/);
    expect((await run('node', 'list', '-f', 'value')).stdout).toBe('');
  });

  test('skips a node without its secret when there is no terminal, and names the secret', async () => {
    const { status, rows } = await runImport();
    expect(status).toBe(1);
    expect(rows['rf-1']).toEqual(['skipped', 'missing redfish_password; provide it with --secrets FILE']);
    expect(rows['noaddr-1']).toEqual(['enrolled', '']);
    expect(await run('node', 'show', 'rf-1')).toMatchObject({ status: 3 });
  });

  test('sends its credentials to Ironic, not to URLs in its responses, and ours not to Ironic', async () => {
    const token = join(directory, 'token.txt');
    writeFileSync(token, 'a-token\n');
    await passthru(['import', '--from', `${ironic.url}/v1`, '--os-token', `@${token}`, '--dry-run'], {
      PASSTHRU_SERVER: target.url,
      PASSTHRU_TOKEN: 'for-passthru-alone',
    });
    expect(ironic.requests.length).toBe(3);
    for (const { headers } of ironic.requests) expect(headers).toMatchObject({ 'x-auth-token': 'a-token' });
    expect(JSON.stringify(ironic.requests.map(({ headers }) => headers))).not.toContain('for-passthru-alone');
    ironic.requests.length = 0;
    await runImport('--os-username', 'ironic', '--os-password', 'pass', '--dry-run');
    expect(ironic.requests[0]!.headers.authorization).toBe(`Basic ${btoa('ironic:pass')}`);
  });

  test('on a terminal prompts for masked secrets without echo', NEEDS_TERMINAL, async () => {
    const prompts = ['rf-1', 'down-1', 'locked-1', 'novendor-1', 'cli-1'].map((name): [RegExp, string] => [
      new RegExp(`redfish_password of ${name}: $`),
      name === 'cli-1' ? '\r' : 'typed-word\r',
    ]);
    const { status, shown } = await onTerminal(
      ['import', '--from', ironic.url],
      { PASSTHRU_SERVER: target.url },
      prompts,
    );
    expect(status).toBe(1);
    expect(shown).toMatch(/\| rf-1 +\| redfish +\| enrolled/);
    expect(shown).toMatch(/\| cli-1 +\| redfish +\| skipped +\| missing redfish_password/);
    expect(shown).not.toContain('typed-word');
  });
});

describe('import fails', () => {
  test.each([
    ['{ rf-1: { redfish_password: 0123 } }', 'rf-1: redfish_password: not a string; put it in quotes'],
    ['[a]', 'must be a mapping of nodes to secrets'],
    ['{ rf-1: secret-word }', 'rf-1: must be a mapping of keys to strings'],
  ])('with 2 for a secrets file of %j, without repeating it', async (text, message) => {
    const file = join(directory, 'bad.yaml');
    writeFileSync(file, text);
    const { status, stderr } = await run('import', '--from', ironic.url, '--secrets', file);
    expect([status, stderr]).toEqual([2, expect.stringContaining(message)]);
    expect(stderr).not.toContain('secret-word');
  });

  test('with 5 when Ironic is unreachable, and with a message when the server is not an Ironic', async () => {
    expect(await run('import', '--from', 'http://127.0.0.1:1')).toMatchObject({
      status: 5,
      stderr: 'error: cannot reach http://127.0.0.1:1: connection refused\n',
    });
    expect(await run('import', '--from', `${ironic.url}/elsewhere`)).toMatchObject({
      status: 1,
      stderr: `error: ${ironic.url}/elsewhere/v1/nodes/detail responded 404; is this the URL of an Ironic?\n`,
    });
    const none = await startIronic([{ name: 'no uuid' }]);
    expect(await run('import', '--from', none.url)).toMatchObject({
      status: 1,
      stderr: `error: ${none.url} did not return a list of nodes; is this the URL of an Ironic?\n`,
    });
    await none.close();
  });

  test('with the reason for each node when the caller may not enrol', async () => {
    writeFileSync(join(directory, 'users'), htpasswd('otto'));
    const guarded = await serve([], {
      PASSTHRU_AUTH_TYPE: 'http_basic',
      PASSTHRU_AUTH_DEFAULT_ROLE: 'admin',
      PASSTHRU_AUTH_HTTP_BASIC_AUTH_USER_FILE: join(directory, 'users'),
      PASSTHRU_AUTH_ROLES: 'otto=operator',
    });
    const { status, stdout } = await passthru(['import', '--from', ironic.url, '--secrets', secrets, '-f', 'value'], {
      PASSTHRU_SERVER: guarded.url,
      PASSTHRU_USER: 'otto',
      PASSTHRU_PASSWORD: passwordOf('otto'),
    });
    expect([status, stdout]).toEqual([1, expect.stringMatching(/rf-1 redfish failed .* responded 403: .*admin/)]);
    await guarded.stop();
  });
});

test('import from another passthru over REST enrols an identical copy', async () => {
  const source = await serve();
  const at = { PASSTHRU_SERVER: source.url };
  const create = ['node', 'create', '--driver', 'redfish', '--name', 'n-1', '--extra', 'rack=7'];
  await passthru([...create, '--driver-info', 'redfish_address=https://u:p@bmc', '--driver-info', 'port=1'], at);
  await passthru(['node', 'lock', 'n-1', '--holder', 'me'], at);
  const original = JSON.parse((await passthru(['node', 'show', 'n-1', '-f', 'json'], at)).stdout);

  const file = join(directory, 'address.yaml');
  writeFileSync(file, '{ n-1: { redfish_address: "https://u:p@bmc" } }');
  const ended = await run('import', '--from', source.url, '--secrets', file);
  expect(ended).toMatchObject({ status: 0, stderr: '' });
  const { created_at: _c, updated_at: _u, lock: _l, ...kept } = original;
  expect(await show('n-1')).toMatchObject(kept);
  await source.stop();
});
