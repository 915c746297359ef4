import { mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, beforeEach, expect, test, vi } from 'vitest';
import { parse } from 'yaml';
import { makeAuthority } from '../auth/certificates.ts';
import { AUDIENCE, ISSUER, makeIssuer } from '../auth/tokens.ts';
import { htpasswd, passwordOf } from '../auth/users.ts';
import { needs } from '../needs.ts';
import { type Ended, passthru, type Served, serve } from './run.ts';
import { hasTerminal, onTerminal } from './terminal.ts';

const NEEDS_TERMINAL = needs(hasTerminal ? null : 'python3, which makes the pseudo-terminal');

// Each command is a process, which is slow to start on a busy machine.
vi.setConfig({ testTimeout: 180_000, hookTimeout: 60_000 });

const directory = mkdtempSync(join(tmpdir(), 'passthru-context-'));
const password = join(directory, 'password.txt');
const config = join(directory, 'passthru', 'config.yaml');
let guarded: Served;
let open: Served;

beforeAll(async () => {
  writeFileSync(join(directory, 'users'), htpasswd('anna', 'nna@'));
  writeFileSync(password, `${passwordOf('anna')}\n`);
  guarded = await serve([], {
    PASSTHRU_AUTH_TYPE: 'http_basic',
    PASSTHRU_AUTH_DEFAULT_ROLE: 'admin',
    PASSTHRU_AUTH_HTTP_BASIC_AUTH_USER_FILE: join(directory, 'users'),
  });
  open = await serve();
});
afterAll(async () => {
  await guarded.stop();
  await open.stop();
  rmSync(directory, { recursive: true });
});
beforeEach(() => rmSync(join(directory, 'passthru'), { recursive: true, force: true }));

function run(args: readonly string[], environment: NodeJS.ProcessEnv = {}): Promise<Ended> {
  return passthru(args, { XDG_CONFIG_HOME: directory, ...environment });
}

async function setGuarded(): Promise<void> {
  const args = ['--server', guarded.url, '--user', 'anna', '--password', `@${password}`];
  expect(await run(['context', 'set', 'site', ...args])).toMatchObject({ status: 0, stderr: '' });
}

test('the first context becomes the default; its password is read from its file', async () => {
  await setGuarded();
  expect(await run(['node', 'list', '-f', 'json'])).toEqual({ status: 0, stdout: '[]\n', stderr: '' });
  expect(parse(readFileSync(config, 'utf8'))).toEqual({
    current: 'site',
    contexts: { site: { server: guarded.url, user: 'anna', password: `@${password}` } },
  });
});

test('the file is readable by its owner only', async () => {
  await setGuarded();
  expect(statSync(config).mode & 0o777).toBe(0o600);
});

test('use, --context and PASSTHRU_CONTEXT choose another context; list hides secrets', async () => {
  await setGuarded();
  await run(['context', 'set', 'lab', '--server', open.url, '--token', 'a-token-of-mine']);
  const { stdout } = await run(['context', 'list', '-f', 'json']);
  expect(JSON.parse(stdout)).toEqual([
    { Name: 'lab', Current: false, Server: open.url, Credentials: 'token' },
    { Name: 'site', Current: true, Server: guarded.url, Credentials: 'user anna' },
  ]);
  await run(['--context', 'lab', 'node', 'create', '--driver', 'fake-hardware', '--name', 'of-lab']);
  const names = ['node', 'list', '-f', 'value', '-c', 'name'];
  expect((await run(names)).stdout).toBe('');
  expect((await run(names, { PASSTHRU_CONTEXT: 'lab' })).stdout).toBe('of-lab\n');
  expect(await run(['context', 'use', 'lab'])).toMatchObject({ status: 0 });
  expect((await run(names)).stdout).toBe('of-lab\n');
  const shown = async (...args: string[]) => JSON.parse((await run([...args, 'context', 'show', '-f', 'json'])).stdout);
  expect(await shown()).toMatchObject({ name: 'lab', current: true, server: open.url, token: '******', user: null });
  // What a command would use with these options.
  expect(await shown('--context', 'site')).toMatchObject({ name: 'site', user: 'anna', password: `@${password}` });
  expect(await shown('--server', 'http://other')).toMatchObject({ name: null, server: 'http://other', token: null });
  expect(await run(['context', 'delete', 'lab'])).toMatchObject({
    status: 0,
    stderr:
      'It was the default: commands now use http://127.0.0.1:6385; passthru context use sets another default: site\n',
  });
  expect((await run(['context', 'list', '-f', 'value', '-c', 'Name'])).stdout).toBe('site\n');
});

test("a context's credentials are not sent to a server that --server or PASSTHRU_SERVER names", async () => {
  await setGuarded();
  for (const [args, environment] of [
    [['--server', guarded.url], {}],
    [[], { PASSTHRU_SERVER: guarded.url }],
  ] as const) {
    const { status, stderr } = await run([...args, 'node', 'list'], environment);
    expect([status, stderr]).toEqual([1, expect.stringMatching(/Authorization required[\s\S]*--token, --user/)]);
  }
});

test('--user with PASSTHRU_PASSWORD authenticates; no message contains the password', async () => {
  const at = { PASSTHRU_SERVER: guarded.url };
  const list = ['node', 'list', '--user', 'anna', '-f', 'json'];
  expect(await run(list, { ...at, PASSTHRU_PASSWORD: passwordOf('anna') })).toMatchObject({
    status: 0,
    stdout: '[]\n',
  });
  // The environment and a file hold the password itself, never the name of a file.
  const user = ['node', 'list', '--user', 'nna@', '-f', 'json'];
  expect(passwordOf('nna@')).toBe('@ann');
  expect(await run(user, { ...at, PASSTHRU_PASSWORD: '@ann' })).toMatchObject({ status: 0 });
  const refused = await run(list, { ...at, PASSTHRU_PASSWORD: 'wrong-word' });
  expect([refused.status, refused.stderr]).toEqual([1, expect.not.stringContaining('wrong-word')]);
  expect(await run(list, at)).toMatchObject({ status: 2, stderr: expect.stringContaining('PASSTHRU_PASSWORD') });
});

test('--token, PASSTHRU_TOKEN, @FILE and a context authenticate over gRPC and REST', async () => {
  const issuer = await makeIssuer();
  const token = await issuer.token({ sub: 'anna', roles: ['admin'] });
  writeFileSync(join(directory, 'keys.json'), JSON.stringify(issuer.keySet));
  writeFileSync(join(directory, 'token.txt'), `${token}\n`);
  const service = await serve([], {
    PASSTHRU_AUTH_TYPE: 'jwt',
    PASSTHRU_AUTH_JWT_JWKS_FILE: join(directory, 'keys.json'),
    PASSTHRU_AUTH_JWT_ISSUER: ISSUER,
    PASSTHRU_AUTH_JWT_AUDIENCE: AUDIENCE,
  });
  const at = { PASSTHRU_SERVER: service.url };
  const list = ['node', 'list', '-f', 'json'];
  expect(await run(list, at)).toMatchObject({ status: 1, stdout: '' });
  for (const [args, environment] of [
    [['--token', token], at],
    [['--token', `@${join(directory, 'token.txt')}`], at],
    [[], { ...at, PASSTHRU_TOKEN: token }],
  ] as const) {
    expect(await run([...list, ...args], environment)).toEqual({ status: 0, stdout: '[]\n', stderr: '' });
  }
  await run(['context', 'set', 'signed', '--server', service.url, '--token', `@${join(directory, 'token.txt')}`]);
  await run(['node', 'create', '--driver', 'fake-hardware', '--name', 'n']);
  expect(await run(['node', 'validate', 'n', '-f', 'value'])).toEqual({
    status: 0,
    stdout: 'vendor True None\n',
    stderr: '',
  });
  await service.stop();
});

test("uses a context's certificate and CA over gRPC and REST", async () => {
  const authority = makeAuthority('authority');
  const own = authority.issue({ loopback: true });
  const anna = authority.issue({ commonName: 'anna' });
  const files = { 'ca.pem': authority.cert, 'own.pem': own.cert, 'own.key': own.key, 'anna.pem': anna.cert };
  for (const [name, text] of Object.entries({ ...files, 'anna.key': anna.key })) {
    writeFileSync(join(directory, name), text);
  }
  const service = await serve([], {
    PASSTHRU_TLS_CERT_FILE: join(directory, 'own.pem'),
    PASSTHRU_TLS_KEY_FILE: join(directory, 'own.key'),
    PASSTHRU_TLS_CLIENT_CA_FILE: join(directory, 'ca.pem'),
    PASSTHRU_AUTH_TYPE: 'client_certificate',
    PASSTHRU_AUTH_ROLES: 'anna=admin',
  });
  const certificate = ['--cert-file', join(directory, 'anna.pem'), '--key-file', join(directory, 'anna.key')];
  await run(['context', 'set', 'tls', '--server', service.url, ...certificate]);
  expect(await run(['node', 'list'])).toMatchObject({ status: 5, stderr: expect.stringContaining('certificate') });
  await run(['context', 'set', 'tls', '--ca-file', join(directory, 'ca.pem')]);
  expect(await run(['node', 'create', '--driver', 'fake-hardware', '--name', 'n'])).toMatchObject({ status: 0 });
  expect(await run(['node', 'validate', 'n', '-f', 'value'])).toMatchObject({
    status: 0,
    stdout: 'vendor True None\n',
  });
  await service.stop();
});

test.each([
  [['context', 'use', 'nope'], 'unknown context nope'],
  [['--context', 'nope', 'node', 'list'], 'unknown context nope'],
  [['context', 'set', 'new'], '--server: required for a new context'],
  [['context', 'set', 'new', '--server', 'bmc'], '"bmc" is not an http:// or https:// URL'],
  [['--server', 'http://127.0.0.1:1', '--context', 'site', 'node', 'list'], 'only one of them is allowed'],
  [['--token', 'two words', 'node', 'list'], '--token: not a token'],
  [['--token', '@/does/not/exist', 'node', 'list'], '/does/not/exist cannot be read: no such file'],
])('%j exits with 2', async (args, message) => {
  expect(await run(args)).toMatchObject({ status: 2, stderr: expect.stringContaining(message) });
});

test('an invalid file is reported by its keys, without their values', async () => {
  await setGuarded();
  writeFileSync(config, 'contexts: { site: { server: 7, tokn: my-secret } }\n');
  const { status, stderr } = await run(['node', 'list']);
  expect([status, stderr]).toEqual([2, expect.stringMatching(/config\.yaml: .*contexts\.site/)]);
  expect(stderr).not.toContain('my-secret');
});

test('on a terminal a password that is not given is prompted for, and not shown', NEEDS_TERMINAL, async () => {
  await run(['context', 'set', 'site', '--server', guarded.url, '--user', 'anna']);
  const { status, shown } = await onTerminal(['node', 'list', '-f', 'json'], { XDG_CONFIG_HOME: directory }, [
    [/Password of anna: /, `${passwordOf('anna')}\n`],
  ]);
  expect(shown.replaceAll('\r', '')).toBe('Password of anna: \n[]\n');
  expect(status).toBe(0);
  expect(parse(readFileSync(config, 'utf8')).contexts.site).not.toHaveProperty('password');
  // Without one, as in a script, the error says where to put it.
  const { stderr, status: refused } = await run(['node', 'list']);
  expect([refused, stderr]).toEqual([
    2,
    'error: no password for user anna; set it by passthru context set --password @FILE\n',
  ]);
});
