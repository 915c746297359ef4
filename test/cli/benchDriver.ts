import { Attachment, type DriverTask, defineMethod, type NodeTask, PassthruError, z } from '../../src/driver.ts';

/** The gates of the jobs of `hold`, by the word that opens each. */
const gates = new Map<string, PromiseWithResolvers<void>>();

function gate(word: string): PromiseWithResolvers<void> {
  const opening = gates.get(word) ?? Promise.withResolvers<void>();
  gates.set(word, opening);
  return opening;
}

const echo = defineMethod({
  name: 'echo',
  httpMethods: ['POST', 'PUT'],
  description: 'Returns its arguments',
  arguments: z.object({
    text: z.string().optional(),
    number: z.number().optional(),
    integer: z.int().optional(),
    flag: z.boolean().optional(),
    list: z.array(z.string()).optional(),
    object: z.record(z.string(), z.json()).optional(),
    choice: z.enum(['a', 'b']).optional(),
    either: z.union([z.boolean(), z.string()]).optional(),
    anything: z.any().optional(),
    pin_token: z.int().optional(),
  }),
  result: z.json(),
  handler: async (task: NodeTask, args) => {
    task.recorder?.add(1, () => ({ echoed: { ...args } }));
    if (args.text === 'fail') throw new PassthruError('bmc_refused', 'failed as requested');
    return { ...args };
  },
});

const report = defineMethod({
  name: 'report',
  httpMethods: ['GET'],
  description: 'Returns bytes',
  attach: true,
  arguments: z.object({}),
  result: z.any(),
  handler: async (_task: NodeTask) =>
    new Attachment(Uint8Array.of(0, 1, 254, 255), 'application/octet-stream', '../evil'),
});

const hold = defineMethod({
  name: 'hold',
  httpMethods: ['POST'],
  description: 'Runs until the driver method release is called with its word',
  async: true,
  arguments: z.object({ word: z.string() }),
  result: z.json(),
  async handler(task: NodeTask, { word }) {
    task.recorder?.add(1, () => ({ held: word }));
    task.progress(0.5, 'half \u001b[31mway');
    await Promise.race([
      gate(word).promise,
      new Promise((_, reject) => task.signal.addEventListener('abort', () => reject(task.signal.reason))),
    ]);
    if (word === 'fail') throw new Error('failed as requested');
    return { word };
  },
});

const release = defineMethod({
  name: 'release',
  httpMethods: ['POST'],
  description: 'Lets the calls of hold with this word end',
  arguments: z.object({ word: z.string() }),
  result: z.null(),
  async handler(_task: DriverTask, { word }) {
    gate(word).resolve();
    return null;
  },
});

/** A hardware type for tests of the command: arguments of every kind, an attachment, and jobs that a test ends. */
export default {
  name: 'bench',
  vendorInterfaces: [{ name: 'bench', methods: [echo, report, hold] }],
  driverMethods: [release],
  properties: {},
};
