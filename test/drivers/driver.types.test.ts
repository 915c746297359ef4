import { execFile } from 'node:child_process';
import { copyFile, mkdir, mkdtemp, readFile, rm, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { describe, expect, expectTypeOf, test } from 'vitest';
import type {
  BmcAnswer,
  DriverContext,
  DriverModule,
  DriverTask,
  ErrorContext,
  ErrorKind,
  FieldViolation,
  HardwareType,
  HttpMethod,
  JsonObject,
  Logger,
  Method,
  MethodDefinition,
  Node,
  NodeTask,
  Task,
  VendorInterface,
} from '../../src/driver.ts';
import * as driver from '../../src/driver.ts';
import { type Attachment, defineMethod, looseBoolean, type PassthruError, z } from '../../src/driver.ts';

const ROOT = fileURLToPath(new URL('../../', import.meta.url));

/** The members of `T` that an author must write. */
type Required<T> = { [K in keyof T]-?: object extends Pick<T, K> ? never : K }[keyof T];

// Checked by the compiler (`npm run typecheck`, and the last test of this file); at run time these are empty.
describe('the types of passthru/driver', () => {
  test('a hardware type and its vendor interfaces', () => {
    expectTypeOf<Required<HardwareType>>().toEqualTypeOf<'name' | 'vendorInterfaces' | 'properties'>();
    expectTypeOf<Exclude<keyof HardwareType, Required<HardwareType>>>().toEqualTypeOf<
      'secretKeys' | 'addressKeys' | 'driverMethods' | 'longestRequest' | 'events' | 'release' | 'close'
    >();
    expectTypeOf<HardwareType['vendorInterfaces']>().toEqualTypeOf<readonly [VendorInterface, ...VendorInterface[]]>();
    expectTypeOf<HardwareType['driverMethods']>().toEqualTypeOf<readonly Method<DriverTask>[] | undefined>();
    expectTypeOf<HardwareType['properties']>().toEqualTypeOf<Readonly<Record<string, string>>>();
    expectTypeOf<HardwareType['addressKeys']>().toEqualTypeOf<readonly string[] | undefined>();
    expectTypeOf<NonNullable<HardwareType['longestRequest']>>().toEqualTypeOf<(node: Node) => number>();
    expectTypeOf<NonNullable<HardwareType['release']>>().toEqualTypeOf<(node: Node) => Promise<void>>();
    expectTypeOf<NonNullable<HardwareType['close']>>().toEqualTypeOf<() => Promise<void>>();
    expectTypeOf<Required<VendorInterface>>().toEqualTypeOf<'name' | 'methods'>();
    expectTypeOf<VendorInterface['methods']>().toEqualTypeOf<readonly Method<NodeTask>[]>();
    expectTypeOf<NonNullable<VendorInterface['validate']>>().toEqualTypeOf<(node: Node) => unknown>();
  });

  test('a driver module', () => {
    expectTypeOf<DriverModule>().toEqualTypeOf<
      HardwareType | ((context: DriverContext) => HardwareType | Promise<HardwareType>)
    >();
    expectTypeOf<DriverContext>().toEqualTypeOf<{ log: Logger }>();
  });

  test('a method and the arguments of its handler', () => {
    expectTypeOf<Required<MethodDefinition<NodeTask, z.ZodObject>>>().toEqualTypeOf<
      'name' | 'httpMethods' | 'description' | 'arguments' | 'handler'
    >();
    const method = defineMethod({
      name: 'm',
      httpMethods: ['GET'],
      description: '',
      arguments: z.object({ count: z.coerce.number().default(1), warm: looseBoolean().optional() }),
      result: z.string(),
      async handler(task: NodeTask, args) {
        expectTypeOf(args).toEqualTypeOf<{ count: number; warm?: boolean | undefined }>();
        expectTypeOf(task.node).toEqualTypeOf<Node>();
        return '';
      },
    });
    expectTypeOf(method).toEqualTypeOf<Method<NodeTask>>();
    const definition = { name: 'm', httpMethods: ['GET'], description: '', result: z.unknown() } as const;
    // @ts-expect-error a result that is not JSON
    defineMethod({ ...definition, arguments: z.object({}), handler: async (_task: NodeTask) => new Date() });
    const trace = {
      ...definition,
      httpMethods: ['TRACE'] as const,
      arguments: z.object({}),
      handler: async () => null,
    };
    // @ts-expect-error a verb that does not exist
    expect(() => defineMethod(trace)).toThrow(TypeError);
  });

  test('a handler returns what the result describes', () => {
    const definition = { name: 'm', httpMethods: ['GET'], description: '', arguments: z.object({}) } as const;
    const attachment = new driver.Attachment(new Uint8Array(), 'text/csv');
    const lamp = { ...definition, result: z.object({ on: z.boolean() }) };
    defineMethod({ ...lamp, handler: async () => ({ on: true }) });
    // @ts-expect-error another member
    defineMethod({ ...lamp, handler: async () => ({ off: 3 }) });
    // @ts-expect-error a member of another type
    defineMethod({ ...lamp, handler: async () => ({ on: 3 }) });
    // @ts-expect-error nothing
    defineMethod({ ...lamp, handler: async () => {} });
    // @ts-expect-error only sometimes
    defineMethod({ ...lamp, handler: async (task: NodeTask) => (task.fence === 1 ? { on: true } : null) });
    // @ts-expect-error an attachment without attach
    defineMethod({ ...lamp, handler: async () => attachment });
    const nothing = { ...definition, result: z.null() };
    defineMethod({ ...nothing, handler: async () => {} });
    defineMethod({ ...nothing, handler: async () => null });
    // @ts-expect-error something
    defineMethod({ ...nothing, handler: async () => 1 });
    // What the schema takes, before its defaults and transforms.
    const counted = {
      ...definition,
      result: z.object({ n: z.number().default(0), text: z.number().transform(String) }),
    };
    defineMethod({ ...counted, handler: async () => ({ text: 1 }) });
    // @ts-expect-error what the schema gives
    defineMethod({ ...counted, handler: async () => ({ n: 0, text: '1' }) });
    defineMethod({ ...definition, handler: async () => ({ any: ['JSON'] }) });
    // @ts-expect-error no JSON
    defineMethod({ ...definition, handler: async () => new Date() });
    defineMethod({ ...definition, attach: true, handler: async () => attachment });
    // @ts-expect-error no attachment
    defineMethod({ ...definition, attach: true, handler: async () => ({ on: true }) });
  });

  test('a task', () => {
    expectTypeOf<keyof Task>().toEqualTypeOf<
      | 'driver'
      | 'method'
      | 'httpMethod'
      | 'requestedBy'
      | 'signal'
      | 'deadline'
      | 'fence'
      | 'beforeSend'
      | 'progress'
      | 'log'
      | 'recorder'
    >();
    expectTypeOf<Exclude<keyof NodeTask, keyof Task>>().toEqualTypeOf<'node' | 'eventSource'>();
    expectTypeOf<keyof DriverTask>().toEqualTypeOf<keyof Task>();
    expectTypeOf<Task['signal']>().toEqualTypeOf<AbortSignal>();
    expectTypeOf<Task['deadline']>().toEqualTypeOf<Date | null>();
    expectTypeOf<Task['fence']>().toEqualTypeOf<number | null>();
    expectTypeOf<Task['progress']>().toEqualTypeOf<(fraction: number | null, message: string) => void>();
    expectTypeOf<Task['beforeSend']>().toEqualTypeOf<() => void>();
    expectTypeOf<HttpMethod>().toEqualTypeOf<'GET' | 'POST' | 'PUT' | 'PATCH' | 'DELETE'>();
    expectTypeOf<Node['driverInfo']>().toEqualTypeOf<JsonObject>();
    expectTypeOf<Node['name']>().toEqualTypeOf<string | null>();
  });

  test('errors and attachments', () => {
    expectTypeOf<ConstructorParameters<typeof PassthruError>>().toEqualTypeOf<
      [kind: ErrorKind, message: string, context?: ErrorContext]
    >();
    // The kinds that docs/drivers.md names.
    expectTypeOf<
      | 'invalid_argument'
      | 'bmc_unreachable'
      | 'bmc_timeout'
      | 'outcome_unknown'
      | 'bmc_refused'
      | 'bmc_failed'
      | 'bmc_busy'
      | 'bmc_unsupported'
      | 'bmc_tls_failed'
      | 'driver_not_ready'
    >().toExtend<ErrorKind>();
    expectTypeOf<FieldViolation>().toEqualTypeOf<{ field: string; description: string }>();
    expectTypeOf<BmcAnswer>().toEqualTypeOf<{ status: number; extendedInfo: JsonObject[] }>();
    expectTypeOf<ErrorContext['bmc']>().toEqualTypeOf<BmcAnswer | undefined>();
    expectTypeOf<ConstructorParameters<typeof Attachment>>().toEqualTypeOf<
      [data: Uint8Array, mediaType: string, fileName?: string | null]
    >();
  });
});

test('passthru/driver exports these values and no others', () => {
  expect(Object.keys(driver).sort()).toEqual(['Attachment', 'PassthruError', 'defineMethod', 'looseBoolean', 'z']);
});

// What is published are declarations: an author's compiler sees dist/, with its own copy of nothing but zod.
test('the built declarations suffice for the drivers of docs/drivers.md, the example, and the tests above', async () => {
  const directory = await mkdtemp(join(tmpdir(), 'passthru-types-'));
  const modules = join(directory, 'node_modules');
  const tsc = (...options: string[]) =>
    promisify(execFile)(process.execPath, [join(ROOT, 'node_modules/typescript/bin/tsc'), ...options]).catch((error) =>
      expect.fail(`tsc ${options.join(' ')}\n${error.stdout}`),
    );
  try {
    await mkdir(join(modules, '@types'), { recursive: true });
    for (const name of ['zod', 'vitest', '@types/node'])
      await symlink(join(ROOT, 'node_modules', name), join(modules, name));
    const published = join(modules, 'passthru');
    await tsc('-p', join(ROOT, 'tsconfig.build.json'), '--emitDeclarationOnly', '--outDir', join(published, 'dist'));
    await copyFile(join(ROOT, 'package.json'), join(published, 'package.json'));

    const own = (source: string) => source.replaceAll(/'(?:\.\.\/)+src\/driver\.ts'/g, "'passthru/driver'");
    const page = await readFile(join(ROOT, 'docs/drivers.md'), 'utf8');
    const drivers = [...page.matchAll(/```ts\n([\s\S]*?)```/g)].map(([, source = '']) => source);
    expect(drivers).toHaveLength(3);
    for (const [index, source] of drivers.entries()) {
      await writeFile(join(directory, /^\/\/ (\S+\.ts)\n/.exec(source)?.[1] ?? `docs-${index}.ts`), source);
    }
    await writeFile(join(directory, 'rack.ts'), own(await readFile(join(ROOT, 'examples/rack-driver.ts'), 'utf8')));
    await writeFile(join(directory, 'types.ts'), own(await readFile(fileURLToPath(import.meta.url), 'utf8')));
    const compilerOptions = {
      module: 'nodenext',
      target: 'es2024',
      strict: true,
      types: ['node'],
      noEmit: true,
      erasableSyntaxOnly: true,
      allowImportingTsExtensions: true,
      skipLibCheck: true,
    };
    await writeFile(join(directory, 'package.json'), JSON.stringify({ type: 'module' }));
    await writeFile(join(directory, 'tsconfig.json'), JSON.stringify({ compilerOptions, include: ['*.ts'] }));
    await tsc('-p', directory);
  } finally {
    await rm(directory, { recursive: true });
  }
}, 300_000);
