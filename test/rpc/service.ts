import { setTimeout as sleep } from 'node:timers/promises';
import { z } from 'zod';
import type { CallRule } from '../../src/core/calls/callRules.ts';
import type { Core } from '../../src/core/core.ts';
import { PassthruError } from '../../src/core/errors.ts';
import type { HardwareType } from '../../src/core/hardware.ts';
import { Attachment, defineMethod } from '../../src/core/method.ts';
import type { Node } from '../../src/core/node.ts';
import type { NodeTask } from '../../src/core/task.ts';
import type { Listener } from '../../src/http/listener.ts';
import { type RunOptions, runService } from '../service.ts';

/** A running service with the test hardware. */
export interface TestService extends AsyncDisposable {
  url: string;
  core: Core;
  listener: Listener;
  /** Lets a running `job_of_two_steps` continue with its next step. */
  nextStep(): void;
  /** The reason of the signal of each `until_aborted` that has ended by it. */
  aborted: Promise<PassthruError>;
  createNode(name: string): Promise<Node>;
}

/** 60 kB of Redfish ExtendedInfo. */
export const LONG_EXTENDED_INFO = Array.from({ length: 60 }, (_, index) => ({
  '@odata.type': '#Message.v1_1_1.Message',
  MessageId: `Base.1.8.GeneralError.${index}`,
  Message: `A general error ${index} has occurred: ${'ä'.repeat(400)}`,
  Resolution: 'None.',
}));

export async function startTestService(
  options: Omit<RunOptions, 'hardwareTypes' | 'settings'> & {
    /** As `auth.rules`. */
    rules?: readonly CallRule[];
  } = {},
): Promise<TestService> {
  const steps: (() => void)[] = [];
  const aborted = Promise.withResolvers<PassthruError>();
  const { url, core, listener, close } = await runService({
    ...options,
    hardwareTypes: [testHardware(steps, aborted.resolve)],
    settings: { lockedRetryAttempts: 1, workers: 10, rules: options.rules },
  });
  return {
    url,
    core,
    listener,
    nextStep: () => steps.shift()?.(),
    aborted: aborted.promise,
    createNode: (name) => core.nodes.create({ name, driver: 'test' }, { name: 'tester', role: 'admin' }),
    [Symbol.asyncDispose]: close,
  };
}

function testHardware(steps: (() => void)[], onAborted: (reason: PassthruError) => void): HardwareType {
  const step = (task: NodeTask) =>
    new Promise<void>((resolve, reject) => {
      steps.push(resolve);
      task.signal.addEventListener('abort', () => reject(task.signal.reason));
    });
  const methods = [
    defineMethod({
      name: 'echo',
      httpMethods: ['POST'],
      description: 'Returns its value',
      arguments: z.object({ value: z.any(), count: z.number().int().optional() }),
      result: z.any(),
      async handler(_task: NodeTask, { value }) {
        return value;
      },
    }),
    defineMethod({
      name: 'nothing',
      httpMethods: ['GET', 'POST'],
      description: 'Returns nothing',
      requireExclusiveLock: false,
      arguments: z.object({}),
      result: z.null(),
      async handler() {
        return null;
      },
    }),
    defineMethod({
      name: 'dump',
      httpMethods: ['GET'],
      description: 'Returns bytes',
      attach: true,
      arguments: z.object({ size: z.number().default(3) }),
      result: z.any(),
      async handler(_task: NodeTask, { size }) {
        return new Attachment(new Uint8Array(size).fill(65), 'text/csv', 'dump.csv');
      },
    }),
    defineMethod({
      name: 'job_of_two_steps',
      httpMethods: ['POST'],
      description: 'Reports one step and ends with the next',
      async: true,
      arguments: z.object({}),
      result: z.string(),
      async handler(task: NodeTask) {
        await step(task);
        task.progress(0.5, 'half');
        await step(task);
        return 'done';
      },
    }),
    defineMethod({
      name: 'until_aborted',
      httpMethods: ['POST'],
      description: 'Ends when its signal fires',
      arguments: z.object({}),
      result: z.null(),
      async handler(task: NodeTask) {
        await sleep(60_000, undefined, { signal: task.signal }).catch(() => {});
        onAborted(task.signal.reason as PassthruError);
        throw task.signal.reason;
      },
    }),
    defineMethod({
      name: 'bmc_down',
      httpMethods: ['POST'],
      description: 'Finds no BMC',
      arguments: z.object({}),
      result: z.null(),
      async handler(task: NodeTask): Promise<null> {
        throw new PassthruError('bmc_unreachable', `Redfish connection failed for node ${task.node.uuid}: refused`, {
          bmc: { status: 0, extendedInfo: [] },
        });
      },
    }),
    defineMethod({
      name: 'bmc_talks',
      httpMethods: ['POST'],
      description: 'Meets a BMC that refuses with a long error',
      arguments: z.object({}),
      result: z.null(),
      async handler(): Promise<null> {
        throw new PassthruError('bmc_refused', `Redfish exception occurred. Error: ${'ü'.repeat(3000)}`, {
          bmc: { status: 400, extendedInfo: LONG_EXTENDED_INFO },
        });
      },
    }),
    defineMethod({
      name: 'bmc_garbles',
      httpMethods: ['POST'],
      description: 'Meets a BMC that refuses with half of a surrogate pair',
      arguments: z.object({}),
      result: z.null(),
      async handler(): Promise<null> {
        throw new PassthruError('bmc_refused', 'Redfish exception occurred. Error: \ud800', {
          bmc: { status: 400, extendedInfo: [{ MessageId: 'Base.1.8.\ud800', Message: '\udfff' }] },
        });
      },
    }),
    defineMethod({
      name: 'defect',
      httpMethods: ['POST'],
      description: 'Is broken',
      arguments: z.object({}),
      result: z.null(),
      async handler(): Promise<null> {
        throw new TypeError('secret internals');
      },
    }),
  ];
  return {
    name: 'test',
    vendorInterfaces: [
      { name: 'test', methods },
      { name: 'no-vendor', methods: [] },
    ],
    driverMethods: [
      defineMethod({
        name: 'ping',
        httpMethods: ['GET'],
        description: 'Returns pong',
        arguments: z.object({}),
        result: z.string(),
        async handler() {
          return 'pong';
        },
      }),
    ],
    properties: { test_address: 'Where the test is. Required.' },
  };
}
