import { z } from 'zod';
import { looseBoolean } from '../../core/arguments.ts';
import type { HardwareType } from '../../core/hardware.ts';
import { defineMethod, type Method } from '../../core/method.ts';
import type { NodeTask } from '../../core/task.ts';
import { formatBytes, parseByte } from './byteText.ts';
import { IPMI_PROPERTIES, readIpmiConnection } from './connection.ts';
import { type IpmitoolProgram, type IpmitoolRun, runIpmitool } from './ipmitool.ts';

export interface IpmiOptions {
  /** The ipmitool program: a path, or a name that is looked for in PATH. Default `ipmitool`. */
  program?: string;
  /** Milliseconds that one run of it may last. Default 60 s: ipmitool itself gives up on a silent BMC after about 20 s. */
  timeout?: number;
  /** Told of each run of it that has ended. Default: nobody is. */
  observe?: (run: IpmitoolRun) => void;
}

/** ipmitool takes 254 bytes of data after the network function and the command. */
const MAX_RAW_BYTES = 256;

/**
 * The hardware type `ipmi`, which works through the ipmitool program. Names, verbs and descriptions are the recorded
 * ones ("node methods of ipmi"); the commands are those that Ironic runs. A missing program is told by the call.
 */
export function createIpmiHardwareType(options: IpmiOptions = {}): HardwareType {
  const { program: name = 'ipmitool', timeout = 60_000, observe = () => {} } = options;
  const program = { program: name, timeout, observe };
  return {
    name: 'ipmi',
    vendorInterfaces: [
      {
        name: 'ipmitool',
        methods: [sendRaw(program), bmcReset(program)],
        validate(node) {
          readIpmiConnection(node);
        },
      },
      { name: 'no-vendor', methods: [] },
    ],
    properties: IPMI_PROPERTIES,
    longestRequest: () => timeout,
  };
}

function sendRaw(program: IpmitoolProgram): Method<NodeTask> {
  const missing = 'Parameter raw_bytes (string of bytes) was not specified.';
  return defineMethod({
    name: 'send_raw',
    httpMethods: ['POST'],
    async: true,
    description:
      "Send raw bytes to the BMC. Required argument: 'raw_bytes' - a string of raw bytes (e.g. '0x00 0x01').",
    arguments: z.object({
      raw_bytes: z
        .string({ error: (issue) => (issue.input === undefined ? missing : undefined) })
        .min(1, { error: missing })
        .max(5 * MAX_RAW_BYTES)
        .transform(parseRawBytes)
        .describe('Network function, command and data: bytes as 0x00 to 0xff or 0 to 255, with spaces between them'),
    }),
    result: z.object({
      raw_bytes: z.string().describe("The BMC's answer without the completion code, as raw_bytes are given: 0x20 0x01"),
    }),
    async handler(task: NodeTask, { raw_bytes }) {
      const command = { name: 'raw', arguments: ['raw', ...raw_bytes.split(' ')] };
      const printed = await runIpmitool(program, readIpmiConnection(task.node), command, task);
      const answer = printed.trim();
      const bytes = answer === '' ? [] : answer.split(/\s+/).map((pair) => Number.parseInt(pair, 16));
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
      // Not required, whatever the recorded description says: Ironic takes a call without it for a warm reset.
      warm: looseBoolean().default(true).describe('True for a warm reset, false for a cold one'),
    }),
    result: z.null().describe('Nothing: the BMC has taken the command and resets'),
    async handler(task: NodeTask, { warm }) {
      const kind = warm ? 'warm' : 'cold';
      const command = { name: `bmc reset ${kind}`, arguments: ['bmc', 'reset', kind] };
      await runIpmitool(program, readIpmiConnection(task.node), command, task);
      return null;
    },
  });
}

/** The bytes in the one form that ipmitool gets. */
function parseRawBytes(text: string, context: z.RefinementCtx<string>): string {
  const words = text.split(/\s+/).filter((word) => word !== '');
  const bytes = words.map(parseByte);
  if (bytes.length >= 2 && bytes.length <= MAX_RAW_BYTES && bytes.every((byte) => byte !== null)) {
    return formatBytes(bytes);
  }
  const message = `must be 2 to ${MAX_RAW_BYTES} bytes, each 0x00 to 0xff or 0 to 255, with spaces between them`;
  context.issues.push({ code: 'custom', message, input: text });
  return z.NEVER;
}
