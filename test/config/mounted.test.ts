import { spawnSync } from 'node:child_process';
import {
  chmodSync,
  chownSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readlinkSync,
  renameSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { hashSync } from 'bcryptjs';
import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import { newKeyLines } from '../../src/config/keyFile.ts';
import { type Command, start, startPassthru } from '../cli/run.ts';
import { needs } from '../needs.ts';

vi.setConfig({ testTimeout: 180_000 });

const MAIN = fileURLToPath(new URL('../../src/main.js', import.meta.url));
const IRONIC = { 'Content-Type': 'application/json', 'X-OpenStack-Ironic-API-Version': '1.82' };

const isRoot = process.getuid?.() === 0;

/** The user and the group (`fsGroup`) that examples/deploy/kubernetes.yaml gives the container; our own where that takes root. */
const USER = isRoot ? 65532 : process.getuid!();
const GROUP = isRoot ? 65532 : process.getgid!();

let folder: string;
let mounted: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'passthru-mounted-'));
  chmodSync(folder, 0o755);
  mounted = join(folder, 'etc');
  mkdirSync(mounted);
  mkdirSync(join(folder, 'data'));
  chownSync(join(folder, 'data'), USER, GROUP);
});
afterEach(() => {
  chmodSync(join(folder, 'data'), 0o700);
  rmSync(folder, { recursive: true });
});

/** Puts `files` where a volume of a Secret or ConfigMap has them: behind two links, the first of which each change replaces. */
function mount(files: Record<string, string>): void {
  const version = `..${new Date().toISOString().replaceAll(/[-:.]/g, '_')}.${Math.random()}`;
  const target = join(mounted, version);
  mkdirSync(target);
  for (const [name, text] of Object.entries(files)) {
    writeFileSync(join(target, name), text);
    // By root, and for the group alone.
    chownSync(join(target, name), process.getuid!(), GROUP);
    chmodSync(join(target, name), 0o440);
  }
  symlinkSync(version, join(mounted, '..data_tmp'));
  renameSync(join(mounted, '..data_tmp'), join(mounted, '..data'));
  for (const name of Object.keys(files)) {
    rmSync(join(mounted, name), { force: true });
    symlinkSync(join('..data', name), join(mounted, name));
  }
}

const AS_USER = [`--reuid=${USER}`, `--regid=${GROUP}`, '--clear-groups', process.execPath, MAIN];

/** Starts the service as the user of the container. */
function serveAsUser(): Command {
  const args = ['serve', '--config', join(mounted, 'passthru.yaml')];
  const variables = { PASSTHRU_STORE: `sqlite:${join(folder, 'data/passthru.db')}` };
  return isRoot ? start('setpriv', [...AS_USER, ...args], variables) : startPassthru(args, variables);
}

const noUser =
  isRoot && spawnSync('setpriv', [...AS_USER, '--version']).status !== 0
    ? 'setpriv of util-linux, and a checkout that another user can read'
    : null;

const CONFIG = `
listen: 127.0.0.1:0
nodes_file: nodes.yaml
secrets: { key_file: secrets.key }
auth: { type: http_basic, http_basic_auth_user_file: users, roles: { ann: admin } }
`;
const NODES = 'nodes: [{ name: n1, driver: fake-hardware, driver_info: { password: hunter2 } }]';
const USERS = `ann:${hashSync('pw', 4)}\n`;

test(
  'files of a Kubernetes volume work for the group of the container, without a warning, and again after a change',
  needs(noUser),
  async () => {
    const key = newKeyLines();
    for (const keys of [key, `${newKeyLines()}${key}`]) {
      mount({ 'passthru.yaml': CONFIG, 'nodes.yaml': NODES, 'secrets.key': keys, users: USERS });
      expect(readlinkSync(join(mounted, 'secrets.key'))).toBe('..data/secrets.key');
      const service = serveAsUser();
      const [, url] = await service.printed(/^listening on (http:\/\/\S+)$/m);
      const headers = { ...IRONIC, Authorization: `Basic ${btoa('ann:pw')}` };
      const response = await fetch(`${url}/v1/nodes/n1`, { headers });
      expect(await response.json()).toMatchObject({ driver_info: { password: '******' } });
      service.process.kill('SIGTERM');
      const { status, stderr } = await service.ended;
      expect(status).toBe(0);
      expect(stderr).not.toContain('"level":"warn"');
    }
    // The key was read where it is, and none was made beside the database.
    expect(readdirSync(join(folder, 'data')).filter((name) => name.includes('key'))).toEqual([]);
  },
);

test('a key that is missing in a volume, which is read-only, is named with what to do', needs(noUser), async () => {
  mount({ 'passthru.yaml': CONFIG, 'nodes.yaml': NODES, users: USERS });
  // As root writes everywhere, the service is another user.
  if (!isRoot) chmodSync(mounted, 0o500);
  const { status, stderr } = await serveAsUser().ended;
  if (!isRoot) chmodSync(mounted, 0o700);
  expect(status).toBe(1);
  expect(stderr).toContain(
    `secrets.key_file: ${join(mounted, 'secrets.key')} cannot be created: permission denied; set secrets.key_file to a file in a folder that the service can write, or make the key before the start: passthru generate-key FILE`,
  );
});

test(
  'a database in a folder that cannot be written is named with what to do, also when it is there already',
  needs(noUser),
  async () => {
    mount({ 'passthru.yaml': CONFIG, 'nodes.yaml': NODES, 'secrets.key': newKeyLines(), users: USERS });
    const data = join(folder, 'data');
    const refused = `store: sqlite:${join(data, 'passthru.db')} cannot be opened: ${data}: permission denied; name a database in a folder that the service can write`;
    chmodSync(data, 0o500);
    expect(await serveAsUser().ended).toMatchObject({ status: 1, stderr: expect.stringContaining(refused) });
    chmodSync(data, 0o700);
    writeFileSync(join(data, 'passthru.db'), '');
    chownSync(join(data, 'passthru.db'), USER, GROUP);
    chmodSync(data, 0o500);
    expect(await serveAsUser().ended).toMatchObject({ status: 1, stderr: expect.stringContaining(refused) });
  },
);
