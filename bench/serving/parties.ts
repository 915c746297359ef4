import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { type PostgresServer, startPostgres } from '../../test/store/postgres/embeddedPostgres.ts';
import type { Rpc } from './requests.ts';
import { type Server, startParty, startService } from './servers.ts';
import { type Sample, sample, type Work } from './work.ts';

/** Returns the UUID of the nth node of the fake driver. */
export function nodeUuid(index: number): string {
  return `00000000-0000-4000-8000-${index.toString(16).padStart(12, '0')}`;
}

/** The node of the Redfish driver, whose list of methods is long. No BMC is behind it. */
export const REDFISH_NODE = 'ffffffff-0000-4000-8000-000000000000';

/** The servers that are compared. Those of the service stay for all comparisons, the others go with the comparison. */
export class Parties {
  readonly #folder: string;
  readonly #options: string[];
  readonly #services = new Map<string, Promise<Server>>();
  #postgres: Promise<PostgresServer> | null = null;
  #passing: Server[] = [];

  /**
   * @param folder for files of the service
   * @param options of Node, for the service
   */
  constructor(folder: string, options: string[] = []) {
    this.#folder = folder;
    this.#options = options;
  }

  /**
   * The service on a SQLite file of its own with so many nodes of the fake driver.
   * @param main its program; by default that of this checkout
   */
  sqlite(nodes: number = 64, main?: string): Promise<Server> {
    const name = `sqlite-${nodes}${main === undefined ? '' : '-other'}`;
    const environment = async () => ({ PASSTHRU_STORE: `sqlite:${join(this.#folder, `${name}.db`)}` });
    return this.#service(name, nodes, environment, main);
  }

  /** As `sqlite`, with 64 nodes on PostgreSQL. */
  postgres(main?: string): Promise<Server> {
    const environment = async () => ({ PASSTHRU_STORE: await this.#database(), PASSTHRU_SECRETS_PLAIN: 'true' });
    return this.#service(`postgres${main === undefined ? '' : '-other'}`, 64, environment, main);
  }

  /** Two statements for each request, with the response of `like` to `work`. */
  async bareStatements(like: Server, work: Work): Promise<Server> {
    return this.#pass('bareStatements.ts', await sample(like.url, work), { DATABASE_URL: await this.#database() });
  }

  /** A job in SQLite for each request, with the response of `like` to `work`. */
  async bareJobs(like: Server, work: Work): Promise<Server> {
    return this.#pass('bareJobs.ts', await sample(like.url, work), { DATABASE: join(this.#folder, 'bare-jobs.db') });
  }

  /** node:http or node:http2 with the response of `like` to `work`. */
  async bare(like: Server, work: Work): Promise<Server> {
    return this.#pass(work.tool === 'wrk' ? 'bareHttp.ts' : 'bareHttp2.ts', await sample(like.url, work), {});
  }

  /** A handler that does nothing, on a framework, with the message of the gRPC response of `like` to `work`. */
  async noop(framework: 'connect-node' | 'grpc-js', http: 1 | 2, rpc: Rpc, like: Server, grpc: Work): Promise<Server> {
    const response = await sample(like.url, grpc);
    const script = framework === 'grpc-js' ? 'grpcNoop.ts' : 'connectNoop.ts';
    return this.#pass(script, { ...response, body: response.body.subarray(5) }, { HTTP: String(http), METHOD: rpc });
  }

  /** Stops the servers that came with a comparison. */
  async endComparison(): Promise<void> {
    for (const server of this.#passing) await server.stop();
    this.#passing = [];
  }

  async stop(): Promise<void> {
    await this.endComparison();
    for (const service of this.#services.values()) await (await service).stop();
    await (await this.#postgres)?.remove();
  }

  async #pass(script: string, answer: Sample, environment: Record<string, string>): Promise<Server> {
    const server = await startParty(script, {
      ANSWER: answer.body.toString('base64'),
      CONTENT_TYPE: answer.contentType,
      ...environment,
    });
    this.#passing.push(server);
    return server;
  }

  async #database(): Promise<string> {
    this.#postgres ??= startPostgres();
    const server = await this.#postgres;
    return server.url(await server.createDatabase());
  }

  #service(
    name: string,
    nodes: number,
    environment: () => Promise<Record<string, string>>,
    main?: string,
  ): Promise<Server> {
    let service = this.#services.get(name);
    if (service === undefined) {
      service = this.#startService(name, nodes, environment, main);
      this.#services.set(name, service);
    }
    return service;
  }

  async #startService(
    name: string,
    nodes: number,
    environment: () => Promise<Record<string, string>>,
    main: string | undefined,
  ): Promise<Server> {
    const file = join(this.#folder, `${name}.yaml`);
    const fake = Array.from({ length: nodes }, (_, index) => ({
      uuid: nodeUuid(index),
      name: `bench-${index}`,
      driver: 'fake-hardware',
    }));
    writeFileSync(file, JSON.stringify({ nodes: [...fake, { uuid: REDFISH_NODE, name: 'rf-1', driver: 'redfish' }] }));
    return await startService({ PASSTHRU_NODES_FILE: file, ...(await environment()) }, this.#options, main);
  }
}
