import { execFile } from 'node:child_process';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { silentLogger } from '../../src/core/logger.ts';
import { loadDriverModules } from '../../src/drivers/load.ts';

const SOURCE = new URL('../../src/', import.meta.url);
let directory: string;

beforeAll(async () => {
  directory = await mkdtemp(join(tmpdir(), 'passthru-load-'));
});
afterAll(async () => {
  await rm(directory, { recursive: true });
});

/** Writes a driver module and loads it. */
async function load(name: string, source: string) {
  await writeFile(join(directory, name), source);
  return loadDriverModules([`./${name}`], directory, { log: silentLogger });
}

const TYPE = `name: 'acme', vendorInterfaces: [{ name: 'acme', methods: [] }], properties: {}`;

/** `passthru/driver` by its path, since the test's own loader resolves imports here. */
const ENTRY = new URL('../../src/driver.ts', import.meta.url).pathname;

describe('a driver module', () => {
  test('exports a hardware type, or a function that creates one from the context', async () => {
    const [plain] = await load('plain.mjs', `export default { ${TYPE} };`);
    expect(plain?.name).toBe('acme');
    const source = `export default async (context) => ({ ${TYPE}, properties: { log: typeof context.log.info } });`;
    const [made] = await load('made.mjs', source);
    expect(made?.properties).toEqual({ log: 'function' });
  });

  test('may be TypeScript', async () => {
    const [type] = await load('typed.ts', `const name: string = 'typed'; export default { ${TYPE}, name };`);
    expect(type?.name).toBe('typed');
  });

  test('is loaded in the order of the configuration', async () => {
    await writeFile(join(directory, 'b.mjs'), `export default { ${TYPE}, name: 'b' };`);
    await writeFile(join(directory, 'a.mjs'), `export default { ${TYPE}, name: 'a' };`);
    const types = await loadDriverModules(['./b.mjs', join(directory, 'a.mjs')], directory, { log: silentLogger });
    expect(types.map((type) => type.name)).toEqual(['b', 'a']);
  });

  test.each([
    ['no default export', 'export const x = 1;', /its default export must be a hardware type/],
    ['a function that returns nothing', 'export default () => {};', /its default export must be a hardware type/],
    ['a function that throws', `export default () => { throw new Error('no licence'); };`, /no licence/],
    ['a syntax error', 'export default {', /driver module/],
    ['no name', `export default { ${TYPE}, name: undefined };`, /must have a name of letters.*not undefined/],
    ['a name not fit for a URL', `export default { ${TYPE}, name: 'a/b' };`, /not "a\/b"/],
    ['a name that is a path', `export default { ${TYPE}, name: '..' };`, /not "\.\."/],
    ['no vendor interface', `export default { ${TYPE}, vendorInterfaces: [] };`, /at least one vendor interface/],
    [
      'null as vendor interface',
      `export default { ${TYPE}, vendorInterfaces: [null] };`,
      /must be an object with name/,
    ],
    [
      'two vendor interfaces of the same name',
      `const v = { name: 'v', methods: [] }; export default { ${TYPE}, vendorInterfaces: [v, v] };`,
      /vendor interface v is defined twice/,
    ],
    [
      'a method not created by defineMethod',
      `export default { ${TYPE}, driverMethods: [{ name: 'm', run() {} }] };`,
      /driverMethods: number 1 was not created by defineMethod/,
    ],
    [
      'a property that is not a string',
      `export default { ${TYPE}, properties: { key: 1 } };`,
      /properties.key must be/,
    ],
    [
      'a method with an unknown role',
      `import { defineMethod, z } from '${ENTRY}';
const method = defineMethod({ name: 'm', httpMethods: ['POST'], description: '', role: 'root', arguments: z.object({}),
  result: z.null(), handler() {} });
export default { ${TYPE}, driverMethods: [method] };`,
      /method m: role must be one of reader, operator, admin, not "root"/,
    ],
    [
      'a method whose role was changed to an unknown one',
      `import { defineMethod, z } from '${ENTRY}';
const method = defineMethod({ name: 'm', httpMethods: ['POST'], description: '', arguments: z.object({}),
  result: z.null(), handler() {} });
export default { ${TYPE}, driverMethods: [{ ...method, role: null }] };`,
      /method m: role must be one of reader, operator, admin, not null/,
    ],
    [
      'a secret key that is none of its properties',
      `export default { ${TYPE}, properties: { a: 'A.' }, secretKeys: ['b'] };`,
      /acme: secretKeys: 'b' is not a key of properties/,
    ],
    [
      'secret keys that are no list of strings',
      `export default { ${TYPE}, secretKeys: 'a' };`,
      /acme: secretKeys must be a list of strings/,
    ],
    [
      'an address key that is none of its properties',
      `export default { ${TYPE}, properties: { a: 'A.' }, addressKeys: ['b'] };`,
      /acme: addressKeys: 'b' is not a key of properties/,
    ],
    ['a close that is not a function', `export default { ${TYPE}, close: true };`, /close must be a function/],
  ])('with %s is rejected, and the error names the module', async (what, source, fault) => {
    const name = `${what.replaceAll(' ', '-')}.mjs`;
    await expect(load(name, source)).rejects.toThrow(
      expect.objectContaining({ kind: 'driver_not_ready', message: expect.stringMatching(fault) }),
    );
    await expect(load(name, source)).rejects.toThrow(`driver module ./${name}: `);
  });

  test('that does not exist is rejected, and the error names it', async () => {
    const loading = loadDriverModules(['./absent.mjs'], directory, { log: silentLogger });
    await expect(loading).rejects.toThrow(/^driver module \.\/absent\.mjs: /);
  });

  test('with a duplicate hardware type is rejected', async () => {
    await writeFile(join(directory, 'one.mjs'), `export default { ${TYPE} };`);
    await writeFile(join(directory, 'two.mjs'), `export default { ${TYPE} };`);
    const loading = loadDriverModules(['./one.mjs', './two.mjs'], directory, { log: silentLogger });
    await expect(loading).rejects.toThrow(
      'driver module ./two.mjs: another module already provides the hardware type acme',
    );
  });

  // In a separate process, like the service: under vitest, Node does not load the modules.
  test("gets the service's own passthru/driver wherever it is", async () => {
    const driver = `
      import { Attachment, defineMethod, PassthruError, z } from 'passthru/driver';
      const method = defineMethod({
        name: 'm', httpMethods: ['GET'], description: 'm', attach: true, arguments: z.object({}), result: z.unknown(),
        async handler(task) {
          if (task === 'fail') throw new PassthruError('bmc_refused', 'no');
          return new Attachment(new Uint8Array(1), 'text/csv');
        },
      });
      export default { ${TYPE}, driverMethods: [method] };`;
    const program = `
      import { loadDriverModules } from '${SOURCE}drivers/load.ts';
      import { PassthruError } from '${SOURCE}core/errors.ts';
      import { silentLogger } from '${SOURCE}core/logger.ts';
      import { Attachment } from '${SOURCE}core/method.ts';
      const [type] = await loadDriverModules(['./own.ts'], ${JSON.stringify(directory)}, { log: silentLogger });
      const method = type.driverMethods[0];
      const result = await method.run('succeed', {});
      const error = await method.run('fail', {}).catch((error) => error);
      console.log(result instanceof Attachment, error instanceof PassthruError);`;
    await writeFile(join(directory, 'own.ts'), driver);
    const file = join(directory, 'program.mjs');
    await writeFile(file, program);
    const { stdout } = await promisify(execFile)(process.execPath, [file], { cwd: fileURLToPath(SOURCE) });
    expect(stdout.trim()).toBe('true true');
  });
});
