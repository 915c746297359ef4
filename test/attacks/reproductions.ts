import { execFileSync } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { chmodSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { connect } from 'node:net';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { rootCertificates } from 'node:tls';
import { hashSync } from 'bcryptjs';
import { startPostgres } from '../store/postgres/embeddedPostgres.ts';
import { CREATE, PASSWORD, type Running, type World, wait, withBmc } from './world.ts';

/** Attacks; returns what was seen of the finding, or null where it held. */
type Reproduction = (world: World) => Promise<string | null>;

const MEMORY = 'store: "sqlite::memory:"\n';
const fake = (name: string, more: object = {}) => ({ name, driver: 'fake-hardware', ...more });
const seconds = (begun: number) => `${((performance.now() - begun) / 1000).toFixed(1)} s`;

/** Starts a service with the users of an htpasswd file. */
function withUsers(world: World, users: Record<string, string>, auth: string): Promise<Running> {
  const lines = Object.entries(users).map(([name, password]) => `${name}:${hashSync(password, 5)}\n`);
  const file = world.file('users', lines.join(''));
  return world.serve(`${MEMORY}auth: { type: http_basic, http_basic_auth_user_file: ${file}, ${auth} }\n`);
}

const basic = (name: string, password: string) => ({ Authorization: `Basic ${btoa(`${name}:${password}`)}` });

export const REPRODUCTIONS: Readonly<Record<string, Reproduction>> = {
  async 1(world) {
    const { send, bmcUrl } = await withBmc(world);
    const address = bmcUrl.replace('http', 'https');
    const discover = async (verify_ca: string) =>
      (await send('POST', '/v1/drivers/redfish/vendor_passthru?method=discover', { address, verify_ca })).text;
    const file = world.file('host.pem', rootCertificates[0]!);
    const [absent, present] = [await discover('/nonexistent'), await discover(file)];
    const told = (text: string) => text.replaceAll(file, '').replaceAll(/\/nonexistent|req-[\w-]+/g, '');
    return told(absent) === told(present) ? null : `reads the path of a caller: ${absent} / ${present}`;
  },

  async 2(world) {
    const { url, send, process } = await world.serve(MEMORY, { log: '/dev/full' });
    const statuses: unknown[] = [];
    for (let call = 0; call < 5; call++) {
      statuses.push((await send('POST', '/v1/nodes', fake(`n${call}`)).catch(() => null))?.status ?? 'no response');
    }
    const ended = process.exitCode === null ? once(process, 'exit') : Promise.resolve();
    process.kill('SIGTERM');
    const stopped = await Promise.race([ended.then(() => true), wait(8000).then(() => false)]);
    return stopped && statuses.every((status) => status === 201)
      ? null
      : `${url}: ${statuses.join()}; ends on SIGTERM within 8 s: ${stopped}`;
  },

  async 3(world) {
    const message = { MessageId: 'x', Message: 'y'.repeat(2_000_000) };
    const error = { '@Message.ExtendedInfo': [message], message: 'no' };
    const { send } = await withBmc(world, ({ method }) =>
      method === 'POST' ? { status: 400, body: { error } } : undefined,
    );
    const { text } = await send('POST', CREATE, { Destination: 'https://listener.example/' });
    return text.length < 100_000 ? null : `an error of ${text.length} bytes`;
  },

  async 4(world) {
    const server = await startPostgres();
    try {
      const plain = world.hasFirstKey ? 'secrets: { plain: true }\n' : '';
      const store = `store: ${JSON.stringify(server.url(await server.createDatabase()))}\n`;
      const { send } = await world.serve(store + plain);
      await send('POST', '/v1/nodes', fake('n1', { driver_info: { password: PASSWORD } }));
      const key = world.file('secrets.key', `${randomBytes(32).toString('base64')}\n`);
      const config = world.file('keyed.yaml', `${store}secrets: { key_file: ${key} }\n`);
      await once(world.command(['rotate-key', '--config', config]), 'exit');
      const [list, health] = [await send('GET', '/v1/nodes'), await send('GET', '/healthz')];
      return list.status === 200
        ? null
        : `after rotate-key: list ${list.status}, health ${health.status} (11): ${list.text}`;
    } finally {
      await server.remove();
    }
  },

  async 5(world) {
    const { send } = await world.serve(`${MEMORY}workers_pool_size: 2\n`);
    for (const name of ['n1', 'n2']) await send('POST', '/v1/nodes', fake(name));
    await send('POST', '/passthru.v1.NodeService/LockNode', { node: 'n2' });
    const call = (node: string, headers = {}) =>
      send('POST', `/v1/nodes/${node}/vendor_passthru?method=second_method`, { bar: 'x' }, headers);
    const waiting = [1, 2].map(() => call('n2', { 'Passthru-Lock-Wait': '5' }));
    await wait(1000);
    const { status, text } = await call('n1');
    await Promise.allSettled(waiting);
    return status === 202 ? null : `two calls wait for a locked node: ${status} for a free one: ${text}`;
  },

  async 6(world) {
    let underWay = 0;
    let most = 0;
    const { url, send } = await withBmc(world, async ({ method }) => {
      if (method !== 'POST') return undefined;
      most = Math.max(most, ++underWay);
      await wait(3000);
      underWay--;
      return undefined;
    });
    const headers = { 'Content-Type': 'application/json', 'X-OpenStack-Ironic-API-Version': '1.82' };
    const body = JSON.stringify({ Destination: 'https://listener.example/' });
    await fetch(url + CREATE, { method: 'POST', headers, body, signal: AbortSignal.timeout(1000) }).catch(() => {});
    await send('POST', CREATE, { Destination: 'https://other.example/' }, { 'Passthru-Lock-Wait': '8' });
    return most === 1 ? null : `${most} POSTs at one BMC at once after a caller left`;
  },

  async 7(world) {
    const pipe = join(world.folder, 'pipe');
    execFileSync('mkfifo', [pipe]);
    const { send, process } = await world.serve(MEMORY, { log: pipe });
    // More than a pipe holds.
    for (let call = 0; call < 400; call++) await send('POST', '/v1/nodes', fake(`n${call}`));
    const ended = once(process, 'exit');
    process.kill('SIGTERM');
    const stopped = await Promise.race([ended.then(() => true), wait(20_000).then(() => false)]);
    return stopped ? null : 'with a log that nobody reads, SIGTERM has not ended it after 20 s';
  },

  async 8(world) {
    const service = await withUsers(world, { old: 'pw' }, 'roles: { odl: reader }').catch((error: Error) => error);
    if (service instanceof Error) return /odl/.test(service.message) ? null : service.message;
    const { status } = await service.send('POST', '/v1/nodes', fake('n'), basic('old', 'pw'));
    return status === 403 ? null : `starts, and a user without a role enrols a node: ${status}`;
  },

  async 9(world) {
    const { url, send } = await withBmc(world, undefined, { files: 400 });
    const sockets = Array.from({ length: 500 }, () => connect(Number(new URL(url).port), '127.0.0.1'));
    for (const socket of sockets) socket.on('error', () => {}).write('G');
    await Promise.all(sockets.map((socket) => Promise.race([once(socket, 'connect').catch(() => {}), wait(10_000)])));
    const failed: unknown[] = [];
    for (let call = 0; call < 5; call++) {
      await wait(1000);
      const called = await send('POST', CREATE, { Destination: 'https://listener.example/' }).catch((error) => error);
      if (called.status !== 200) failed.push(called.text ?? called);
    }
    for (const socket of sockets) socket.destroy();
    return failed.length === 0
      ? null
      : `beside 500 connections without a request, of 5 calls ${failed.length}: ${failed[0]}`;
  },

  async 10(world) {
    const { send } = await world.serve(`store: sqlite:${join(world.folder, 'a.db')}\n`);
    const other = new DatabaseSync(join(world.folder, 'a.db'));
    other.exec('begin immediate');
    const calls = [1, 2, 3, 4].map((call) => send('POST', '/v1/nodes', fake(`n${call}`)).catch(() => null));
    await wait(200);
    const begun = performance.now();
    await send('GET', '/').catch(() => null);
    const took = performance.now() - begun;
    other.exec('rollback');
    await Promise.all(calls);
    return took < 800 ? null : `GET / took ${seconds(begun)} while another program wrote`;
  },

  async 12(world) {
    const { send } = await world.serve(MEMORY);
    const names = ['pwd', 'api-key', 'ssh_key', 'access_key'];
    const info = Object.fromEntries(names.map((name) => [name, `SECRET-${name}`]));
    const { text } = await send(
      'POST',
      '/v1/nodes',
      fake('n', { driver_info: { ...info, url: 'admin:SECRET-url@host' } }),
    );
    const shown = text.match(/SECRET-[\w-]+/g);
    return shown === null ? null : `shows ${shown.join()}`;
  },

  async 13(world) {
    const base64 = btoa(PASSWORD);
    const html = PASSWORD.replaceAll('&', '&amp;').replaceAll('<', '&lt;').replaceAll('"', '&quot;');
    const error = { message: `bad: ${html} ${base64} ${PASSWORD.toUpperCase()}` };
    const { send } = await withBmc(world, ({ method }) =>
      method === 'POST' ? { status: 400, body: { error } } : undefined,
    );
    const { text } = await send('POST', CREATE, { Destination: 'https://listener.example/' });
    return [base64, 'ret&amp;', 'SEC<RET'].some((form) => text.includes(form)) ? `told: ${text}` : null;
  },

  async 14(world) {
    const { send } = await world.serve(`store: sqlite:${join(world.folder, 'a.db')}\n`);
    await send('POST', '/v1/nodes', fake('n', { driver_info: { password: 'PLAINSECRET' } }));
    const found = readdirSync(world.folder).filter((name) =>
      readFileSync(join(world.folder, name)).includes('PLAINSECRET'),
    );
    return found.length === 0 ? null : `in the clear in ${found.join()}`;
  },

  async 15(world) {
    const { send } = await world.serve(`store: sqlite:${join(world.folder, 'a.db')}\n`);
    for (const name of readdirSync(world.folder).filter((file) => /^a\.db(-wal|-shm)?$/.test(file))) {
      rmSync(join(world.folder, name));
    }
    await wait(3000);
    const [made, health] = [await send('POST', '/v1/nodes', fake('n')), await send('GET', '/healthz')];
    return made.status === 503 && health.status === 503
      ? null
      : `without its file: ${made.status}, health ${health.status}`;
  },

  async 17(world) {
    const { url, send } = await world.serve(MEMORY);
    await send('POST', '/v1/nodes', fake('n', { extra: { text: '\u009b31m' } }));
    const child = world.command(['--server', url, 'node', 'show', 'n', '-f', 'json']);
    const text = (await child.stdout!.toArray()).join('');
    if (!text.includes('31m')) throw new Error(`node show printed ${text}`);
    return text.includes('\u009b') ? 'the command passes U+009B to the terminal' : null;
  },

  async 18(world) {
    const { url, node } = await world.bmc();
    const { send } = await world.serve(`${MEMORY}destinations: { allow: [${new URL(url).hostname}/32] }\n`);
    await send('POST', '/v1/nodes', node);
    const passed: string[] = [];
    for (const destination of [
      'http://metadata.google.internal/',
      'http://10.0.0.1#@127.0.0.2/',
      'http://[::1]@10.0.0.1/',
    ]) {
      if ((await send('POST', CREATE, { Destination: destination })).status === 200) passed.push(destination);
    }
    return passed.length === 0 ? null : `taken as destinations: ${passed.join(' ')}`;
  },

  async 19(world) {
    let logins = 0;
    const refused = { status: 401, body: {} };
    const root = { body: { SessionService: { '@odata.id': '/redfish/v1/SessionService' } } };
    const { send, bmcUrl } = await withBmc(world, ({ path }) => {
      if (path === '/redfish/v1') return root;
      logins++;
      return refused;
    });
    const given = (guess: number) => ({ address: bmcUrl, username: 'root', password: `wrong-${guess}` });
    for (let guess = 0; guess < 20; guess++) {
      await send('POST', '/v1/drivers/redfish/vendor_passthru?method=discover', given(guess)).catch(() => {});
    }
    return logins < 15 ? null : `${logins} log-ins with wrong passwords reach the BMC`;
  },

  async 21(world) {
    const long = 'x'.repeat(72);
    const service = await withUsers(world, { ann: `${long}yyyy` }, 'roles: { ann: admin }');
    const { status } = await service.send('GET', '/v1/nodes', undefined, basic('ann', `${long}zzzz`));
    return status === 401 ? null : `another password with the same first 72 bytes: ${status}`;
  },

  async 22(world) {
    let polls = 0;
    const task = {
      status: 202,
      headers: { Location: '/redfish/v1/TaskService/Tasks/1', 'Retry-After': '0' },
      body: {},
    };
    const { url } = await withBmc(world, ({ method, path }) => {
      if (method === 'POST') return task;
      if (!path.endsWith('/Tasks/1')) return undefined;
      polls++;
      return { ...task, body: { TaskState: 'Running' } };
    });
    const body = JSON.stringify({
      node: 'rf',
      method: 'create_subscription',
      arguments: { Destination: 'https://a.example/' },
    });
    const headers = { 'Content-Type': 'application/json' };
    const call = fetch(`${url}/passthru.v1.PassthruService/CallNodeMethod`, { method: 'POST', headers, body });
    await Promise.race([call.catch(() => {}), wait(3000)]);
    if (polls === 0) throw new Error('the task is not polled');
    return polls < 40 ? null : `the monitor is polled ${polls} times in 3 s`;
  },

  async 23(world) {
    const { url } = await world.serve(MEMORY);
    // Field 1 is a string: one byte that is no UTF-8.
    const sent = {
      method: 'POST',
      headers: { 'Content-Type': 'application/proto' },
      body: Buffer.from([0x0a, 1, 0xff]),
    };
    const response = await fetch(`${url}/passthru.v1.NodeService/GetNode`, sent);
    const text = await response.text();
    return response.status === 400 && /invalid_argument/.test(text) ? null : `${response.status} ${text}`;
  },

  async 24(world) {
    const { send } = await world.serve(MEMORY);
    const body = '{"name": "n", "driver": "fake-hardware", "extra": {"a": 1e400, "b": 12345678901234567890, "c": -0}}';
    const { status, text } = await send('POST', '/v1/nodes', body);
    return status === 400 ? null : `${status}: ${/"extra":\{[^}]*\}/.exec(text)?.[0]}`;
  },

  async 26(world) {
    const nodes = world.file('nodes.yaml', 'nodes: []\n');
    // The mode of a new file is subject to the umask.
    chmodSync(nodes, 0o666);
    const { log } = await world.serve(`${MEMORY}nodes_file: ${nodes}\n`);
    return /0666/.test(log()) ? null : 'no warning about a nodes file of mode 0666';
  },

  async 28(world) {
    const { url } = await world.serve(MEMORY);
    const socket = connect(Number(new URL(url).port), '127.0.0.1');
    socket.write('GET / HTTP/1.1\r\nHost: localhost\r\nHost: localhost\r\nConnection: close\r\n\r\n');
    const text = (await socket.toArray()).join('');
    return /^HTTP\/1.1 400/.test(text) ? null : `two Host fields: ${text.split('\r\n')[0]}`;
  },
};
