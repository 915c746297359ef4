import { type Client, createClient } from '@connectrpc/connect';
import { createGrpcTransport } from '@connectrpc/connect-node';
import type { Command } from 'commander';
import { DriverService } from '../../gen/passthru/v1/driver_pb.ts';
import { JobService } from '../../gen/passthru/v1/job_pb.ts';
import { NodeService } from '../../gen/passthru/v1/node_pb.ts';
import { PassthruService } from '../../gen/passthru/v1/passthru_pb.ts';
import { usageError } from './exitStatus.ts';
import { toCommandFailure } from './failure.ts';
import { readProof } from './proof.ts';

/** A service over gRPC. */
export interface Connection {
  passthru: Client<typeof PassthruService>;
  nodes: Client<typeof NodeService>;
  drivers: Client<typeof DriverService>;
  jobs: Client<typeof JobService>;
}

/** How long a connection with a call on it may be silent before it is asked for a sign of life, in milliseconds. */
const PING_INTERVAL = 10_000;

/** How long that sign may take, in milliseconds. */
const PING_TIMEOUT = 10_000;

/**
 * Runs `work` with the service that `command`'s `--server` names. The connection keeps no process alive when no call
 * is on it, so that nothing need be closed.
 * @throws CommandFailure for a call that failed, and for credentials that cannot be used
 */
export async function withConnection<T>(command: Command, work: (connection: Connection) => Promise<T>): Promise<T> {
  const baseUrl = serverUrl(command.optsWithGlobals<{ server: string }>().server);
  const { interceptor, tls } = readProof(command);
  const transport = createGrpcTransport({
    baseUrl,
    pingIntervalMs: PING_INTERVAL,
    pingTimeoutMs: PING_TIMEOUT,
    interceptors: [interceptor],
    nodeOptions: tls,
  });
  try {
    return await work({
      passthru: createClient(PassthruService, transport),
      nodes: createClient(NodeService, transport),
      drivers: createClient(DriverService, transport),
      jobs: createClient(JobService, transport),
    });
  } catch (error) {
    throw toCommandFailure(error, baseUrl);
  }
}

/** Every item of a list that comes in pages, at most `limit`. */
export async function collectPages<T>(
  limit: number,
  fetchPage: (pageSize: number, pageToken: string) => Promise<{ items: T[]; nextPageToken: string }>,
): Promise<T[]> {
  const items: T[] = [];
  let pageToken = '';
  do {
    const page = await fetchPage(Math.min(limit - items.length, 1000), pageToken);
    items.push(...page.items);
    pageToken = page.nextPageToken;
  } while (pageToken !== '' && items.length < limit);
  return items;
}

function serverUrl(server: string): string {
  if (/^https?:\/\//.test(server) && URL.canParse(server)) return server.replace(/\/+$/, '');
  throw usageError(`--server: "${server}" is no http:// or https:// URL`);
}
