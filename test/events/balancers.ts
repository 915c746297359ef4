import { type ChildProcess, execFileSync, spawn } from 'node:child_process';
import { once } from 'node:events';
import { chmodSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { connect, createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';

/** Debian has them where users other than root do not look. */
const PATH = `${process.env.PATH}:/usr/sbin:/usr/local/sbin`;

/** Why nginx or HAProxy cannot be used here; null when they can. */
export function balancersMissing(): string | null {
  const missing = [
    ['nginx', '-v'],
    ['haproxy', '-v'],
  ].flatMap(([program, flag]) => {
    try {
      execFileSync(program!, [flag!], { stdio: 'ignore', env: { PATH } });
      return [];
    } catch {
      return [program];
    }
  });
  if (missing.length === 0) return null;
  return `${missing.join(' and ')} not installed (Debian: apt-get install nginx-light libnginx-mod-stream haproxy)`;
}

/** Returns a port of loopback that is free, and that no connection is given in the meantime: below those of Linux. */
export async function freePort(): Promise<number> {
  for (;;) {
    const port = 10_000 + Math.floor(Math.random() * 22_000);
    const server = createServer().listen(port, '127.0.0.1');
    try {
      await once(server, 'listening');
      return port;
    } catch {
      // It is in use.
    } finally {
      server.close();
    }
  }
}

/** Returns `text` with each of the texts replaced, all of which must be in it: so an example is run as it is documented. */
export function withPlaces(text: string, places: readonly (readonly [documented: string, here: string])[]): string {
  return places.reduce((before, [documented, here]) => {
    if (!before.includes(documented)) throw new Error(`${documented} is not in the example:\n${before}`);
    return before.replaceAll(documented, here);
  }, text);
}

/** Returns the blocks of code of a page in this language. */
export function examplesOf(page: string, language: string): string[] {
  const text = readFileSync(new URL(`../../docs/${page}`, import.meta.url), 'utf8');
  return [...text.matchAll(new RegExp(`^\`\`\`${language}\\n(.*?)^\`\`\``, 'gms'))].map(([, code]) => code!);
}

/** A load balancer in a process of its own. */
export class Balancer implements AsyncDisposable {
  readonly #process: ChildProcess;
  readonly #folder: string;
  #output = '';

  private constructor(program: string, args: readonly string[], folder: string) {
    this.#folder = folder;
    this.#process = spawn(program, args, { stdio: ['ignore', 'pipe', 'pipe'], env: { PATH } });
    for (const stream of [this.#process.stdout!, this.#process.stderr!]) {
      stream.on('data', (chunk: Buffer) => {
        this.#output += chunk;
      });
    }
  }

  /** What it has written: HAProxy warns of what a configuration lacks. */
  get output(): string {
    return this.#output;
  }

  /** Starts nginx with parts of its configuration, and waits until it listens at `port`. */
  static async nginx(parts: { http?: string; stream?: string }, port: number): Promise<Balancer> {
    const folder = makeFolder();
    // Built in, or a module of its own (Debian).
    const module = '/usr/lib/nginx/modules/ngx_stream_module.so';
    const load = parts.stream === undefined ? '' : `load_module ${module};`;
    const temporary = ['client_body', 'proxy', 'fastcgi', 'scgi', 'uwsgi'].map(
      (name) => `${name}_temp_path ${join(folder, name)};`,
    );
    const http = parts.http === undefined ? '' : `http {\n${temporary.join('\n')}\n${parts.http}\n}`;
    const configuration = `daemon off;\npid ${join(folder, 'pid')};\nerror_log stderr warn;\n${load}\nevents {}\n${http}\n${parts.stream ?? ''}`;
    const file = join(folder, 'nginx.conf');
    writeFileSync(file, configuration);
    return new Balancer('nginx', ['-c', file, '-e', 'stderr'], folder).#listening(port);
  }

  /** Starts HAProxy with a configuration, and waits until it listens at `port`. */
  static async haproxy(configuration: string, port: number): Promise<Balancer> {
    const folder = makeFolder();
    const file = join(folder, 'haproxy.cfg');
    writeFileSync(file, configuration);
    return new Balancer('haproxy', ['-db', '-f', file], folder).#listening(port);
  }

  async #listening(port: number): Promise<this> {
    for (let attempt = 0; attempt < 200; attempt++) {
      if (this.#process.exitCode !== null) break;
      if (await listens(port)) return this;
      await sleep(100);
    }
    await this[Symbol.asyncDispose]();
    throw new Error(`the balancer does not listen: ${this.#output}`);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    if (this.#process.exitCode === null && this.#process.signalCode === null) {
      const ended = once(this.#process, 'exit');
      this.#process.kill('SIGTERM');
      await ended;
    }
    rmSync(this.#folder, { recursive: true, force: true });
  }
}

/** Makes a folder that nginx reads as another user when it is started by root. */
function makeFolder(): string {
  const folder = mkdtempSync(join(tmpdir(), 'passthru-balancer-'));
  chmodSync(folder, 0o755);
  return folder;
}

async function listens(port: number): Promise<boolean> {
  const socket = connect(port, '127.0.0.1');
  try {
    await once(socket, 'connect');
    return true;
  } catch {
    return false;
  } finally {
    socket.destroy();
  }
}
