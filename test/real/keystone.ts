import { type ChildProcess, execFile, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { promisify } from 'node:util';
import { expect } from 'vitest';

const SERVER = new URL('./keystone_server.py', import.meta.url).pathname;

/** The bootstrapped administrator's password, and every other user's. */
export const PASSWORD = 's3cret-word';

/** The scope of a requested token. */
export type Scope = { project: string } | 'system' | 'none';

/** A real Keystone on SQLite, whose projects, users and roles a test creates. */
export class Keystone {
  readonly url: string;
  /** A second process on the same database, whose tokens expire after `SHORT_LIFE` seconds. */
  readonly shortLivedUrl: string;
  readonly #folder: string;
  readonly #processes: ChildProcess[];
  #admin = '';

  private constructor(folder: string, servers: { url: string; process: ChildProcess }[]) {
    this.#folder = folder;
    this.url = servers[0]!.url;
    this.shortLivedUrl = servers[1]!.url;
    this.#processes = servers.map((server) => server.process);
  }

  static async start(environment: { folder: string; python: string }): Promise<Keystone> {
    const folder = mkdtempSync(join(tmpdir(), 'keystone-'));
    const file = (name: string) => join(folder, name);
    for (const keys of ['fernet', 'credential']) mkdirSync(file(keys), { mode: 0o700 });
    for (const [name, life] of [
      ['keystone.conf', 3600],
      ['short.conf', SHORT_LIFE],
    ] as const) {
      writeFileSync(
        file(name),
        `[DEFAULT]\nlog_file = ${file(`${name}.log`)}
[database]\nconnection = sqlite:///${file('keystone.db')}
[fernet_tokens]\nkey_repository = ${file('fernet')}
[fernet_receipts]\nkey_repository = ${file('fernet')}
[credential]\nkey_repository = ${file('credential')}
[cache]\nenabled = false
[identity]\npassword_hash_rounds = 4
[token]\nexpiration = ${life}\n`,
      );
    }
    const manage = (...args: string[]) =>
      promisify(execFile)(join(environment.folder, 'bin', 'keystone-manage'), [
        '--config-file',
        file('keystone.conf'),
        ...args,
      ]);
    const account = ['--keystone-user', String(process.getuid?.()), '--keystone-group', String(process.getgid?.())];
    await manage('db_sync');
    await manage('fernet_setup', ...account);
    await manage('bootstrap', '--bootstrap-password', PASSWORD);
    const servers = await Promise.all(
      ['keystone.conf', 'short.conf'].map((name) => serve(environment.python, file(name))),
    );
    const keystone = new Keystone(folder, servers);
    keystone.#admin = await keystone.token('admin', 'system');
    return keystone;
  }

  /** Returns a token of a user. */
  async token(user: string, scope: Scope, url = this.url): Promise<string> {
    const password = { user: { name: user, domain: { id: 'default' }, password: PASSWORD } };
    const scopes = { system: { system: { all: true } }, none: 'unscoped' };
    const response = await fetch(`${url}/v3/auth/tokens`, {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify({
        auth: {
          identity: { methods: ['password'], password },
          scope:
            typeof scope === 'string' ? scopes[scope] : { project: { name: scope.project, domain: { id: 'default' } } },
        },
      }),
    });
    expect([user, response.status, await response.text()]).toEqual([user, 201, expect.any(String)]);
    return response.headers.get('x-subject-token') as string;
  }

  async revoke(token: string): Promise<void> {
    const headers = { 'x-auth-token': this.#admin, 'x-subject-token': token };
    expect((await fetch(`${this.url}/v3/auth/tokens`, { method: 'DELETE', headers })).status).toBe(204);
  }

  /** Creates a project and returns its id. */
  async createProject(name: string): Promise<string> {
    const { project } = await this.#call('POST', '/projects', { project: { name, domain_id: 'default' } });
    return project.id;
  }

  /** Creates a user with a role on a project or on the system, or without a role (null). */
  async createUser(name: string, role: string | null, on: { project: string } | 'system' = 'system'): Promise<void> {
    const { user } = await this.#call('POST', '/users', { user: { name, domain_id: 'default', password: PASSWORD } });
    if (role === null) return;
    const { roles } = await this.#call('GET', `/roles?name=${role}`);
    const where = on === 'system' ? '/system' : `/projects/${on.project}`;
    await this.#call('PUT', `${where}/users/${user.id}/roles/${roles[0].id}`);
  }

  /**
   * Adds a service at `url` to the catalog, in its own region.
   * @param type the type in the catalog, such as `baremetal`
   */
  async createEndpoint(type: string, url: string, region: string): Promise<void> {
    await this.#call('POST', '/regions', { region: { id: region } });
    const { service } = await this.#call('POST', '/services', { service: { type, name: region } });
    for (const side of ['public', 'internal', 'admin']) {
      const endpoint = { service_id: service.id, interface: side, region_id: region, url };
      await this.#call('POST', '/endpoints', { endpoint });
    }
  }

  async close(): Promise<void> {
    for (const child of this.#processes) {
      child.kill('SIGKILL');
      if (child.exitCode === null && child.signalCode === null) await once(child, 'exit');
    }
    rmSync(this.#folder, { recursive: true });
  }

  // biome-ignore lint/suspicious/noExplicitAny: a document of Keystone
  async #call(method: string, path: string, body?: object): Promise<any> {
    const headers = { 'x-auth-token': this.#admin, 'content-type': 'application/json' };
    const response = await fetch(`${this.url}/v3${path}`, { method, headers, body: body && JSON.stringify(body) });
    const text = await response.text();
    expect([path, response.ok, text]).toEqual([path, true, text]);
    return text === '' ? null : JSON.parse(text);
  }
}

/** The lifetime of short-lived tokens, in seconds. */
export const SHORT_LIFE = 12;

async function serve(python: string, config: string): Promise<{ url: string; process: ChildProcess }> {
  const child = spawn(python, [SERVER, config], { stdio: ['ignore', 'pipe', 'pipe'] });
  const logged: string[] = [];
  createInterface(child.stderr).on('line', (line) => logged.push(line));
  const url = await new Promise<string>((resolve, reject) => {
    createInterface(child.stdout).on('line', (line) => {
      const [, listening] = /^listening on (\S+)/.exec(line) ?? [];
      if (listening !== undefined) resolve(listening);
    });
    child.once('error', reject);
    child.once('exit', () => reject(new Error(`Keystone ended:\n${logged.join('\n')}`)));
  });
  return { url, process: child };
}
