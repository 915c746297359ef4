import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, openSync, writeFileSync } from 'node:fs';
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';

const HEADERS = { 'Content-Type': 'application/json', 'X-OpenStack-Ironic-API-Version': '1.82' };

export interface Response {
  status: number;
  text: string;
  headers: Headers;
}

/** A `passthru serve` of the commit. */
export interface Running {
  url: string;
  process: ChildProcess;
  /** What it has written to standard error. */
  log(): string;
  /** Sends a request over REST; fails after 10 s without a response. */
  send(method: string, path: string, body?: unknown, headers?: Record<string, string>): Promise<Response>;
}

interface ProcessOptions {
  log?: string;
  files?: number;
}

type Behaviour = (request: {
  method: string;
  path: string;
  body: string;
}) => Reply | undefined | Promise<Reply | undefined>;
type Reply = { status?: number; headers?: Record<string, string>; body?: unknown };

const SUBSCRIPTIONS = '/redfish/v1/EventService/Subscriptions';

/** One commit under attack, with its files and what was started. */
export class World {
  readonly checkout: string;
  readonly folder: string;
  readonly #started: ChildProcess[] = [];
  readonly #servers: Server[] = [];

  constructor(checkout: string, folder: string) {
    this.checkout = checkout;
    this.folder = folder;
  }

  /** Returns the path of a new file. */
  file(name: string, content: string, mode = 0o600): string {
    const path = join(this.folder, name);
    writeFileSync(path, content, { mode });
    return path;
  }

  /** Whether the commit has secrets at rest by default. */
  get hasFirstKey(): boolean {
    return existsSync(join(this.checkout, 'src/config/keyFile.ts'));
  }

  /**
   * Runs `passthru ARGS` of the commit.
   * @param options.log where standard error goes: a file, a device or a pipe; without it, to us
   * @param options.files the number of files that the process may open
   */
  command(args: string[], { log, files }: ProcessOptions = {}): ChildProcess {
    const node = join(this.checkout, 'node_modules/.bin/node');
    const env = { PATH: process.env.PATH, HOME: this.folder };
    const main = join(this.checkout, 'src/main.js');
    // Opened for both, since a pipe that nobody reads cannot be opened for writing alone.
    const stderr = log === undefined ? ('pipe' as const) : openSync(log, 'r+');
    const limit = files === undefined ? '' : `ulimit -n ${files};`;
    const child = spawn('sh', ['-c', `${limit} exec "$0" "$@"`, node, main, ...args], {
      cwd: this.folder,
      env,
      stdio: ['ignore', 'pipe', stderr],
    });
    this.#started.push(child);
    return child;
  }

  /** Starts the service; throws with its error when it does not start. */
  async serve(config: string, options: ProcessOptions = {}): Promise<Running> {
    const path = this.file('passthru.yaml', `listen: 127.0.0.1:0\n${config}`);
    const child = this.command(['serve', '--config', path], options);
    let text = '';
    child.stderr?.on('data', (chunk) => (text += chunk));
    const url = await new Promise<string>((resolve, reject) => {
      child.stdout!.on('data', (chunk) => {
        const found = /listening on (\S+)/.exec(String(chunk));
        if (found) resolve(found[1]!);
      });
      child.once('exit', () => reject(new Error(`does not start: ${text}`)));
    });
    const send = async (method: string, target: string, body?: unknown, headers: Record<string, string> = {}) => {
      const response = await fetch(url + target, {
        method,
        headers: { ...HEADERS, ...headers },
        ...(body !== undefined && { body: typeof body === 'string' ? body : JSON.stringify(body) }),
        signal: AbortSignal.timeout(10_000),
      });
      return { status: response.status, text: await response.text(), headers: response.headers };
    };
    return { url, process: child, log: () => text, send };
  }

  /** Starts a BMC with an event service and HTTP Basic, of which `behave` may change any response. */
  async bmc(behave: Behaviour = () => undefined): Promise<{ url: string; node: object }> {
    const documents: Record<string, unknown> = {
      '/redfish/v1': { '@odata.id': '/redfish/v1', EventService: { '@odata.id': '/redfish/v1/EventService' } },
      '/redfish/v1/EventService': { ServiceEnabled: true, Subscriptions: { '@odata.id': SUBSCRIPTIONS } },
      [SUBSCRIPTIONS]: { Members: [] },
      [`${SUBSCRIPTIONS}/1`]: { Id: '1', Destination: 'https://listener.example/' },
    };
    const respond = async (request: IncomingMessage, response: ServerResponse) => {
      const body = Buffer.concat(await request.toArray()).toString();
      const path = request.url!.replace(/(?<=.)\/$/, '');
      const found = documents[path] === undefined ? { status: 404, body: {} } : { body: documents[path] };
      const made = { status: 201, headers: { Location: `${SUBSCRIPTIONS}/1` }, body: documents[`${SUBSCRIPTIONS}/1`] };
      const usual = request.method === 'POST' ? made : found;
      const reply: Reply = (await behave({ method: request.method!, path, body })) ?? usual;
      response.writeHead(reply.status ?? 200, { 'Content-Type': 'application/json', ...reply.headers });
      response.end(JSON.stringify(reply.body ?? {}));
    };
    const server = createServer((request, response) => void respond(request, response));
    this.#servers.push(server);
    await once(server.listen(0, '127.0.0.1'), 'listening');
    const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
    const account = { redfish_username: 'admin', redfish_password: PASSWORD, redfish_auth_type: 'basic' };
    const driver_info = { redfish_address: url, redfish_system_id: '/redfish/v1/Systems/1', ...account };
    return { url, node: { name: 'rf', driver: 'redfish', driver_info } };
  }

  async end(): Promise<void> {
    for (const child of this.#started) child.kill('SIGKILL');
    for (const server of this.#servers) {
      server.closeAllConnections();
      server.close();
    }
  }
}

/** Has forms of its own in Base64, HTML and URLs. */
export const PASSWORD = 'Sec<ret&"pw-4711';

/** Starts a service without authentication, in memory, with a BMC. */
export async function withBmc(
  world: World,
  behave?: Behaviour,
  options: ProcessOptions = {},
): Promise<Running & { bmcUrl: string }> {
  const { url, node } = await world.bmc(behave);
  const service = await world.serve(`store: "sqlite::memory:"\ndestinations: { allow: [127.0.0.0/8] }\n`, options);
  const enrolled = await service.send('POST', '/v1/nodes', node);
  if (enrolled.status !== 201) throw new Error(enrolled.text);
  return { ...service, bmcUrl: url };
}

export const CREATE = '/v1/nodes/rf/vendor_passthru?method=create_subscription';
export const wait = (milliseconds: number) => new Promise((resolve) => setTimeout(resolve, milliseconds));
