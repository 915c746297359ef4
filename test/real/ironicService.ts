import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { createServer, request as sendRequest } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type Fleet, startFleet } from '../../src/sim/index.ts';
import { htpasswd, passwordOf } from '../auth/users.ts';
import { type Served, serve } from '../cli/run.ts';
import { PASSWORD as KEYSTONE_PASSWORD, type Keystone } from './keystone.ts';

/** The user of a service with `http_basic`. */
export const USER = 'anna';
export const PASSWORD = passwordOf(USER);

export type AuthType = 'none' | 'http_basic' | 'keystone';

/** The name of the service in `cloudsFile`. */
export const CLOUD = 'passthru';
/** The region of the service in Keystone's catalog. */
export const REGION = 'lab';
/** The project that the user of Keystone is an administrator of. */
export const PROJECT = 'infra';

/** The service in its own process, with a simulated BMC and nodes, for third-party clients. */
export interface IronicService {
  /** The URL for clients. */
  url: string;
  /** A clouds.yaml with the service and the user. */
  cloudsFile: string;
  /** The URL of the simulated BMC. */
  bmc: string;
  /** The API versions requested under /v1/ so far; '' for requests without one. */
  versions: ReadonlySet<string>;
  stop(): Promise<void>;
}

/**
 * Starts the service.
 * @param keystone required for `keystone`: gets the users and an endpoint of the service, so it can be used once
 */
export async function startIronicService(authType: AuthType, keystone: Keystone | null = null): Promise<IronicService> {
  const folder = mkdtempSync(join(tmpdir(), 'passthru-ironic-'));
  const fleet = await startFleet({ auth: 'none' });
  writeFileSync(join(folder, 'nodes.yaml'), JSON.stringify({ nodes: nodes(fleet) }));
  writeFileSync(join(folder, 'users'), htpasswd(USER));
  const service = await serve([], {
    PASSTHRU_NODES_FILE: join(folder, 'nodes.yaml'),
    PASSTHRU_HOST: 'replica-1',
    // For the simulated BMCs.
    PASSTHRU_DESTINATIONS_ALLOW: '127.0.0.0/8',
    PASSTHRU_NODE_LOCKED_RETRY_ATTEMPTS: '1',
    PASSTHRU_AUTH_TYPE: authType,
    ...(authType === 'http_basic'
      ? { PASSTHRU_AUTH_HTTP_BASIC_AUTH_USER_FILE: join(folder, 'users'), PASSTHRU_AUTH_DEFAULT_ROLE: 'admin' }
      : {}),
    ...(authType === 'keystone' ? await accountAt(keystone!) : {}),
  });
  const proxy = await startProxy(service);
  if (authType === 'keystone') await keystone!.createEndpoint('baremetal', proxy.url, REGION);
  const cloudsFile = join(folder, 'clouds.yaml');
  writeFileSync(cloudsFile, JSON.stringify({ clouds: { [CLOUD]: cloud(authType, proxy.url, keystone) } }));
  return {
    url: proxy.url,
    cloudsFile,
    bmc: fleet.bmcs[0]!.url,
    versions: proxy.versions,
    async stop() {
      await proxy.stop();
      await service.stop();
      await fleet.close();
      rmSync(folder, { recursive: true });
    },
  };
}

/** Creates the accounts of the service and of the user in Keystone, and returns the service's settings. */
async function accountAt(keystone: Keystone): Promise<NodeJS.ProcessEnv> {
  const project = await keystone.createProject(PROJECT);
  await keystone.createUser(USER, 'admin', { project });
  await keystone.createUser('passthru', 'service', { project });
  return {
    PASSTHRU_AUTH_KEYSTONE_AUTH_URL: keystone.url,
    PASSTHRU_AUTH_KEYSTONE_USERNAME: 'passthru',
    PASSTHRU_AUTH_KEYSTONE_PASSWORD: KEYSTONE_PASSWORD,
    PASSTHRU_AUTH_KEYSTONE_PROJECT_NAME: PROJECT,
    PASSTHRU_AUTH_KEYSTONE_PROJECTS: `${PROJECT}@Default`,
  };
}

/** Returns an entry of clouds.yaml, as OpenStack documents it for each type of authentication. */
function cloud(authType: AuthType, url: string, keystone: Keystone | null): object {
  switch (authType) {
    case 'none':
      return { auth_type: 'none', auth: { endpoint: url } };
    case 'http_basic':
      return {
        auth_type: 'http_basic',
        auth: { username: USER, password: PASSWORD },
        baremetal_endpoint_override: url,
      };
    case 'keystone': {
      const domains = { user_domain_name: 'Default', project_domain_name: 'Default' };
      const user = { username: USER, password: KEYSTONE_PASSWORD, project_name: PROJECT };
      // Without auth_type, `baremetal` does not authenticate.
      return {
        auth_type: 'password',
        auth: { auth_url: `${keystone!.url}/v3`, ...user, ...domains },
        region_name: REGION,
      };
    }
  }
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

/** Starts a proxy that forwards every request and records the requested API version. */
async function startProxy({ url }: Served): Promise<{ url: string; versions: Set<string>; stop(): Promise<void> }> {
  const versions = new Set<string>();
  const server = createServer((request, response) => {
    const { method, headers } = request;
    if (request.url!.startsWith('/v1/')) versions.add(String(headers['x-openstack-ironic-api-version'] ?? ''));
    const onward = sendRequest(`${url}${request.url}`, { method, headers }, (incoming) => {
      response.writeHead(incoming.statusCode!, incoming.rawHeaders);
      incoming.pipe(response);
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
