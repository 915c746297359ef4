import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { createServer, request as sendRequest } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type Fleet, startFleet } from '../../src/sim/index.ts';
import { htpasswd, passwordOf } from '../auth/users.ts';
import { type Served, serve } from '../cli/run.ts';

/** The user of a service with `http_basic`. */
export const USER = 'anna';
export const PASSWORD = passwordOf(USER);

export const AUTH_TYPES = ['none', 'http_basic'] as const;
export type AuthType = (typeof AUTH_TYPES)[number];

/** The service in a process of its own, with a simulated BMC and nodes, for clients that others wrote. */
export interface IronicService {
  /** Where clients reach it. */
  url: string;
  /** Where the simulated BMC is. */
  bmc: string;
  /** The API versions that requests under /v1/ asked for since the service began; '' for none. */
  versions: ReadonlySet<string>;
  stop(): Promise<void>;
}

export async function startIronicService(authType: AuthType): Promise<IronicService> {
  const folder = mkdtempSync(join(tmpdir(), 'passthru-ironic-'));
  const fleet = await startFleet({ auth: 'none' });
  writeFileSync(join(folder, 'nodes.yaml'), JSON.stringify({ nodes: nodes(fleet) }));
  writeFileSync(join(folder, 'users'), htpasswd(USER));
  const service = await serve([], {
    PASSTHRU_NODES_FILE: join(folder, 'nodes.yaml'),
    PASSTHRU_HOST: 'replica-1',
    // The simulated BMCs are there.
    PASSTHRU_DESTINATIONS_ALLOW: '127.0.0.0/8',
    PASSTHRU_NODE_LOCKED_RETRY_ATTEMPTS: '1',
    PASSTHRU_AUTH_TYPE: authType,
    ...(authType === 'http_basic' ? { PASSTHRU_AUTH_HTTP_BASIC_AUTH_USER_FILE: join(folder, 'users') } : {}),
  });
  const front = await startFront(service);
  return {
    url: front.url,
    bmc: fleet.bmcs[0]!.url,
    versions: front.versions,
    async stop() {
      await front.stop();
      await service.stop();
      await fleet.close();
      rmSync(folder, { recursive: true });
    },
  };
}

function nodes({ bmcs: [bmc] }: Fleet) {
  const onBmc = {
    driver: 'redfish',
    driver_info: { redfish_address: bmc!.url, redfish_system_id: '/redfish/v1/Systems/437XR1138R2' },
  };
  return [
    { uuid: '11111111-1111-4111-8111-111111111111', name: 'rf-1', ...onBmc },
    { uuid: '22222222-2222-4222-8222-222222222222', name: 'fake-1', driver: 'fake-hardware' },
    {
      uuid: '77777777-7777-4777-8777-777777777777',
      name: 'locked-1',
      driver: 'fake-hardware',
      reservation: 'conductor-b.example',
    },
  ];
}

/** Hands on every request, and keeps the version that it asks for. */
async function startFront({ url }: Served): Promise<{ url: string; versions: Set<string>; stop(): Promise<void> }> {
  const versions = new Set<string>();
  const server = createServer((request, response) => {
    const { method, headers } = request;
    if (request.url!.startsWith('/v1/')) versions.add(String(headers['x-openstack-ironic-api-version'] ?? ''));
    const onward = sendRequest(`${url}${request.url}`, { method, headers }, (answer) => {
      response.writeHead(answer.statusCode!, answer.rawHeaders);
      answer.pipe(response);
    });
    onward.on('error', () => response.destroy());
    request.pipe(onward);
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    versions,
    async stop() {
      const closed = new Promise((resolve) => server.close(resolve));
      server.closeAllConnections();
      await closed;
    },
  };
}
