import { describe, expect, test, vi } from 'vitest';
import { z } from 'zod';
import type { NodeCall, Outcome } from '../../src/core/core.ts';
import { createCore } from '../../src/core/create.ts';
import { type Logger, silentLogger } from '../../src/core/logger.ts';
import { Attachment, defineMethod, type Method } from '../../src/core/method.ts';
import type { NodeTask } from '../../src/core/task.ts';
import { nodeCall, openMemoryStore, operator, watchToEnd } from './harness.ts';

/** Returns a method whose handler returns `returned`, as a driver in JavaScript may. */
function method(result: z.ZodType | undefined, returned: unknown, flags: object = {}): Method<NodeTask> {
  const definition = {
    name: 'light',
    httpMethods: ['POST'] as const,
    description: '',
    arguments: z.object({}),
    result,
    handler: async (_task: NodeTask) => returned as never,
  };
  return defineMethod({ ...definition, ...flags });
}

async function run(result: z.ZodType | undefined, returned: unknown, flags?: object) {
  return method(result, returned, flags).run({} as NodeTask, {});
}

const ON = z.object({ on: z.boolean() });
const DROPPED = 'light was carried out, but its result is dropped, which is a defect of the driver: ';

test.each<[string, z.ZodType, unknown, string]>([
  ['without a member', ON, { off: 3 }, 'result.on must be given'],
  ['with a member of another type', ON, { on: 3 }, 'result.on must be a boolean, not a number'],
  [
    'with several faults',
    z.object({ a: z.string(), b: z.string() }),
    { b: 1 },
    'result.a must be given; result.b must',
  ],
  ['with a fault in a list', z.array(ON), [{ on: true }, { on: 'yes' }], 'result.1.on must be a boolean, not a string'],
  ['of another type', ON, 'on', 'result must be an object, not a string'],
  ['that is null', ON, null, 'result must be an object, not a null'],
  ['that is missing', ON, undefined, 'result must be an object, not'],
  ['that is not null', z.null(), 1, 'result must be a null, not a number'],
  ['with a word that is not allowed', z.enum(['on', 'off']), 'hunter2', 'result must be one of "on", "off"'],
  ['with more members than a strict schema', z.strictObject({}), { a: 1 }, 'result must not have the members a'],
  ['that fits no alternative', z.union([z.string(), z.number()]), true, "result must match the method's schema"],
  ['that its own check refuses', z.number().refine((n) => n > 1, 'not warm'), 1, 'result: not warm'],
  ['whose check cannot be carried out', z.string().refine(async () => true), 'x', 'it could not be checked: '],
  ['that is an attachment', ON, new Attachment(new Uint8Array(), 'text/csv'), 'an Attachment requires attach: true'],
  ['that is an attachment of any JSON', z.unknown(), new Attachment(new Uint8Array(), 'a/b'), 'an Attachment requires'],
])('a result %s is an error that names the method and the place', async (_, schema, returned, fault) => {
  const running = run(schema, returned);
  await expect(running).rejects.toMatchObject({ kind: 'internal' });
  await expect(running).rejects.toThrow(fault.startsWith('it') ? DROPPED : `${DROPPED}${fault}`);
  await expect(running).rejects.toThrow(fault);
  await expect(running).rejects.not.toThrow('hunter2');
});

test.each<[string, unknown]>([
  ['JSON', { on: true }],
  ['an attachment without bytes', new Attachment('text' as never, 'text/plain')],
])('an attachment that is %s is an error too', async (_, returned) => {
  await expect(run(undefined, returned, { attach: true })).rejects.toThrow(DROPPED);
});

test.each<[string, z.ZodType | undefined, unknown, unknown]>([
  ['as it is', ON, { on: true }, { on: true }],
  ['without members that the schema does not have', ON, { on: true, watts: 3 }, { on: true }],
  ['with the other members of a loose schema', z.looseObject({}), { a: [1] }, { a: [1] }],
  ['with defaults and transforms of the schema', z.object({ a: z.string().default('x') }), {}, { a: 'x' }],
  ['as JSON', z.object({ at: z.date() }), { at: new Date(0) }, { at: '1970-01-01T00:00:00.000Z' }],
  ['null for nothing', z.null(), undefined, null],
  ['null for an optional result', ON.optional(), undefined, null],
  ['unchecked without a schema', undefined, { anything: [1, null] }, { anything: [1, null] }],
  ['unchecked with z.unknown()', z.unknown(), undefined, null],
  ['unchecked with z.any()', z.any().describe('Any'), 'text', 'text'],
])('a result is returned %s', async (_, schema, returned, expected) => {
  expect(await run(schema, returned)).toEqual(expected);
});

test('the schema of an optional result allows null, and no schema allows all', () => {
  expect(method(ON.optional(), null).resultSchema).toMatchObject({ anyOf: [{ type: 'object' }, { type: 'null' }] });
  const { $schema: _, ...all } = method(undefined, null).resultSchema;
  expect(all).toEqual({});
});

test('a circular result is refused before it is parsed', async () => {
  const node = z.object({
    get next() {
      return node.optional();
    },
  });
  const circle: { next?: unknown } = {};
  circle.next = circle;
  await expect(run(node, circle)).rejects.toThrow('nests deeper than 30 levels');
});

test('a result is parsed once per call, and not for the list of methods', async () => {
  const check = vi.fn(() => true);
  const checked = method(z.object({ on: z.boolean().refine(check) }), { on: true });
  expect(check).not.toHaveBeenCalled();
  expect(checked.resultSchema).toMatchObject({ type: 'object' });
  await checked.run({} as NodeTask, {});
  expect(check).toHaveBeenCalledOnce();
});

describe('in the core', () => {
  async function call(flags: object, request: Partial<NodeCall> = {}, log: Logger = silentLogger) {
    const methods = [method(ON, { on: 'hunter2' }, flags)];
    const core = await createCore({
      store: await openMemoryStore(),
      hardwareTypes: [{ name: 'lamp', properties: {}, vendorInterfaces: [{ name: 'lamp', methods }] }],
      host: 'host-a',
      log,
      settings: { lockedRetryAttempts: 1, lockedRetryInterval: 0, maxLockWait: 0, workers: 4 },
    });
    await core.nodes.create({ name: 'n1', driver: 'lamp' }, operator);
    return { core, outcome: core.callNodeMethod({ ...nodeCall('light'), ...request }) as Promise<Outcome> };
  }

  test('a call whose result does not fit fails, names its call for the log, and leaves its node free', async () => {
    const { core, outcome } = await call({});
    await expect(outcome).rejects.toMatchObject({
      kind: 'internal',
      message: `${DROPPED}result.on must be a boolean, not a string`,
      call: { node: expect.any(String), node_name: 'n1', driver: 'lamp', method: 'light' },
    });
    expect((await core.nodes.get('n1')).reservation).toBeNull();
  });

  test('so does its job, which is logged', async () => {
    const error = vi.fn();
    const { core, outcome } = await call({ async: true }, {}, { ...silentLogger, error });
    const accepted = await outcome;
    if (accepted.kind !== 'job') throw new Error(accepted.kind);
    expect((await watchToEnd(core, accepted.job.id)).at(-1)).toMatchObject({
      state: 'failed',
      result: null,
      error: { kind: 'internal', message: `${DROPPED}result.on must be a boolean, not a string` },
    });
    expect(error).toHaveBeenCalledExactlyOnceWith(
      expect.objectContaining({ job: accepted.job.id, driver: 'lamp', method: 'light' }),
      'job failed with an internal error',
    );
  });
});
