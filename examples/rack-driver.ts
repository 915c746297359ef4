/**
 * A third party's driver: machines whose power comes from outlets of a rack PDU that speaks Redfish (DSP0268,
 * "Outlet"). README.md in this folder runs it; docs/drivers.md explains it.
 *
 * In a driver of your own the next line reads `from 'passthru/driver'`.
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

/** One PDU, and how to log in to it. */
interface Pdu {
  address: string;
  username: string;
  password: string;
}

export default function rackPdu({ log }: DriverContext): HardwareType {
  log.debug({}, 'rack-pdu is loaded');
  return {
    name: 'rack-pdu',
    vendorInterfaces: [{ name: 'outlet', methods: [getOutlet, powerCycle, loadReport], validate: readOutlet }],
    driverMethods: [listOutlets],
    properties: {
      pdu_address: 'URL of the PDU, for example https://pdu-7.example. Required.',
      pdu_outlet: 'Id of the outlet that feeds the node, for example A3. Required.',
      pdu_username: 'User name. Optional.',
      pdu_password: 'Password. Optional.',
    },
  };
}

const outletState = z.object({
  outlet: z.string(),
  power_state: z.string().describe('On or Off'),
  watts: z.number().describe('The load now'),
});

/** Synchronous: the caller waits and gets the result. It changes nothing, so it does without the node's lock. */
const getOutlet = defineMethod({
  name: 'get_outlet',
  httpMethods: ['GET'],
  description: "The state and load of the node's outlet.",
  requireExclusiveLock: false,
  arguments: z.object({}),
  result: outletState,
  async handler(task: NodeTask) {
    const { pdu, path } = readOutlet(task.node);
    return stateOf(await ask(task, pdu, 'GET', path));
  },
});

/** Asynchronous: the caller gets a job at once and may watch or cancel it. The node is locked until it ends. */
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
    await ask(task, pdu, 'POST', action, { PowerState: 'Off' });
    for (let second = 0; second < off_seconds; second++) {
      task.progress((second + 1) / (off_seconds + 2), `off, ${off_seconds - second} s to go`);
      await sleep(1000, undefined, { signal: task.signal });
    }
    task.progress((off_seconds + 1) / (off_seconds + 2), 'switching on');
    await ask(task, pdu, 'POST', action, { PowerState: 'On' });
    return stateOf(await ask(task, pdu, 'GET', path));
  },
});

/** Answers bytes with a media type and a file name instead of JSON. */
const loadReport = defineMethod({
  name: 'load_report',
  httpMethods: ['GET'],
  description: "Readings of the outlet's load as CSV.",
  attach: true,
  requireExclusiveLock: false,
  arguments: z.object({
    // From a query (GET) every argument comes as text: z.coerce takes "3" as well as 3.
    samples: z.coerce.number().int().min(1).max(60).default(3).describe('How many readings'),
    interval: z.coerce.number().min(0).max(10).default(1).describe('Seconds between two readings'),
  }),
  result: z.unknown(),
  async handler(task: NodeTask, { samples, interval }) {
    const { pdu, path } = readOutlet(task.node);
    const lines = ['time,power_state,watts'];
    for (let sample = 0; sample < samples; sample++) {
      if (sample > 0) await sleep(interval * 1000, undefined, { signal: task.signal });
      const { power_state, watts } = stateOf(await ask(task, pdu, 'GET', path));
      lines.push(`${new Date().toISOString()},${power_state},${watts}`);
    }
    return new Attachment(new TextEncoder().encode(`${lines.join('\n')}\n`), 'text/csv', 'load.csv');
  },
});

/** A driver method: it needs no node, so it can help to enrol one. */
const listOutlets = defineMethod({
  name: 'list_outlets',
  httpMethods: ['POST'],
  description: 'The outlets of a PDU: what pdu_outlet may be.',
  arguments: z.object({
    address: z.url({ protocol: /^https?$/ }).describe('URL of the PDU'),
    username: z.string().default(''),
    password: z.string().default(''),
  }),
  result: z.array(z.string()),
  async handler(task: DriverTask, pdu) {
    const { Members: members } = await ask(task, pdu, 'GET', OUTLETS);
    if (!Array.isArray(members)) throw new PassthruError('bmc_failed', `The PDU at ${pdu.address} lists no outlets`);
    return members.map((member) => String((member as JsonObject)['@odata.id']).slice(OUTLETS.length + 1));
  },
});

const OUTLETS = '/redfish/v1/PowerEquipment/RackPDUs/1/Outlets';

/** What driver_info says. The service asks this before every call, so that a handler finds everything in place. */
function readOutlet(node: Node): { pdu: Pdu; path: string } {
  const { pdu_address: address, pdu_outlet: outlet, pdu_username = '', pdu_password = '' } = node.driverInfo;
  if (typeof address !== 'string' || !/^https?:\/\//.test(address) || !URL.canParse(address)) {
    throw new PassthruError('invalid_argument', 'driver_info needs pdu_address, an http or https URL');
  }
  if (typeof outlet !== 'string' || !/^[A-Za-z0-9]{1,16}$/.test(outlet)) {
    throw new PassthruError('invalid_argument', 'driver_info needs pdu_outlet, letters and digits such as A3');
  }
  const pdu = { address, username: String(pdu_username), password: String(pdu_password) };
  return { pdu, path: `${OUTLETS}/${outlet}` };
}

/** One request. Each way to fail gets its kind, which decides what REST and gRPC callers see. */
async function ask(task: Task, pdu: Pdu, method: string, path: string, body?: JsonObject): Promise<JsonObject> {
  const headers: Record<string, string> = {
    authorization: `Basic ${Buffer.from(`${pdu.username}:${pdu.password}`).toString('base64')}`,
  };
  if (body !== undefined) headers['content-type'] = 'application/json';
  const response = await fetch(new URL(path, pdu.address), {
    method,
    headers,
    body: body === undefined ? null : JSON.stringify(body),
    redirect: 'error',
    // The task's signal ends the wait when the caller leaves or cancels; the other one when the PDU is silent.
    signal: AbortSignal.any([task.signal, AbortSignal.timeout(10_000)]),
  }).catch((cause) => {
    task.signal.throwIfAborted();
    const silent = `The PDU at ${pdu.address} does not answer`;
    if (method === 'GET') throw new PassthruError('bmc_unreachable', silent, { cause });
    throw new PassthruError('outcome_unknown', `${silent}; the outlet may have been switched`, { cause });
  });
  if (response.ok) return response.status === 204 ? {} : ((await response.json()) as JsonObject);
  const bmc = { status: response.status, extendedInfo: [] };
  throw new PassthruError('bmc_refused', `The PDU at ${pdu.address} answered ${response.status}`, { bmc });
}

function stateOf(outlet: JsonObject): z.output<typeof outletState> {
  const watts = (outlet.PowerWatts as JsonObject | undefined)?.Reading;
  return { outlet: String(outlet.Id), power_state: String(outlet.PowerState), watts: Number(watts ?? 0) };
}
