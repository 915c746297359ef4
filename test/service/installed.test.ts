import { execFileSync, spawnSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { afterAll, afterEach, beforeAll, expect, test, vi } from 'vitest';
import { ROOT } from '../cli/run.ts';
import { endLaunched, launch, plainEnvironment } from './launched.ts';

// The package as `npm install` leaves it in a project, started as its users do.

vi.setConfig({ testTimeout: 120_000, hookTimeout: 240_000 });

let project: string;
beforeAll(() => {
  project = mkdtempSync(join(tmpdir(), 'passthru-installed-'));
  const options = { cwd: ROOT, env: plainEnvironment(), encoding: 'utf8' } as const;
  const packed = execFileSync('npm', ['pack', '--silent', '--pack-destination', project], options);
  const modules = join(project, 'node_modules');
  const own = join(modules, 'passthru');
  mkdirSync(own, { recursive: true });
  execFileSync('tar', ['-xzf', join(project, packed.trim().split('\n').at(-1)!), '--strip-components=1', '-C', own]);
  // Its dependencies, without asking the registry.
  for (const name of readdirSync(join(ROOT, 'node_modules'))) {
    if (!name.startsWith('.')) symlinkSync(join(ROOT, 'node_modules', name), join(modules, name));
  }
  mkdirSync(join(modules, '.bin'));
  symlinkSync('../passthru/dist/src/main.js', join(modules, '.bin', 'passthru'));
  execFileSync('chmod', ['+x', join(own, 'dist/src/main.js')]);
  symlinkSync(process.execPath, join(modules, '.bin', 'node'));
  writeFileSync(join(project, 'package.json'), '{"name":"project","private":true}');
});
afterAll(() => rmSync(project, { recursive: true }));
afterEach(endLaunched);

function npx(...args: string[]) {
  return spawnSync('npx', args, { cwd: project, env: plainEnvironment(), encoding: 'utf8' });
}

test('the package has the license of each package that it contains', () => {
  const own = join(project, 'node_modules', 'passthru');
  const { dependencies } = JSON.parse(readFileSync(join(own, 'package.json'), 'utf8'));
  const licenses = readFileSync(join(own, 'dist', 'src', 'LICENSES.txt'), 'utf8');
  for (const [name, version] of Object.entries(dependencies)) expect(licenses).toContain(`${name} ${version} (`);
  expect(licenses).toMatch(/^zod 4\S+ \(MIT\)\n\nMIT License\n/m);
});

test('the threads of the service load nothing of it', () => {
  for (const file of ['auth/bcryptWorker.js', 'store/sqlite/checkpointWorker.js']) {
    const text = readFileSync(join(project, 'node_modules', 'passthru', 'dist', 'src', file), 'utf8');
    const imported = [...text.matchAll(/from "(?:\.\.\/)+chunks\/([a-z-]+)-/g)].map(([, name]) => name);
    expect(imported.filter((name) => name !== 'bcryptjs' && name !== 'rolldown-runtime')).toEqual([]);
  }
});

test('npx passthru serve --check says that a configuration is valid', () => {
  writeFileSync(join(project, 'good.yaml'), 'listen: 127.0.0.1:0\nstore: sqlite:./passthru.db\n');
  const { status, stdout, stderr } = npx('passthru', 'serve', '--check', '--config', 'good.yaml');
  expect({ status, stdout, stderr }).toEqual({ status: 0, stdout: 'good.yaml: valid\n', stderr: '' });
  expect(readdirSync(project).filter((name) => name.startsWith('passthru.db'))).toEqual([]);
});

test('npx passthru serve --check fails on an invalid one, and names each field, its value and what is allowed', () => {
  writeFileSync(join(project, 'bad.yaml'), 'log_levl: info\nworkers_pool_size: 0\n');
  const { status, stdout, stderr } = npx('passthru', 'serve', '--check', '--config', 'bad.yaml');
  expect({ status, stdout }).toEqual({ status: 1, stdout: '' });
  expect(stderr).toContain('bad.yaml: workers_pool_size: 0 is not allowed; allowed: a whole number from 1 to 10000');
  expect(stderr).toContain('bad.yaml: log_levl: unknown key (value: "info"); did you mean log_level?');
});

test.each<[how: string, signal: (pid: number) => void]>([
  ['SIGTERM to npx', (pid) => process.kill(pid, 'SIGTERM')],
  ['SIGTERM to all its processes, as systemd sends', (pid) => process.kill(-pid, 'SIGTERM')],
  ['Ctrl-C', (pid) => process.kill(-pid, 'SIGINT')],
])('npx passthru serve stops in order on %s, and leaves nothing behind', async (_how, signal) => {
  const launched = await launch('npx', ['passthru', 'serve'], {}, project);
  expect((await fetch(`${launched.url}/healthz`)).status).toBe(200);
  signal(launched.pid);
  await launched.allEnded;
  expect(launched.output()).toMatch(/"msg":"stopped"/);
});

test('the installed command without npm stops with status 0', async () => {
  const bin = join(project, 'node_modules', '.bin');
  const path = { PATH: `${bin}:${process.env.PATH}` };
  const launched = await launch(join(bin, 'passthru'), ['serve'], path, project);
  process.kill(launched.pid, 'SIGTERM');
  expect(await launched.exited).toBe(0);
});

test('the installed service moves the log of its database by a thread', async () => {
  const bin = join(project, 'node_modules', '.bin');
  const store = join(project, 'log.db');
  const environment = { PATH: `${bin}:${process.env.PATH}`, PASSTHRU_STORE: `sqlite:${store}` };
  const launched = await launch(join(bin, 'passthru'), ['serve'], environment, project);
  for (let node = 0; node < 14; node++) {
    const extra = { filler: 'x'.repeat(700_000) };
    const body = JSON.stringify({ name: `node-${node}`, driver: 'fake-hardware', extra });
    const headers = { 'Content-Type': 'application/json', 'X-OpenStack-Ironic-API-Version': '1.80' };
    expect((await fetch(`${launched.url}/v1/nodes`, { method: 'POST', headers, body })).status).toBe(201);
  }
  const reader = new DatabaseSync(store);
  try {
    const size = reader.prepare('pragma wal_checkpoint(noop)');
    // The service itself would begin at 64,000 pages.
    await vi.waitFor(() => expect(size.get()!.checkpointed).toBeGreaterThan(8000));
  } finally {
    reader.close();
  }
  expect(launched.output()).not.toContain('moving the log of the database');
  process.kill(launched.pid, 'SIGTERM');
  expect(await launched.exited).toBe(0);
  expect(readdirSync(project)).not.toContain('log.db-wal');
});
