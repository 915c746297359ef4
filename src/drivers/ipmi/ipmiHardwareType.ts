// The IPMI driver: raw commands and BMC resets, sent by the program ipmitool.
import { z } from 'zod';
import { looseBoolean } from '../../core/arguments.ts';
import type { HardwareType } from '../../core/hardware.ts';
import { defineMethod, type Method } from '../../core/method.ts';
import type { NodeTask } from '../../core/task.ts';
import { IPMI_PROPERTIES, parseByte, readIpmiConnection } from './connection.ts';
import { type IpmitoolProgram, type IpmitoolRun, runIpmitool } from './ipmitool.ts';

interface IpmiOptions {
  /** The ipmitool program: a path, or a name found in PATH. Default `ipmitool`. */
  program?: string;
  /** Maximum milliseconds of one run. Default 60 s; ipmitool itself gives up on a silent BMC after about 20 s. */
  timeout?: number;
  /** Called after each run. Default: none. */
  observe?: (run: IpmitoolRun) => void;
}

/** ipmitool accepts 254 bytes of data after the network function and the command. */
const MAX_RAW_BYTES = 256;

/**
 * Creates the hardware type `ipmi`, which runs the ipmitool program. Names, verbs and descriptions are recorded from Ironic
 * ("node methods of ipmi"); the commands are the ones it runs. A missing program fails the call, not the start.
 */
export function createIpmiHardwareType(options: IpmiOptions = {}): HardwareType {
  const { program: name = 'ipmitool', timeout = 60_000, observe = () => {} } = options;
  const program: IpmitoolProgram = { program: name, timeout, observe, running: new Set() };
  return {
    name: 'ipmi',
    vendorInterfaces: [
      {
        name: 'ipmitool',
        methods: [sendRaw(program), bmcReset(program)],
        validate: (node) => void readIpmiConnection(node),
      },
      { name: 'no-vendor', methods: [] },
    ],
    properties: IPMI_PROPERTIES,
    secretKeys: ['ipmi_password', 'ipmi_hex_kg_key'],
    longestRequest: () => timeout,
    // No process outlives the service.
    async close() {
      for (const child of program.running) child.kill('SIGKILL');
    },
  };
}

function sendRaw(program: IpmitoolProgram): Method<NodeTask> {
  const missing = 'Parameter raw_bytes (string of bytes) was not specified.';
  return defineMethod({
    name: 'send_raw',
    httpMethods: ['POST'],
    async: true,
    // Raw access: any command of the BMC, such as setting a password.
    role: 'admin',
    description:
      "Send raw bytes to the BMC. Required argument: 'raw_bytes' - a string of raw bytes (e.g. '0x00 0x01').",
    arguments: z.object({
      raw_bytes: z
        .string({ error: (issue) => (issue.input === undefined ? missing : undefined) })
        .min(1, { error: missing })
        .max(5 * MAX_RAW_BYTES)
        .transform(parseRawBytes)
        .describe('Network function, command and data: bytes as 0x00 to 0xff or 0 to 255, separated by spaces'),
    }),
    result: z.object({
      raw_bytes: z.string().describe("The BMC's response without the completion code, in the form 0x20 0x01"),
    }),
    async handler(task: NodeTask, { raw_bytes }) {
      const command = { name: 'raw', arguments: ['raw', ...raw_bytes.split(' ')] };
      const printed = await runIpmitool(program, command, task);
      const bytes = (printed.match(/\S+/g) ?? []).map((pair) => Number.parseInt(pair, 16));
      return { raw_bytes: formatBytes(bytes) };
    },
  });
}

function bmcReset(program: IpmitoolProgram): Method<NodeTask> {
  return defineMethod({
    name: 'bmc_reset',
    httpMethods: ['POST'],
    async: true,
    description: "Reset the BMC. Required argument: 'warm' (Boolean) - for warm (True) or cold (False) reset.",
    arguments: z.object({
      // Optional, whatever the recorded description says: without it Ironic resets warm.
      warm: looseBoolean().default(true).describe('True for a warm reset, false for a cold one'),
    }),
    result: z.null().describe('Nothing: the BMC accepted the command and resets'),
    async handler(task: NodeTask, { warm }) {
      const kind = warm ? 'warm' : 'cold';
      const command = { name: `bmc reset ${kind}`, arguments: ['bmc', 'reset', kind] };
      await runIpmitool(program, command, task);
      return null;
    },
  });
}

/** Returns the bytes in the canonical form for ipmitool. */
function parseRawBytes(text: string, context: z.RefinementCtx<string>): string {
  const bytes = (text.match(/\S+/g) ?? []).map(parseByte);
  if (bytes.length >= 2 && bytes.length <= MAX_RAW_BYTES && bytes.every((byte) => byte !== null)) {
    return formatBytes(bytes);
  }
  const message = `must be 2 to ${MAX_RAW_BYTES} bytes, each 0x00 to 0xff or 0 to 255, separated by spaces`;
  context.issues.push({ code: 'custom', message, input: text });
  return z.NEVER;
}

/** Formats bytes as `send_raw` takes and returns them: `0x06 0x01`. */
function formatBytes(bytes: readonly number[]): string {
  return bytes.map((byte) => `0x${byte.toString(16).padStart(2, '0')}`).join(' ');
}
