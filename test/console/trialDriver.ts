/** A driver for the tests of the console: arguments of every kind, results and errors of every form, and names that are attacks. */
import {
  Attachment,
  type DriverTask,
  defineMethod,
  type HardwareType,
  type NodeTask,
  PassthruError,
  z,
} from '../../src/driver.ts';

/** Texts that would run as script, or break the page, where one is taken for markup. */
export const HOSTILE = [
  '<img src=x onerror=alert(1)>',
  '</script><script>alert(2)</script>',
  '"><svg/onload=alert(3)>',
  "javascript:alert('4')",
  '{{constructor.constructor("alert(5)")()}}',
  '\u202egnp.exe\u2066',
  '__proto__',
  '<style>*{display:none}</style>',
] as const;

export default function trial(): HardwareType {
  return {
    name: 'trial',
    vendorInterfaces: [
      { name: 'trial', methods: [everything, echo, fail, refused, report, many, restricted, slow, typed, started] },
      { name: 'silent', methods: [] },
    ],
    driverMethods: [ofDriver, restrictedOfDriver],
    properties: {
      trial_address: 'Address of the machine. Required.',
      trial_password: 'Password. Optional.',
      [HOSTILE[0]]: HOSTILE[1],
    },
    longestRequest: () => 0,
  };
}

const credentials = z.object({
  username: z.string().min(1).describe('Who logs in'),
  password: z.string().optional(),
});

/** Returns its arguments, of every kind that a form knows. */
const everything = defineMethod({
  name: 'everything',
  httpMethods: ['GET', 'POST'],
  description: 'Returns its arguments.',
  requireExclusiveLock: false,
  arguments: z.object({
    title: z.string().min(2).max(20).describe('What it is called'),
    count: z.number().int().min(1).max(9).default(3).describe('How many'),
    ratio: z.number().optional(),
    flag: z.boolean().optional().describe('Whether to'),
    mode: z.enum(['slow', 'fast']).default('slow'),
    tags: z.array(z.string().min(1)).max(3).optional(),
    account: credentials.optional().describe('The account'),
    either: z.union([z.string(), z.number()]).optional(),
    labels: z.record(z.string(), z.string()).optional(),
    rows: z.array(z.object({ slot: z.number().int(), kind: z.enum(['disk', 'fan']).optional() })).optional(),
    anything: z.json().optional(),
  }),
  result: z.unknown(),
  handler: async (_task: NodeTask, given) => given as never,
});

/** Returns what it is given. */
const echo = defineMethod({
  name: 'echo',
  httpMethods: ['POST'],
  description: HOSTILE[0],
  requireExclusiveLock: false,
  arguments: z.looseObject({}),
  result: z.unknown(),
  async handler(task: NodeTask, given) {
    receive(task, given);
    return given as never;
  },
});

const text = z.object({ text: z.string() });

const fail = defineMethod({
  name: 'fail',
  httpMethods: ['POST'],
  description: 'Fails as a BMC does.',
  requireExclusiveLock: false,
  arguments: text,
  result: z.null(),
  async handler(task: NodeTask, given): Promise<null> {
    task.recorder?.add(10, () => ({ sent: given.text }));
    throw new PassthruError('bmc_refused', given.text, {
      bmc: {
        status: 400,
        extendedInfo: [
          { MessageId: 'Base.1.8.PropertyValueError', Message: given.text, Resolution: 'Try another', [given.text]: 1 },
          { MessageId: 5, Severity: given.text },
        ],
      },
    });
  },
});

/** Its schema allows what it refuses, so that only the service finds the fault. */
const refused = defineMethod({
  name: 'refused',
  httpMethods: ['POST'],
  description: 'Refuses its argument.',
  requireExclusiveLock: false,
  arguments: z.object({ even: z.number().refine((value) => value % 2 === 0, 'must be even') }),
  result: z.null(),
  handler: async () => null,
});

const report = defineMethod({
  name: 'report',
  httpMethods: ['GET'],
  description: 'Returns a file.',
  attach: true,
  requireExclusiveLock: false,
  arguments: text,
  result: z.unknown(),
  handler: async (_task: NodeTask, given) =>
    new Attachment(new TextEncoder().encode(given.text), 'text/html', '../<img src=x onerror=alert(6)>.html'),
});

const many = defineMethod({
  name: 'many',
  httpMethods: ['GET'],
  description: 'Returns a long list.',
  requireExclusiveLock: false,
  arguments: z.object({}),
  result: z.unknown(),
  handler: async () => Array.from({ length: 5000 }, (_, index) => ({ index })) as never,
});

const restricted = defineMethod({
  name: 'restricted',
  httpMethods: ['POST'],
  description: 'For admins.',
  role: 'admin',
  arguments: z.object({}),
  result: z.null(),
  handler: async () => null,
});

/** Runs until the test lets it end, and reports what it is told. */
export const slowSteps: ((step: 'progress' | 'end' | 'fail') => void)[] = [];

const slow = defineMethod({
  name: 'slow',
  httpMethods: ['POST'],
  description: 'Takes its time.',
  async: true,
  arguments: z.object({}),
  result: z.unknown(),
  async handler(task: NodeTask) {
    for (;;) {
      const step = await new Promise<'progress' | 'end' | 'fail'>((resolve, reject) => {
        slowSteps.push(resolve);
        task.signal.addEventListener('abort', () => reject(task.signal.reason), { once: true });
      });
      if (step === 'progress') task.progress(0.4, 'half-way, nearly');
      if (step === 'end') return { ended: 'well' } as never;
      if (step === 'fail') throw new PassthruError('bmc_failed', 'The machine gave up');
    }
  },
});

/** What `typed`, `started`, `echo` and the methods of the driver were called with, in order. */
export const received: { method: string; httpMethod: string; arguments: unknown }[] = [];

function receive({ method, httpMethod }: NodeTask | DriverTask, given: unknown): void {
  received.push({ method, httpMethod, arguments: given });
}

const kinds = z.object({
  text: z.string().optional(),
  other: z.string().optional(),
  number: z.number().optional(),
  flag: z.boolean().optional(),
  list: z.array(z.json()).optional(),
  nested: z.record(z.string(), z.json()).optional(),
  password: z.string().optional(),
});

const typed = defineMethod({
  name: 'typed',
  httpMethods: ['GET', 'POST', 'PUT', 'DELETE'],
  description: 'Takes a value of each type.',
  requireExclusiveLock: false,
  arguments: kinds,
  result: z.unknown(),
  async handler(task: NodeTask, given) {
    receive(task, given);
    return given as never;
  },
});

const started = defineMethod({
  name: 'started',
  httpMethods: ['POST', 'PUT'],
  description: 'Takes a value of each type, and starts a job.',
  requireExclusiveLock: false,
  async: true,
  arguments: kinds,
  result: z.unknown(),
  async handler(task: NodeTask, given) {
    receive(task, given);
    return null;
  },
});

const ofDriver = defineMethod({
  name: 'of_driver',
  httpMethods: ['GET', 'POST'],
  description: 'Takes a value of each type, without a node.',
  arguments: kinds,
  result: z.unknown(),
  async handler(task: DriverTask, given) {
    receive(task, given);
    return given as never;
  },
});

const restrictedOfDriver = defineMethod({
  name: 'restricted_of_driver',
  httpMethods: ['POST'],
  description: 'For admins, without a node.',
  role: 'admin',
  arguments: z.object({}),
  result: z.null(),
  handler: async (_task: DriverTask) => null,
});
