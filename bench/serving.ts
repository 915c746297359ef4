// Compares the cost of requests with lower bounds. Ratios hold within one run, regardless of the machine's speed. Run with:
// npm run bench
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { setTimeout as delay } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { createClient } from '@connectrpc/connect';
import { createGrpcTransport, Http2SessionManager } from '@connectrpc/connect-node';
import { Pool } from 'undici';
import { PassthruService } from '../gen/passthru/v1/passthru_pb.ts';
import { type Comparison, compare, type Loaded } from './load.ts';
import { type BenchServer, startServer } from './server.ts';

const { ready, rss } = await idleService();
console.log(`ready after start (ms)                            ${ready.toFixed(0)}`);
console.log(`idle memory (MB)                                  ${(rss / 1e6).toFixed(0)}`);
console.log('');
const service = await startServer('passthruServer.ts');
console.log(
  '                                                  ours/s  theirs/s   ratio  server CPU us  theirs  p99 ms',
);

const methods = '/v1/nodes/rf-1/vendor_passthru/methods';
const body = await (
  await fetch(service.url + methods, { headers: { 'X-OpenStack-Ironic-API-Version': '1.80' } })
).text();
const bareMethods = await startServer('bareServer.ts', { BODY: body });
report('GET …/methods, compared with bare node:http', await compare(get(service, methods), get(bareMethods, methods)));
await bareMethods.stop();

const bareCall = await startServer('bareServer.ts', { BODY: 'true' });
let next = 0;
const call = () => `/v1/nodes/fake-${100 + (next++ % 64)}/vendor_passthru?method=third_method_sync`;
report('sync call with lock, compared with bare node:http', await compare(post(service, call), post(bareCall, call)));
await bareCall.stop();

const noop = await startServer('noopServer.ts');
report('gRPC call with lock, compared with a no-op handler', await compare(grpc(service), grpc(noop)));
await noop.stop();
await service.stop();

/** Measures `passthru serve` as a user starts it, the second time: the first fills the cache of compiled modules. */
async function idleService(): Promise<{ ready: number; rss: number }> {
  let measured = { ready: 0, rss: 0 };
  for (let start = 0; start < 2; start++) {
    const begun = performance.now();
    const child = spawn(process.execPath, [fileURLToPath(new URL('../src/main.js', import.meta.url)), 'serve'], {
      env: {
        ...process.env,
        PASSTHRU_LISTEN: '127.0.0.1:0',
        PASSTHRU_STORE: 'sqlite::memory:',
        PASSTHRU_LOG_LEVEL: 'error',
      },
      stdio: ['ignore', 'pipe', 'inherit'],
    });
    await once(child.stdout, 'data');
    const ready = performance.now() - begun;
    await delay(2000);
    const status = readFileSync(`/proc/${child.pid}/status`, 'utf8');
    measured = { ready, rss: Number(/VmRSS:\s+(\d+) kB/.exec(status)?.[1]) * 1024 };
    child.kill('SIGTERM');
    await once(child, 'exit');
  }
  return measured;
}

function report(name: string, { ours, theirs }: Comparison): void {
  const cells = [
    name.padEnd(50),
    ours.rate.toFixed(0).padStart(6),
    theirs.rate.toFixed(0).padStart(10),
    (ours.rate / theirs.rate).toFixed(2).padStart(8),
    ours.cpuPerRequest.toFixed(0).padStart(15),
    theirs.cpuPerRequest.toFixed(0).padStart(8),
    ours.p99.toFixed(1).padStart(8),
  ];
  console.log(cells.join(''));
}

function get(server: BenchServer, path: string): Loaded {
  const pool = new Pool(server.url, { connections: 32 });
  const headers = { 'X-OpenStack-Ironic-API-Version': '1.80' };
  return {
    server,
    async send() {
      const response = await pool.request({ path, method: 'GET', headers });
      const text = await response.body.text();
      if (response.statusCode !== 200 || text.length !== body.length) throw new Error(`${response.statusCode} ${text}`);
    },
  };
}

function post(server: BenchServer, path: () => string): Loaded {
  const pool = new Pool(server.url, { connections: 32 });
  const headers = { 'X-OpenStack-Ironic-API-Version': '1.80', 'Content-Type': 'application/json' };
  return {
    server,
    async send() {
      const response = await pool.request({ path: path(), method: 'POST', headers, body: '{"bar": "meow"}' });
      const text = await response.body.text();
      if (response.statusCode !== 200 || text !== 'true') throw new Error(`${response.statusCode} ${text}`);
    },
  };
}

function grpc(server: BenchServer): Loaded {
  const sessionManager = new Http2SessionManager(server.url);
  const client = createClient(PassthruService, createGrpcTransport({ baseUrl: server.url, sessionManager }));
  return {
    server,
    async send() {
      const node = `fake-${100 + (next++ % 64)}`;
      const { outcome } = await client.callNodeMethod({
        node,
        method: 'third_method_sync',
        arguments: { bar: 'meow' },
      });
      if (outcome.case !== 'result') throw new Error(`unexpected outcome ${outcome.case}`);
    },
  };
}
process.exit();
