import { Code, ConnectError, createClient, type Transport } from '@connectrpc/connect';
import { createConnectTransport, createGrpcTransport, createGrpcWebTransport } from '@connectrpc/connect-node';
import { JobService } from '../gen/passthru/v1/job_pb.ts';
import { NodeService } from '../gen/passthru/v1/node_pb.ts';
import { PassthruService } from '../gen/passthru/v1/passthru_pb.ts';
import { passwordOf } from '../test/auth/users.ts';
import type { Random } from '../test/chaos/random.ts';

const FAKE_NODES = 20;

/** More operations than this at once are skipped: the machine is too slow for the rate. */
const MAX_RUNNING = 300;

/** One kind of operation, and how often it is chosen. */
interface Operation {
  name: string;
  weight: number;
  run(): Promise<void>;
}

const VERSION = { 'X-OpenStack-Ironic-API-Version': '1.82', 'Content-Type': 'application/json' };
const ADMIN = { Authorization: basic('admin', passwordOf('admin')) };
const DESTINATION = 'https://events.example/';

function basic(user: string, password: string): string {
  return `Basic ${Buffer.from(`${user}:${password}`).toString('base64')}`;
}

/** What callers of all kinds do: REST, Connect, gRPC and gRPC-Web, jobs, watches, and what goes wrong for them. */
export class SoakLoad {
  /** The number of operations that were begun. */
  operations = 0;
  readonly counts = new Map<string, number>();
  /** Responses that no operation expects, with how often they came. */
  readonly unexpected = new Map<string, number>();
  readonly #url: string;
  readonly #random: Random;
  readonly #transports: Transport[];
  readonly #operations: readonly Operation[];
  readonly #bmcNodes: string[] = [];
  #running = 0;
  #sequence = 0;

  constructor(url: string, random: Random) {
    this.#url = url;
    this.#random = random;
    const interceptors = [
      (next: (request: never) => Promise<never>) => (request: { header: Headers }) => {
        request.header.set('Authorization', ADMIN.Authorization);
        return next(request as never);
      },
    ] as never;
    this.#transports = [
      createConnectTransport({ baseUrl: url, httpVersion: '1.1', interceptors }),
      createConnectTransport({ baseUrl: url, httpVersion: '2', useBinaryFormat: true, interceptors }),
      createGrpcTransport({ baseUrl: url, interceptors }),
      createGrpcWebTransport({ baseUrl: url, httpVersion: '1.1', interceptors }),
    ];
    this.#operations = this.#kinds();
  }

  /** Enrols the nodes: some of the fake driver, and one at each BMC. */
  async enrol(bmcs: readonly string[]): Promise<void> {
    for (let index = 0; index < FAKE_NODES; index++) {
      await this.#rest('POST', '/v1/nodes', [201], { name: `f${index}`, driver: 'fake-hardware' });
    }
    for (const [index, address] of bmcs.entries()) {
      const driverInfo = { redfish_address: address, redfish_username: 'u', redfish_password: 'p' };
      await this.#rest('POST', '/v1/nodes', [201], { name: `r${index}`, driver: 'redfish', driver_info: driverInfo });
      this.#bmcNodes.push(`r${index}`);
    }
  }

  /** Begins `rate` operations a second until `stop`; resolves when all have ended. */
  async run(rate: number, stop: AbortSignal): Promise<void> {
    const total = this.#operations.reduce((sum, { weight }) => sum + weight, 0);
    const idle = Promise.withResolvers<void>();
    const begun = performance.now();
    const timer = setInterval(() => {
      const due = ((performance.now() - begun) / 1000) * rate;
      while (this.operations < due) {
        let chosen = this.#random.below(total);
        const operation = this.#operations.find(({ weight }) => {
          chosen -= weight;
          return chosen < 0;
        })!;
        void this.#begin(operation).finally(() => {
          if (stop.aborted && this.#running === 0) idle.resolve();
        });
      }
    }, 25);
    stop.addEventListener('abort', () => {
      clearInterval(timer);
      if (this.#running === 0) idle.resolve();
    });
    await idle.promise;
  }

  async #begin({ name, run }: Operation): Promise<void> {
    this.operations++;
    if (this.#running >= MAX_RUNNING) return this.#count('skipped');
    this.#running++;
    try {
      await run();
      this.#count(name);
    } catch (error) {
      const text = `${name}: ${error instanceof Error ? error.message : error}`.slice(0, 200);
      this.unexpected.set(text, (this.unexpected.get(text) ?? 0) + 1);
    } finally {
      this.#running--;
    }
  }

  #count(what: string): void {
    this.counts.set(what, (this.counts.get(what) ?? 0) + 1);
  }

  #kinds(): Operation[] {
    const kind = (weight: number, name: string, run: () => Promise<unknown>): Operation => {
      return { name, weight, run: async () => void (await run()) };
    };
    return [
      kind(8, 'list methods', () => this.#rest('GET', `/v1/nodes/${this.#fake()}/vendor_passthru/methods`, [200])),
      kind(6, 'list nodes', () => this.#rest('GET', '/v1/nodes/detail?limit=20', [200])),
      kind(3, 'list jobs', () => this.#rest('GET', '/v1/jobs?limit=20', [200])),
      kind(3, 'health', () => this.#rest('GET', '/healthz', [200])),
      kind(1, 'metrics', () => this.#rest('GET', '/metrics', [200])),
      kind(10, 'call', () => this.#call(this.#fake(), 'third_method_sync', { bar: 'meow' }, [200, 409])),
      kind(8, 'call of a BMC', () => this.#callBmc()),
      kind(10, 'RPC call', () => this.#rpcCall()),
      kind(8, 'RPC job, watched', () => this.#rpcJob()),
      kind(6, 'job, watched by SSE', () => this.#job(false)),
      kind(4, 'job, watched by SSE and left', () => this.#job(true)),
      kind(4, 'call, left', () => this.#leaveCall()),
      kind(2, 'RPC call, left', () => this.#leaveRpcCall()),
      kind(3, 'job, cancelled', () => this.#cancelJob()),
      kind(3, 'idempotent job, twice', () => this.#repeat()),
      kind(5, '401', () => this.#stranger()),
      kind(5, 'enrol, change and remove', () => this.#enrolAndRemove()),
      kind(4, 'lock and unlock', () => this.#lock()),
      kind(4, 'bad requests', () => this.#badRequests()),
    ];
  }

  #fake(): string {
    return `f${Math.floor(this.#random.below(FAKE_NODES))}`;
  }

  #name(prefix: string): string {
    this.#sequence++;
    return `${prefix}-${this.#sequence}`;
  }

  /** Sends a request; throws when its status is none of `expected`. Returns the response, whose body is read. */
  async #rest(
    method: string,
    path: string,
    expected: readonly number[],
    body?: unknown,
    headers: Record<string, string> = ADMIN,
  ): Promise<{ headers: Headers; text: string }> {
    const response = await fetch(this.#url + path, {
      method,
      headers: { ...VERSION, ...headers },
      ...(body === undefined ? {} : { body: typeof body === 'string' ? body : JSON.stringify(body) }),
    });
    const text = await response.text();
    if (!expected.includes(response.status)) throw new Error(`${response.status} ${text.slice(0, 150)}`);
    return { headers: response.headers, text };
  }

  #call(node: string, method: string, args: object, expected: readonly number[], headers: Record<string, string> = {}) {
    const path = `/v1/nodes/${node}/vendor_passthru/${method}`;
    return this.#rest('POST', path, expected, args, { ...ADMIN, ...headers });
  }

  async #callBmc(): Promise<void> {
    const node = this.#random.pick(this.#bmcNodes);
    const path = `/v1/nodes/${node}/vendor_passthru`;
    if (this.#random.chance(0.3)) {
      const destination = { Destination: DESTINATION + this.#name('subscription') };
      const { text } = await this.#call(node, 'create_subscription', destination, [200, 409]);
      const { Id: id } = text.startsWith('{"Id"') ? JSON.parse(text) : {};
      if (id === undefined) return;
      await this.#rest('DELETE', `${path}/delete_subscription?id=${id}`, [200, 409, 500]);
    } else await this.#rest('GET', `${path}/get_all_subscriptions`, [200, 409]);
  }

  #transport(): Transport {
    return this.#random.pick(this.#transports);
  }

  async #rpcCall(): Promise<void> {
    const request = { node: this.#fake(), method: 'third_method_sync', arguments: { bar: 'woof' } };
    await allow([Code.Aborted], createClient(PassthruService, this.#transport()).callNodeMethod(request));
  }

  async #rpcJob(): Promise<void> {
    const transport = this.#transport();
    const client = createClient(PassthruService, transport);
    const request = { node: this.#fake(), method: 'second_method', arguments: { bar: 'kazoo' } };
    const called = await allow([Code.Aborted], client.callNodeMethod(request));
    if (called?.outcome.case !== 'job') return;
    for await (const _ of client.watchJob({ jobId: called.outcome.value.id }));
    await createClient(JobService, transport).getJob({ jobId: called.outcome.value.id });
  }

  /** Starts a job; returns its id, or null when the node is locked. */
  async #startJob(headers: Record<string, string> = {}): Promise<string | null> {
    const started = await this.#call(this.#fake(), 'second_method', { bar: 'kazoo' }, [202, 409], headers);
    return started.headers.get('passthru-job-id');
  }

  async #job(leave: boolean): Promise<void> {
    const job = await this.#startJob();
    if (job === null) return;
    const left = new AbortController();
    const response = await fetch(`${this.#url}/v1/jobs/${job}/events`, {
      headers: { ...VERSION, ...ADMIN },
      signal: left.signal,
    });
    if (response.status !== 200) throw new Error(`${response.status}`);
    if (leave) {
      await response.body!.getReader().read();
      left.abort();
    } else await response.text();
  }

  async #leaveCall(): Promise<void> {
    const signal = AbortSignal.timeout(50);
    await fetch(`${this.#url}/v1/nodes/${this.#fake()}/vendor_passthru/third_method_sync`, {
      method: 'POST',
      headers: { ...VERSION, ...ADMIN },
      body: '{"bar":"meow"}',
      signal,
    })
      .then((response) => response.text())
      .catch((error) => {
        if (!signal.aborted) throw error;
      });
  }

  async #leaveRpcCall(): Promise<void> {
    const request = { node: this.#fake(), method: 'third_method_sync', arguments: { bar: 'woof' } };
    const client = createClient(PassthruService, this.#transport());
    const ends = [Code.Aborted, Code.DeadlineExceeded, Code.Canceled];
    await allow(ends, client.callNodeMethod(request, { timeoutMs: 50 }));
  }

  async #cancelJob(): Promise<void> {
    const job = await this.#startJob();
    if (job !== null) await this.#rest('DELETE', `/v1/jobs/${job}`, [200, 202, 400, 409]);
  }

  async #repeat(): Promise<void> {
    const headers = { 'Idempotency-Key': this.#name('key') };
    const node = this.#fake();
    for (let time = 0; time < 2; time++) await this.#call(node, 'second_method', { bar: 'kazoo' }, [202, 409], headers);
  }

  async #stranger(): Promise<void> {
    const [path, user] = ['/v1/nodes', this.#name('stranger')];
    await this.#rest('GET', path, [401], undefined, {});
    await this.#rest('GET', path, [401], undefined, { Authorization: basic(user, 'wrong') });
    const request = { node: 'f0', method: 'third_method_sync', arguments: {} };
    const stranger = createConnectTransport({ baseUrl: this.#url, httpVersion: '1.1' });
    await allow([Code.Unauthenticated], createClient(PassthruService, stranger).callNodeMethod(request));
  }

  async #enrolAndRemove(): Promise<void> {
    const name = this.#name('n');
    await this.#rest('POST', '/v1/nodes', [201], { name, driver: 'fake-hardware', extra: { text: 'x'.repeat(2000) } });
    await this.#rest('PATCH', `/v1/nodes/${name}`, [200], [{ op: 'replace', path: '/description', value: 'changed' }]);
    await this.#call(name, 'third_method_sync', { bar: 'meow' }, [200]);
    await this.#rest('DELETE', `/v1/nodes/${name}`, [204]);
  }

  async #lock(): Promise<void> {
    const nodes = createClient(NodeService, this.#transport());
    const node = this.#fake();
    const locked = await allow([Code.Aborted], nodes.lockNode({ node, lockWait: { seconds: 0n } }));
    if (locked === null) return;
    await this.#call(node, 'third_method_sync', { bar: 'meow' }, [409], { 'Passthru-Lock-Wait': '0' });
    await nodes.unlockNode({ node });
  }

  async #badRequests(): Promise<void> {
    await this.#rest('POST', '/v1/nodes', [400], '{"name": ');
    await this.#call(this.#fake(), 'no_such_method', {}, [400]);
    await this.#rest('GET', '/v1/nodes/absent', [404]);
    const missing = { node: 'absent', method: 'third_method_sync', arguments: {} };
    await allow([Code.NotFound], createClient(PassthruService, this.#transport()).callNodeMethod(missing));
  }
}

/** Returns the response; null when it is an error with one of `codes`. */
async function allow<T>(codes: readonly Code[], response: Promise<T>): Promise<T | null> {
  try {
    return await response;
  } catch (error) {
    if (!codes.includes(ConnectError.from(error).code)) throw error;
    return null;
  }
}
