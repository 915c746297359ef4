import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { Agent, request as requestHttp1 } from 'node:http';
import { type ClientHttp2Session, connect } from 'node:http2';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import type { Request } from '../../bench/serving/work.ts';
import type { Counts } from './counters.ts';

const MAIN = fileURLToPath(new URL('../../src/main.js', import.meta.url));
const COUNTERS = new URL('./counters.ts', import.meta.url).href;

/**
 * Options of Node for counts that are the same in each run: no compiler that leaves out allocations once it finds a function
 * hot, and a young generation that holds all that a measurement allocates.
 */
const STEADY = ['--no-opt', '--no-maglev', '--expose-gc', '--min-semi-space-size=128', '--max-semi-space-size=128'];

/** A `passthru serve` with its defaults in a process of its own, on SQLite, that counts what calls cost it. */
export interface CalledService {
  /** Sends a request and returns the status and the body of its response. One at a time, each kind on one connection. */
  send(request: Request): Promise<{ status: number; body: string }>;
  ask(question: 'collect' | 'count' | 'report'): Promise<Counts>;
  stop(): Promise<void>;
}

export async function startCalledService(nodes: object[]): Promise<CalledService> {
  const folder = mkdtempSync(join(tmpdir(), 'passthru-budget-'));
  const file = join(folder, 'nodes.yaml');
  writeFileSync(file, JSON.stringify({ nodes }));
  const child = spawn(process.execPath, [...STEADY, '--import', COUNTERS, MAIN, 'serve'], {
    stdio: ['ignore', 'pipe', 'ignore', 'ipc'],
    env: {
      ...process.env,
      NODE_DISABLE_COMPILE_CACHE: '1',
      PASSTHRU_LISTEN: '127.0.0.1:0',
      PASSTHRU_STORE: `sqlite:${join(folder, 'budget.db')}`,
      PASSTHRU_NODES_FILE: file,
    },
  });
  const url = await listeningUrl(child);
  const agent = new Agent({ keepAlive: true, maxSockets: 1 });
  const session = connect(url);
  return {
    send: (request) =>
      request.headers.te === undefined ? overHttp1(url, request, agent) : overHttp2(request, session),
    async ask(question) {
      child.send(question);
      const [counts] = await once(child, 'message');
      return counts;
    },
    async stop() {
      agent.destroy();
      session.destroy();
      child.kill('SIGKILL');
      await once(child, 'exit');
      rmSync(folder, { recursive: true });
    },
  };
}

async function overHttp1(url: string, { method, path, headers, body }: Request, agent: Agent) {
  const request = requestHttp1(url + path, { method, headers, agent });
  request.end(body);
  const [response] = await once(request, 'response');
  return { status: response.statusCode as number, body: await text(response) };
}

async function overHttp2({ method, path, headers, body }: Request, session: ClientHttp2Session) {
  const stream = session.request({ ':method': method, ':path': path, ...headers });
  stream.end(body);
  const [response] = await once(stream, 'response');
  return { status: response[':status'] as number, body: await text(stream) };
}

async function text(stream: AsyncIterable<Buffer>): Promise<string> {
  let all = '';
  for await (const chunk of stream) all += chunk.toString('latin1');
  return all;
}

async function listeningUrl(child: ChildProcess): Promise<string> {
  const exit = once(child, 'exit').then(([status]) => Promise.reject(new Error(`serve ended with ${status}`)));
  let printed = '';
  for (;;) {
    const [chunk] = await Promise.race([once(child.stdout!, 'data'), exit]);
    printed += chunk;
    const url = /^listening on (http:\/\/\S+)$/m.exec(printed)?.[1];
    if (url !== undefined) return url;
  }
}
