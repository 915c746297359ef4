/**
 * A third-party driver: machines powered by outlets of a rack PDU that speaks Redfish (DSP0268, "Outlet"). README.md in
 * this folder runs it; docs/drivers.md explains it.
 *
 * In your own driver, import from 'passthru/driver' instead of '../src/driver.ts'.
 */
import { setTimeout as sleep } from 'node:timers/promises';
import {
  Attachment,
  type DriverContext,
  type DriverTask,
  defineMethod,
  type HardwareType,
  type JsonObject,
  type Node,
  type NodeTask,
  PassthruError,
  type Task,
  z,
} from '../src/driver.ts';

/** A PDU and its credentials. */
interface Pdu {
  address: string;
  username: string;
  password: string;
}

export default function rackPdu({ log }: DriverContext): HardwareType {
  log.debug({}, 'rack-pdu loaded');
  return {
    name: 'rack-pdu',
    vendorInterfaces: [{ name: 'outlet', methods: [getOutlet, powerCycle, loadReport], validate: readOutlet }],
    driverMethods: [listOutlets],
    properties: {
      pdu_address: 'URL of the PDU, for example https://pdu-7.example. Required.',
      pdu_outlet: 'Id of the outlet that powers the node, for example A3. Required.',
      pdu_username: 'User name. Optional.',
      pdu_password: 'Password. Optional.',
    },
  };
}

const outletState = z.object({
  outlet: z.string(),
  power_state: z.string().describe('On or Off'),
  watts: z.number().describe('The current load'),
});

/** Synchronous: the caller waits for the result. Reads only, so it does not need the node's lock. */
const getOutlet = defineMethod({
  name: 'get_outlet',
  httpMethods: ['GET'],
  description: "The state and load of the node's outlet.",
  requireExclusiveLock: false,
  arguments: z.object({}),
  result: outletState,
  async handler(task: NodeTask) {
    const { pdu, path } = readOutlet(task.node);
    return stateOf(await send(task, pdu, 'GET', path));
  },
});

/** Asynchronous: the caller gets a job at once and can watch or cancel it. The node is locked until the job ends. */
const powerCycle = defineMethod({
  name: 'power_cycle',
  httpMethods: ['POST'],
  description: 'Switches the outlet off, waits, and switches it on again. Cancelled while it is off, it stays off.',
  async: true,
  arguments: z.object({
    off_seconds: z.number().int().min(0).max(300).default(5).describe('How long the outlet stays off'),
  }),
  result: outletState,
  async handler(task: NodeTask, { off_seconds }) {
    const { pdu, path } = readOutlet(task.node);
    const action = `${path}/Actions/Outlet.PowerControl`;
    task.progress(0, 'switching off');
    await send(task, pdu, 'POST', action, { PowerState: 'Off' });
    for (let second = 0; second < off_seconds; second++) {
      task.progress((second + 1) / (off_seconds + 2), `off, ${off_seconds - second} s to go`);
      await sleep(1000, undefined, { signal: task.signal });
    }
    task.progress((off_seconds + 1) / (off_seconds + 2), 'switching on');
    await send(task, pdu, 'POST', action, { PowerState: 'On' });
    return stateOf(await send(task, pdu, 'GET', path));
  },
});

/** Returns bytes with a media type and a file name instead of JSON. */
const loadReport = defineMethod({
  name: 'load_report',
  httpMethods: ['GET'],
  description: "Readings of the outlet's load as CSV.",
  attach: true,
  requireExclusiveLock: false,
  arguments: z.object({
    // In a query (GET) every argument is text: z.coerce accepts "3" as well as 3.
    samples: z.coerce.number().int().min(1).max(60).default(3).describe('How many readings'),
    interval: z.coerce.number().min(0).max(10).default(1).describe('Seconds between two readings'),
  }),
  result: z.unknown(),
  async handler(task: NodeTask, { samples, interval }) {
    const { pdu, path } = readOutlet(task.node);
    const lines = ['time,power_state,watts'];
    for (let sample = 0; sample < samples; sample++) {
      if (sample > 0) await sleep(interval * 1000, undefined, { signal: task.signal });
      const { power_state, watts } = stateOf(await send(task, pdu, 'GET', path));
      lines.push(`${new Date().toISOString()},${power_state},${watts}`);
    }
    return new Attachment(new TextEncoder().encode(`${lines.join('\n')}\n`), 'text/csv', 'load.csv');
  },
});

/** A driver method: needs no node, so it can help to enrol one. */
const listOutlets = defineMethod({
  name: 'list_outlets',
  httpMethods: ['POST'],
  // It connects to an address, with credentials, that its caller names: nothing for operators.
  role: 'admin',
  description: 'The outlets of a PDU: the possible values of pdu_outlet.',
  arguments: z.object({
    address: z.url({ protocol: /^https?$/ }).describe('URL of the PDU'),
    username: z.string().default(''),
    password: z.string().default(''),
  }),
  result: z.array(z.string()),
  async handler(task: DriverTask, pdu) {
    const { Members: members } = await send(task, pdu, 'GET', OUTLETS);
    if (!Array.isArray(members)) throw new PassthruError('bmc_failed', `The PDU at ${pdu.address} lists no outlets`);
    return members.map((member) => String((member as JsonObject)['@odata.id']).slice(OUTLETS.length + 1));
  },
});

const OUTLETS = '/redfish/v1/PowerEquipment/RackPDUs/1/Outlets';

/** Reads driver_info. The service validates with it before every call, so handlers can rely on it. */
function readOutlet(node: Node): { pdu: Pdu; path: string } {
  const { pdu_address: address, pdu_outlet: outlet, pdu_username = '', pdu_password = '' } = node.driverInfo;
  if (typeof address !== 'string' || !/^https?:\/\//.test(address) || !URL.canParse(address)) {
    throw new PassthruError('invalid_argument', 'driver_info requires pdu_address, an http or https URL');
  }
  if (typeof outlet !== 'string' || !/^[A-Za-z0-9]{1,16}$/.test(outlet)) {
    throw new PassthruError('invalid_argument', 'driver_info requires pdu_outlet, letters and digits such as A3');
  }
  const pdu = { address, username: String(pdu_username), password: String(pdu_password) };
  return { pdu, path: `${OUTLETS}/${outlet}` };
}

/** Sends one request. Each failure gets a kind, which determines the status for REST and gRPC callers. */
async function send(task: Task, pdu: Pdu, method: string, path: string, body?: JsonObject): Promise<JsonObject> {
  const headers: Record<string, string> = {
    authorization: `Basic ${Buffer.from(`${pdu.username}:${pdu.password}`).toString('base64')}`,
  };
  if (body !== undefined) headers['content-type'] = 'application/json';
  // A process that was suspended for too long must not act on a node that another process has reserved.
  if (method !== 'GET') task.beforeSend();
  const response = await fetch(new URL(path, pdu.address), {
    method,
    headers,
    body: body === undefined ? null : JSON.stringify(body),
    redirect: 'error',
    // The task's signal fires when the caller disconnects or cancels, the other one when the PDU is silent.
    signal: AbortSignal.any([task.signal, AbortSignal.timeout(10_000)]),
  }).catch((cause) => {
    task.signal.throwIfAborted();
    const silent = `The PDU at ${pdu.address} does not respond`;
    if (method === 'GET') throw new PassthruError('bmc_unreachable', silent, { cause });
    throw new PassthruError('outcome_unknown', `${silent}; the outlet may have been switched`, { cause });
  });
  if (response.ok) return response.status === 204 ? {} : ((await response.json()) as JsonObject);
  const bmc = { status: response.status, extendedInfo: [] };
  throw new PassthruError('bmc_refused', `The PDU at ${pdu.address} responded ${response.status}`, { bmc });
}

function stateOf(outlet: JsonObject): z.output<typeof outletState> {
  const watts = (outlet.PowerWatts as JsonObject | undefined)?.Reading;
  return { outlet: String(outlet.Id), power_state: String(outlet.PowerState), watts: Number(watts ?? 0) };
}
