import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, afterEach, beforeEach, expect, test, vi } from 'vitest';
import { makeAuthority } from '../auth/certificates.ts';
import { htpasswd, passwordOf } from '../auth/users.ts';
import { type FakeIronic, startIronic } from './fakeIronic.ts';
import { type Ended, passthru, type Served, serve, startPassthru } from './run.ts';

// Each command is a process, which is slow to start on a busy machine.
vi.setConfig({ testTimeout: 60_000, hookTimeout: 60_000 });

const directory = mkdtempSync(join(tmpdir(), 'passthru-import-'));
afterAll(() => rmSync(directory, { recursive: true }));
const file = (name: string, text: string) => {
  writeFileSync(join(directory, name), text);
  return join(directory, name);
};

let target: Served;
let ironic: FakeIronic | null = null;
beforeEach(async () => {
  target = await serve();
});
afterEach(async () => {
  await target.stop();
  await ironic?.close();
  ironic = null;
});

function run(args: readonly string[], environment: NodeJS.ProcessEnv = {}): Promise<Ended> {
  return passthru(['import', ...args], { PASSTHRU_SERVER: target.url, ...environment });
}

/** `count` nodes as Ironic lists them. */
function fakeNodes(count: number): Record<string, unknown>[] {
  return Array.from({ length: count }, (_, index) => ({
    uuid: `00000000-0000-4000-8000-${String(index).padStart(12, '0')}`,
    name: `n-${index}`,
    driver: 'fake-hardware',
    reservation: null,
    maintenance: false,
  }));
}

test('imports more than a thousand nodes in pages; a second run changes nothing', async () => {
  ironic = await startIronic(fakeNodes(1201), { page: 1000 });
  const first = await run(['--from', ironic.url, '-f', 'value', '-c', 'Action']);
  expect({ ...first, stdout: first.stdout.split('\n').filter((word) => word === 'enrolled').length }).toEqual({
    status: 0,
    stdout: 1201,
    stderr: '',
  });
  const list = async () => (await passthru(['node', 'list', '--long'], { PASSTHRU_SERVER: target.url })).stdout;
  const before = await list();
  const second = await run(['--from', ironic.url, '-f', 'value', '-c', 'Action', '-c', 'Details']);
  expect(new Set(second.stdout.trimEnd().split('\n'))).toEqual(new Set(['skipped already enrolled']));
  expect([second.status, await list()]).toEqual([0, before]);
});

test('a dry run predicts the outcome of each node', async () => {
  ironic = await startIronic([
    ...fakeNodes(3),
    { ...fakeNodes(4)[3], name: 'a name' },
    { ...fakeNodes(5)[4], name: 'detail' },
    { ...fakeNodes(6)[5], name: 'A-name.with_all~4' },
    { ...fakeNodes(7)[6], name: 'x'.repeat(255) },
    { ...fakeNodes(8)[7], driver: 'ilo' },
    { ...fakeNodes(9)[8], driver: 'redfish', vendor_interface: 'ilo' },
    { ...fakeNodes(10)[9], driver: 'redfish', driver_info: { redfish_password: '******' } },
  ]);
  const secrets = file('secrets.yaml', '"*": { redfish_password: "1" }');
  const words = ['--from', ironic.url, '--secrets', secrets, '-f', 'value', '-c', 'UUID', '-c', 'Action'];
  const planned = await run([...words, '--dry-run']);
  const done = await run(words);
  expect(done.stdout.replaceAll('enrolled', 'enrol')).toBe(planned.stdout);
  expect(done.stdout.match(/enrolled/g)).toHaveLength(6);
  expect([planned.status, done.status]).toEqual([1, 1]);
});

test('when Ironic fails before its last page, enrols nothing and reports its error', async () => {
  ironic = await startIronic(fakeNodes(12), { failsAt: 3 });
  expect(await run(['--from', ironic.url])).toEqual({
    status: 1,
    stdout: '',
    stderr: `error: ${ironic.url} responded 500: out of connections\n`,
  });
  const { stdout } = await passthru(['node', 'list', '-f', 'value'], { PASSTHRU_SERVER: target.url });
  expect(stdout).toBe('');
});

test('when the service stops meanwhile, reports which nodes were enrolled and which were not tried', async () => {
  ironic = await startIronic(fakeNodes(1500), { page: 1000 });
  const service = await serve();
  const importing = startPassthru(['import', '--from', ironic.url, '-f', 'value', '-c', 'Action'], {
    PASSTHRU_SERVER: service.url,
  });
  await service.command.printed(/(node enrolled[\s\S]*){3}/);
  service.command.process.kill('SIGKILL');
  const { status, stdout, stderr } = await importing.ended;
  expect(status).toBe(5);
  expect(stdout).toMatch(/^(enrolled\n){2,}failed\n(not tried\n)+$/);
  expect(stderr).toMatch(/^error: cannot reach /);
});

test('reports the fields in which an enrolled node differs from Ironic', async () => {
  const [node] = fakeNodes(1);
  ironic = await startIronic([{ ...node, driver_info: { port: 1 }, reservation: 'conductor-b', maintenance: true }]);
  await run(['--from', ironic.url]);
  const at = { PASSTHRU_SERVER: target.url };
  await passthru(['node', 'unlock', 'n-0'], at);
  await passthru(['node', 'set', 'n-0', '--driver-info', 'port=2', '--driver-info', 'own=x'], at);
  expect(await run(['--from', ironic.url, '-f', 'value', '-c', 'Details'])).toEqual({
    status: 0,
    stdout: 'already enrolled; differs from Ironic in reservation, driver_info.port, driver_info.own\n',
    stderr: '',
  });
});

test('imports over TLS with HTTP Basic by --os-cacert, OS_USERNAME and OS_PASSWORD', async () => {
  const authority = makeAuthority('authority');
  const own = authority.issue({ loopback: true });
  const source = await serve([], {
    PASSTHRU_TLS_CERT_FILE: file('own.pem', own.cert),
    PASSTHRU_TLS_KEY_FILE: file('own.key', own.key),
    PASSTHRU_AUTH_TYPE: 'http_basic',
    PASSTHRU_AUTH_DEFAULT_ROLE: 'admin',
    PASSTHRU_AUTH_HTTP_BASIC_AUTH_USER_FILE: file('users', htpasswd('nna@')),
  });
  try {
    const ca = file('ca.pem', authority.cert);
    // A password that begins with @, which is not the name of a file.
    const user = { OS_USERNAME: 'nna@', OS_PASSWORD: passwordOf('nna@') };
    expect(await run(['--from', source.url], user)).toEqual({
      status: 5,
      stdout: '',
      stderr: `error: cannot reach ${source.url}: its certificate is not trusted; use --os-cacert or NODE_EXTRA_CA_CERTS to trust its CA\n`,
    });
    const empty = { status: 0, stderr: 'Ironic has no nodes.\n' };
    expect(await run(['--from', source.url, '--os-cacert', ca], user)).toMatchObject(empty);
    expect(await run(['--from', source.url], { ...user, OS_CACERT: ca })).toMatchObject(empty);
    expect(await run(['--from', source.url, '--os-cacert', ca])).toMatchObject({
      status: 1,
      stderr: expect.stringMatching(/responded 401: .*\n {2}Give credentials by --os-token, or --os-username/),
    });
    expect(await run(['--from', source.url, '--os-cacert', join(directory, 'users')], user)).toMatchObject({
      status: 2,
      stderr: expect.stringContaining('users contains no PEM certificate'),
    });
  } finally {
    await source.stop();
  }
});
