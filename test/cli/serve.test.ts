import { once } from 'node:events';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { Code, createClient } from '@connectrpc/connect';
import { createGrpcTransport } from '@connectrpc/connect-node';
import { afterAll, beforeAll, describe, expect, test, vi } from 'vitest';
import { Health, HealthCheckResponse_ServingStatus } from '../../gen/grpc/health/v1/health_pb.ts';
import { PassthruService } from '../../gen/passthru/v1/passthru_pb.ts';
import { passthru, ROOT, serve, start, startPassthru } from './run.ts';

// Each command is a process, which is slow to start on a busy machine.
vi.setConfig({ testTimeout: 60_000, hookTimeout: 60_000 });

const DRIVER = fileURLToPath(new URL('./benchDriver.ts', import.meta.url));

let directory: string;
beforeAll(() => {
  directory = mkdtempSync(join(tmpdir(), 'passthru-serve-'));
});
afterAll(() => rmSync(directory, { recursive: true }));

function file(name: string, content: string): string {
  const path = join(directory, name);
  writeFileSync(path, content);
  return path;
}

/** Ironic shows names from version 1.5 on. */
const IRONIC = { headers: { 'X-OpenStack-Ironic-API-Version': '1.78' } };

/** The environment of a service that leaves nothing behind. */
const FREE = { PASSTHRU_LISTEN: '127.0.0.1:0', PASSTHRU_STORE: 'sqlite::memory:' };

describe('serve', () => {
  test('serves REST and gRPC at the printed address, enrols the nodes file and exits with 0 on SIGTERM', async () => {
    file('nodes.yaml', 'nodes: [{ name: fake-1, driver: fake-hardware }]');
    const config = file(
      'passthru.yaml',
      'listen: 127.0.0.1:0\nstore: sqlite:data.db\nnodes_file: nodes.yaml\nhost: replica-7\nlog_level: debug\n',
    );
    const served = await serve(['--config', config], { PASSTHRU_LISTEN: '', PASSTHRU_STORE: '' });
    expect((await fetch(`${served.url}/healthz`)).status).toBe(200);
    const rest = (await (await fetch(`${served.url}/v1/nodes`, IRONIC)).json()) as { nodes: { name: string }[] };
    expect(rest.nodes.map(({ name }) => name)).toEqual(['fake-1']);
    const hosts = await passthru(['--server', served.url, 'driver', 'list', '-f', 'value', '-c', 'Active host(s)']);
    expect(hosts.stdout).toMatch(/^replica-7$/m);

    const { status, stdout, stderr } = await served.stop();
    expect(status).toBe(0);
    expect(stdout).toBe(`listening on ${served.url}\n`);
    const log = stderr
      .trimEnd()
      .split('\n')
      .map((line) => JSON.parse(line));
    expect(log).toContainEqual(expect.objectContaining({ level: 'info', msg: 'nodes file applied', enrolled: 1 }));
    expect(log.at(-1)).toMatchObject({ level: 'info', msg: 'stopped' });
    expect(readFileSync(join(directory, 'data.db')).subarray(0, 6).toString()).toBe('SQLite');
  });

  test('writes the whole log, even if it is read only after SIGTERM', async () => {
    const served = await serve([], { PASSTHRU_LOG_LEVEL: 'debug' });
    const { stderr: unread } = served.command.process;
    unread!.pause();
    // More lines than a pipe holds.
    const requests = 3000;
    for (let sent = 0; sent < requests; sent += 100) {
      await Promise.all(Array.from({ length: 100 }, async () => (await fetch(`${served.url}/healthz`)).text()));
    }
    served.command.process.kill('SIGTERM');
    setTimeout(() => unread!.resume(), 500);
    const { status, stderr } = await served.command.ended;
    expect(status).toBe(0);
    expect(stderr.match(/"msg":"REST request served"/g)).toHaveLength(requests);
    expect(stderr).toMatch(/"msg":"stopped"\}\n$/);
  });

  test('stops on SIGINT after running calls end', async () => {
    const served = await serve([], { PASSTHRU_FAKE_VENDOR_DELAY: '1s' });
    const at = { PASSTHRU_SERVER: served.url };
    await passthru(['node', 'create', '--driver', 'fake-hardware', '--name', 'f'], at);
    const job = await passthru(['node', 'passthru', 'call', 'f', 'second_method', '--arg', 'bar=kazoo'], at);
    expect(job.status).toBe(0);
    served.command.process.kill('SIGINT');
    const { status, stderr } = await served.command.ended;
    expect(status).toBe(0);
    expect(stderr).toMatch(/"grace_ms":10000,"calls":0,"jobs":1,"msg":"shutting down"/);
    expect(stderr).toMatch(/"state":"succeeded","msg":"job ended"/);
  });

  test('logs a rejected promise of a driver and continues', async () => {
    const driver = file(
      'stray.mjs',
      `import { defineMethod, z } from ${JSON.stringify(new URL('../../src/driver.ts', import.meta.url).href)};
      const stray = defineMethod({
        name: 'stray', httpMethods: ['POST'], description: 'Forgets a promise', arguments: z.object({}), result: z.null(),
        handler: async () => { void Promise.reject(new Error('left alone')); return null; },
      });
      export default {
        name: 'stray', vendorInterfaces: [{ name: 'stray', methods: [] }], driverMethods: [stray], properties: {},
      };`,
    );
    const served = await serve([], { PASSTHRU_DRIVERS: driver });
    const called = await fetch(`${served.url}/v1/drivers/stray/vendor_passthru/stray`, { method: 'POST', ...IRONIC });
    expect(called.status).toBe(200);
    await served.command.printed(/"message":"left alone".*"msg":"unhandled promise rejection"/);
    expect((await fetch(`${served.url}/healthz`)).status).toBe(200);
    expect((await served.stop()).status).toBe(0);
  });

  test('finishes running calls after a signal, and refuses new ones, on new connections too, as shutting down', async () => {
    const served = await serve([], { PASSTHRU_FAKE_VENDOR_DELAY: '1h', PASSTHRU_SHUTDOWN_GRACE: '2s' });
    const transport = createGrpcTransport({ baseUrl: served.url });
    const health = createClient(Health, transport).watch({})[Symbol.asyncIterator]();
    expect((await health.next()).value).toMatchObject({ status: HealthCheckResponse_ServingStatus.SERVING });
    await send(served.url, 'POST', '/v1/nodes', { name: 'n1', driver: 'fake-hardware' });
    const running = send(served.url, 'POST', '/v1/nodes/n1/vendor_passthru/third_method_sync', { bar: 'x' });
    await expect
      .poll(async () => JSON.parse((await send(served.url, 'GET', '/v1/nodes/n1')).body).reservation)
      .not.toBeNull();
    served.command.process.kill('SIGTERM');
    await served.command.printed(/"grace_ms":2000,"calls":1,"jobs":0,"msg":"shutting down"/);
    expect((await health.next()).value).toMatchObject({ status: HealthCheckResponse_ServingStatus.NOT_SERVING });
    for (const [method, path, body] of [
      ['GET', '/healthz'],
      ['POST', '/v1/nodes', { name: 'n2', driver: 'fake-hardware' }],
      ['POST', '/v1/nodes/n1/vendor_passthru/third_method_sync', { bar: 'x' }],
    ] as const) {
      expect(await send(served.url, method, path, body), path).toMatchObject({ status: 503, retryAfter: '1' });
    }
    const call = { node: 'n1', method: 'third_method_sync', arguments: { bar: 'x' } };
    const fresh = createClient(PassthruService, createGrpcTransport({ baseUrl: served.url }));
    await expect(fresh.callNodeMethod(call)).rejects.toMatchObject({ code: Code.Unavailable });
    expect((await running).body).toMatch(/The service was shut down while the call ran/);
    expect((await served.command.ended).status).toBe(0);
  });

  test('exits at once with another status on a second signal, a second after the first or later', async () => {
    const served = await serve([], { PASSTHRU_DRIVERS: DRIVER, PASSTHRU_SHUTDOWN_GRACE: '1h' });
    const at = { PASSTHRU_SERVER: served.url };
    await passthru(['node', 'create', '--driver', 'bench', '--name', 'b'], at);
    await passthru(['node', 'passthru', 'call', 'b', 'hold', '--arg', 'word=never'], at);
    served.command.process.kill('SIGTERM');
    await served.command.printed(/"msg":"shutting down"/);
    const again = setInterval(() => served.command.process.kill('SIGTERM'), 200);
    expect((await served.command.ended.finally(() => clearInterval(again))).status).toBe(143);
  });

  test.each(['SIGTERM', 'SIGINT'] as const)(
    'ends on %s although the readers of its output went away while nothing was logged',
    async (signal) => {
      const served = await serve();
      served.command.process.stderr!.destroy();
      served.command.process.stdout!.destroy();
      served.command.process.kill(signal);
      expect(await once(served.command.process, 'exit')).toEqual([0, null]);
    },
  );

  test('logs one JSON object per line, at its level and above', async () => {
    const served = await serve([], { PASSTHRU_LOG_LEVEL: 'warn' });
    expect((await served.stop()).stderr).toBe('');
  });
});

describe('serve cannot start', () => {
  test.each<[what: string, yaml: string, message: RegExp]>([
    [
      'with an invalid configuration',
      'log_levl: info\nworkers_pool_size: 0',
      /: log_levl: unknown key[^\n]*did you mean log_level\?\n/,
    ],
    [
      'and reports every problem',
      'log_levl: info\nworkers_pool_size: 0',
      /workers_pool_size: 0 is not allowed; allowed: a whole number from 1 to 10000/,
    ],
    [
      'open to the network without authentication',
      'listen: 0.0.0.0:0',
      /listen: "0\.0\.0\.0:0" is not allowed; allowed: a loopback address [^\n]* while auth\.type is none/,
    ],
    ['with a missing nodes file', 'nodes_file: absent.yaml', /absent\.yaml: cannot be read: no such file/],
    ['with a store in a missing folder', 'store: sqlite:absent/p.db', /absent/],
    ['with a missing driver module', 'drivers: [./absent.js]', /driver module .*absent\.js/],
  ])('%s', async (_what, yaml, message) => {
    const config = file('wrong.yaml', yaml);
    const environment = { ...FREE };
    for (const [name, key] of [
      ['PASSTHRU_LISTEN', 'listen'],
      ['PASSTHRU_STORE', 'store'],
    ] as const) {
      if (yaml.includes(`${key}:`)) environment[name] = '';
    }
    const { status, stdout, stderr } = await passthru(['serve', '--config', config], environment);
    expect(status).toBe(1);
    expect(stdout).toBe('');
    expect(stderr).toMatch(/^error: passthru cannot start:$/m);
    expect(stderr).toMatch(message);
    expect(stderr).not.toMatch(/^ +at /m);
  });

  test('on a port in use, and leaves the store to the next start', async () => {
    const taken = createServer().listen(0, '127.0.0.1');
    await once(taken, 'listening');
    const { port } = taken.address() as { port: number };
    const store = `sqlite:${join(directory, 'kept.db')}`;
    const failed = await passthru(['serve'], { PASSTHRU_LISTEN: `127.0.0.1:${port}`, PASSTHRU_STORE: store });
    expect(failed).toMatchObject({ status: 1, stdout: '' });
    expect(failed.stderr).toMatch(
      new RegExp(`Cannot listen on 127\\.0\\.0\\.1:${port}: the address is already in use`),
    );
    // The log comes first, the reason last.
    expect(failed.stderr).toMatch(/"msg":"migrated the store"[\s\S]*\nerror: passthru cannot start:\n.*\n$/);
    taken.close();
    expect((await (await serve([], { PASSTHRU_STORE: store })).stop()).status).toBe(0);
  });
});

describe('on an older Node', () => {
  // Overrides the version before the entry runs. The entry has no syntax that an older Node cannot parse.
  const older = `data:text/javascript,Object.defineProperty(process,'versions',{value:{...process.versions,node:'20.20.2'}})`;

  test('one line names the required version', async () => {
    const main = join(ROOT, 'src', 'main.js');
    const { status, stdout, stderr } = await start(process.execPath, ['--import', older, main, 'serve']).ended;
    expect({ status, stdout }).toEqual({ status: 1, stdout: '' });
    expect(stderr).toMatch(/^passthru requires Node\.js 24 or newer; this is 20\.20\.2 \(.+\)\n$/);
  });

  test('the entry imports nothing before the check', () => {
    const source = readFileSync(join(ROOT, 'src', 'main.js'), 'utf8');
    expect(source).not.toMatch(/^import /m);
  });
});

test('a reader that closes early causes no error', async () => {
  const served = await serve();
  const list = startPassthru(['--server', served.url, 'node', 'list', '-f', 'json']);
  list.process.stdout!.destroy();
  expect((await list.ended).stderr).toBe('');
  await served.stop();
});

/** Sends a request over its own connection. */
async function send(url: string, method: string, path: string, body?: object) {
  const { headers } = IRONIC;
  const given = body === undefined ? {} : { body: JSON.stringify(body) };
  const response = await fetch(url + path, { method, headers: { ...headers, Connection: 'close' }, ...given });
  return { status: response.status, retryAfter: response.headers.get('Retry-After'), body: await response.text() };
}
