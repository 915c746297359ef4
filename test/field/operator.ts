import { tmpdir } from 'node:os';
import { afterAll, beforeAll, type TestContext } from 'vitest';
import { loadConfig } from '../../src/config/load.ts';
import { silentLogger } from '../../src/core/logger.ts';
import { type Service, startService } from '../../src/service.ts';
import { type RestResponse, send } from '../rest/client.ts';
import { type Json, type Machine, type MachineOptions, startMachine } from './machine.ts';

// What an operator does: enrols a node for a machine and calls its methods over REST, at the real service.

let service: Service;
let nodes = 0;

beforeAll(async () => {
  const environment = {
    PASSTHRU_STORE: 'sqlite::memory:',
    PASSTHRU_LISTEN: '127.0.0.1:0',
    PASSTHRU_REDFISH_CONNECTION_ATTEMPTS: '2',
    PASSTHRU_REDFISH_CONNECTION_RETRY_INTERVAL: '20ms',
    PASSTHRU_REDFISH_REQUEST_TIMEOUT: '3s',
    PASSTHRU_REDFISH_CA_FOLDER: tmpdir(),
    PASSTHRU_DESTINATIONS_ALLOW: '["127.0.0.0/8", "::1"]',
  };
  service = await startService(loadConfig({ file: null, environment }), { log: silentLogger });
});

afterAll(() => service?.close());

/** The response to a call, with the text of its error. */
export interface Called extends RestResponse {
  /** The text of the error, as clients print it; empty for none. */
  told: string;
}

/** A finished job. */
export interface Finished {
  /** The status of the call that started it. */
  status: number;
  /** `JOB_STATE_SUCCEEDED` or another. */
  state: string;
  /** The error of the job; empty for none. */
  told: string;
  /** `last_error` of the node; empty for none. */
  lastError: string;
  /** The outcome of each device by its id. */
  outcomes: Record<string, string>;
  // biome-ignore lint/suspicious/noExplicitAny: jobs of every shape
  job: any;
}

const VERBS: Record<string, string> = {
  get_subscription: 'GET',
  get_all_subscriptions: 'GET',
  create_subscription: 'POST',
  delete_subscription: 'DELETE',
};

/** A node of the service. */
export interface FieldNode {
  name: string;
  call(method: string, args?: Json): Promise<Called>;
  eject(args?: Json): Promise<Finished>;
  validate(): Promise<RestResponse>;
  change(driverInfo: Json): Promise<RestResponse>;
  remove(): Promise<RestResponse>;
}

/** A subscription to create. */
export const DESTINATION = 'https://192.0.2.10/events';

/** Sends a request to the service, at the version that has everything. */
export function rest(method: string, path: string, body?: unknown): Promise<RestResponse> {
  const headers = { 'X-OpenStack-Ironic-API-Version': '1.82' };
  return send(service.url, { method, path, headers, ...(body === undefined ? {} : { body }) });
}

/** The URL of the service. */
export const serviceUrl = () => service.url;

/** Enrols a node with this `driver_info`; account u/p unless it says otherwise. */
export async function enrol(driverInfo: Json): Promise<FieldNode> {
  const name = `field-${++nodes}`;
  const info = { redfish_username: 'u', redfish_password: 'p', ...driverInfo };
  const enrolled = await rest('POST', '/v1/nodes', { name, driver: 'redfish', driver_info: info });
  if (enrolled.status !== 201) throw new Error(`The node was not enrolled: ${enrolled.text}`);
  const path = `/v1/nodes/${name}`;
  return {
    name,
    async call(method, args = {}) {
      const verb = VERBS[method] ?? 'POST';
      const response = await rest(verb, `${path}/vendor_passthru?method=${method}`, args);
      return { ...response, told: response.status < 400 ? '' : String(response.fault?.faultstring ?? response.text) };
    },
    async eject(args = {}) {
      const accepted = await rest('POST', `${path}/vendor_passthru?method=eject_vmedia`, args);
      const told = String(accepted.fault?.faultstring ?? '');
      const id = accepted.headers['passthru-job-id'];
      if (id === undefined) return { status: accepted.status, state: '', told, lastError: '', outcomes: {}, job: null };
      const job = await finished(String(id));
      const { json: node } = await rest('GET', path);
      const devices: { id: string; outcome: string }[] = job.result?.devices ?? [];
      return {
        status: accepted.status,
        state: job.state,
        told: String(job.error?.message ?? ''),
        lastError: String(node.last_error ?? ''),
        outcomes: Object.fromEntries(devices.map((device) => [device.id, device.outcome])),
        job,
      };
    },
    validate: () => rest('GET', `${path}/validate`),
    change: (change) =>
      rest(
        'PATCH',
        path,
        Object.entries(change).map(([key, value]) => ({ op: 'add', path: `/driver_info/${key}`, value })),
      ),
    remove: () => rest('DELETE', path),
  };
}

async function finished(id: string) {
  for (;;) {
    const { json } = await rest('GET', `/v1/jobs/${id}`);
    if (json.state !== 'JOB_STATE_RUNNING') return json;
    await new Promise((resolve) => setTimeout(resolve, 25));
  }
}

/** Starts a machine and enrols a node for it; both are gone after the test. */
export async function open(
  { onTestFinished }: Pick<TestContext, 'onTestFinished'>,
  options: MachineOptions = {},
  driverInfo: Json = {},
): Promise<{ machine: Machine; node: FieldNode }> {
  const { machine, stop } = await startMachine(options);
  onTestFinished(stop);
  const node = await enrol({ redfish_address: machine.url, ...driverInfo });
  // Ends the sessions before the machine stops.
  onTestFinished(async () => void (await node.remove()));
  return { machine, node };
}
