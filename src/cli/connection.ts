import { type Client, createClient, type Interceptor } from '@connectrpc/connect';
import { createGrpcTransport, Http2SessionManager } from '@connectrpc/connect-node';
import type { Command } from 'commander';
import { DriverService } from '../../gen/passthru/v1/driver_pb.ts';
import { EventService } from '../../gen/passthru/v1/event_pb.ts';
import { JobService } from '../../gen/passthru/v1/job_pb.ts';
import { NodeService } from '../../gen/passthru/v1/node_pb.ts';
import { PassthruService } from '../../gen/passthru/v1/passthru_pb.ts';
import { CommandFailure } from './exitStatus.ts';
import { toCommandFailure } from './failure.ts';
import { nameNodes } from './nodeNames.ts';
import { addOutputOptions, type Listing, type PrintedRecord, printListing, printRecord } from './print/output.ts';
import { type Server, serverOf } from './server.ts';

/** The clients of a service over gRPC. */
export interface Connection {
  passthru: Client<typeof PassthruService>;
  nodes: Client<typeof NodeService>;
  drivers: Client<typeof DriverService>;
  jobs: Client<typeof JobService>;
  events: Client<typeof EventService>;
  /** How long a watch may take in all, in ms; null: without limit. */
  timeout: number | null;
}

/** How long a connection with a call may be silent before a PING is sent, in ms. */
const PING_INTERVAL = 10_000;

/** Timeout for the response to a PING, in ms. */
const PING_TIMEOUT = 10_000;

/**
 * Runs `work` with the service of `command` (`serverOf`), then closes the connection: an open stream, as after a response
 * that is not gRPC, would keep the process alive.
 * @param timeout deadline of each call in ms; that of `--timeout` when omitted
 * @throws CommandFailure when a call fails
 */
export async function withConnection<T>(
  command: Command,
  work: (connection: Connection, server: Server) => Promise<T>,
  timeout?: number,
): Promise<T> {
  const server = await serverOf(command);
  const session = new Http2SessionManager(
    server.url,
    { pingIntervalMs: PING_INTERVAL, pingTimeoutMs: PING_TIMEOUT },
    server.tls,
  );
  const addHeaders: Interceptor = (next) => (request) => {
    for (const [name, value] of Object.entries(server.headers)) request.header.set(name, value);
    return next(request);
  };
  const transport = createGrpcTransport({
    baseUrl: server.url,
    sessionManager: session,
    defaultTimeoutMs: timeout ?? server.timeout,
    interceptors: [addHeaders],
  });
  const connection: Connection = {
    passthru: createClient(PassthruService, transport),
    nodes: createClient(NodeService, transport),
    drivers: createClient(DriverService, transport),
    jobs: createClient(JobService, transport),
    events: createClient(EventService, transport),
    timeout: server.timeout ?? null,
  };
  try {
    return await work(connection, server);
  } catch (error) {
    throw await nameNodes(toCommandFailure(error, server), connection.nodes, command.args);
  } finally {
    // An idle session does not keep the process alive; aborting a broken one would emit an unhandled error.
    if (session.state() === 'open') session.abort();
  }
}

/**
 * Runs `work` for each node in turn, and continues when one fails.
 * @throws CommandFailure with all failures and the status of the first
 */
export async function forEachNode(
  command: Command,
  idents: readonly string[],
  work: (connection: Connection, node: string) => Promise<void>,
): Promise<void> {
  const failures: CommandFailure[] = [];
  await withConnection(command, async (connection, server) => {
    for (const node of idents) {
      try {
        await work(connection, node);
      } catch (error) {
        failures.push(await nameNodes(toCommandFailure(error, server), connection.nodes, idents));
      }
    }
  });
  const [first] = failures;
  if (first !== undefined) {
    throw new CommandFailure(first.status, failures.map(({ message }) => message).join('\nerror: '));
  }
}

/**
 * Makes `command` print the record that `get` returns, with `-f` and `-c`.
 * @param get receives the command's first argument, if any, and its options
 */
export function printsRecord<O extends object>(
  command: Command,
  get: (connection: Connection, ident: string, options: O) => Promise<PrintedRecord>,
): Command {
  return addOutputOptions(command).action(async () => {
    const record = await withConnection(command, (connection) => get(connection, command.args[0]!, command.opts<O>()));
    await printRecord(record, command.opts());
  });
}

/** Makes `command` print the listing that `list` returns, as `printsRecord` does. */
export function printsListing<O extends object>(
  command: Command,
  list: (connection: Connection, ident: string, options: O) => Promise<Listing>,
): Command {
  return addOutputOptions(command).action(async () => {
    const listing = await withConnection(command, (connection) =>
      list(connection, command.args[0]!, command.opts<O>()),
    );
    await printListing(listing, command.opts());
  });
}

/** Collects the items of a paged list, found in each page under `key`; at most `limit`. */
export async function collectPages<K extends string, P extends Record<K, unknown[]> & { nextPageToken: string }>(
  key: K,
  fetchPage: (page: { pageSize: number; pageToken: string }) => Promise<P>,
  limit = Number.POSITIVE_INFINITY,
): Promise<P[K]> {
  const items = [] as unknown[] as P[K];
  let pageToken = '';
  do {
    const page = await fetchPage({ pageSize: Math.min(limit - items.length, 1000), pageToken });
    items.push(...page[key]);
    pageToken = page.nextPageToken;
  } while (pageToken !== '' && items.length < limit);
  return items;
}
