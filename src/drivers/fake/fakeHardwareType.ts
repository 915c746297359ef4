// The fake driver: methods without a machine, for trials and tests.
import { z } from 'zod';
import type { HardwareType } from '../../core/hardware.ts';
import { defineMethod, type Method } from '../../core/method.ts';
import type { NodeTask } from '../../core/task.ts';
import { pause } from '../../core/waiting.ts';

/** Progress reports of a call with a delay. */
const STEPS = 10;

/**
 * Creates the hardware type `fake-hardware`, whose methods compare a word and touch no machine. Names, verbs, descriptions
 * and results are recorded from Ironic ("node methods of fake-hardware").
 * @param vendorDelay the duration of each call in milliseconds; 0 for none
 */
export function createFakeHardwareType({ vendorDelay }: { vendorDelay: number }): HardwareType {
  return {
    name: 'fake-hardware',
    vendorInterfaces: [
      {
        name: 'fake',
        methods: [
          comparison('second_method', 'kazoo', vendorDelay, { async: true }),
          comparison('third_method_sync', 'meow', vendorDelay, {}),
          comparison('fourth_method_shared_lock', 'woof', vendorDelay, { async: true, requireExclusiveLock: false }),
          logPassthrough(vendorDelay),
        ],
      },
      { name: 'no-vendor', methods: [] },
    ],
    // Ironic's fake vendor interface lists these two and reads neither.
    properties: { B1: 'B1 description. Required.', B2: 'B2 description. Required.' },
    longestRequest: () => 0,
  };
}

/** Returns a method that takes any arguments, waits, and returns nothing. */
function logPassthrough(delay: number): Method<NodeTask> {
  return defineMethod({
    name: 'log_passthrough',
    httpMethods: ['POST'],
    description: 'Test pass-through to wait.',
    async: true,
    // Ironic has it since 2024.1; this is the first version after those of the releases before.
    listedFrom: 83,
    arguments: z.looseObject({}),
    result: z.null(),
    async handler(task: NodeTask) {
      await work(task, delay);
      return null;
    },
  });
}

/** Returns a method that reports, after the delay, whether `bar` is the word. */
function comparison(
  name: string,
  word: string,
  delay: number,
  flags: { async?: boolean; requireExclusiveLock?: boolean },
): Method<NodeTask> {
  const missing = `Parameter 'bar' not passed to method '${name}'.`;
  return defineMethod({
    name,
    httpMethods: ['POST'],
    description: `Test if the value of bar is ${word}`,
    ...flags,
    arguments: z.object({
      bar: z
        .string({ error: (issue) => (issue.input === undefined ? missing : undefined) })
        .min(1, { error: missing })
        .describe(`The word to compare with ${word}`),
    }),
    result: z.boolean().describe(`Whether bar is ${word}`),
    async handler(task: NodeTask, { bar }) {
      // In place of a request to a machine, so that a transcript can be tried without one.
      task.recorder?.add(bar.length, () => ({ compared: bar, with: word, equal: bar === word }));
      await work(task, delay);
      return bar === word;
    },
  });
}

/** Waits `delay` milliseconds and reports every tenth. Throws `task.signal.reason` as soon as the signal fires. */
async function work(task: NodeTask, delay: number): Promise<void> {
  task.signal.throwIfAborted();
  if (delay === 0) return;
  for (let step = 1; step <= STEPS; step++) {
    await pause(delay / STEPS, task.signal);
    task.progress(step / STEPS, `step ${step} of ${STEPS}`);
  }
}
