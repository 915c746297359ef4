import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { passthru, type Served, serve } from '../cli/run.ts';

// Every form in which a driver may be written, in a service that is started with all of them.

let directory: string;

beforeAll(async () => {
  directory = await mkdtemp(join(tmpdir(), 'passthru-forms-'));
});
afterAll(async () => {
  await rm(directory, { recursive: true });
});

/** Writes files by their paths, and a configuration that names `drivers`. Returns the configuration's path. */
async function write(name: string, files: Record<string, string>, drivers: string[]): Promise<string> {
  const folder = join(directory, name);
  const all = { ...files, 'config.yaml': JSON.stringify({ listen: '127.0.0.1:0', store: 'sqlite::memory:', drivers }) };
  for (const [path, content] of Object.entries(all)) {
    await mkdir(dirname(join(folder, path)), { recursive: true });
    await writeFile(join(folder, path), content);
  }
  return join(folder, 'config.yaml');
}

const method = (task: string) => `{
  name: 'light', httpMethods: ['GET'], description: 'Whether the light is on.', arguments: z.object({}),
  result: z.object({ on: z.boolean() }),
  async handler(${task}) { if (${task.split(':')[0]}.driver === '') throw new PassthruError('bmc_refused', 'no'); return { on: true }; },
}`;
const type = (name: string) =>
  `{ name: '${name}', vendorInterfaces: [{ name: 'v', methods: [light] }], properties: {} }`;
const JS_IMPORT = "import { defineMethod, PassthruError, z } from 'passthru/driver';\n";
const TS_IMPORT =
  "import { defineMethod, type HardwareType, type NodeTask, PassthruError, z } from 'passthru/driver';\n";
const REQUIRE = "const { defineMethod, PassthruError, z } = require('passthru/driver');\n";

const javaScript = (name: string) => `${JS_IMPORT}const light = defineMethod(${method('task')});
export default ${type(name)};\n`;
const typeScript = (name: string) => `${TS_IMPORT}interface Unused { a: string }
const light = defineMethod(${method('task: NodeTask')});
export default ${type(name)} satisfies HardwareType;\n`;
const commonJs = (name: string) => `${REQUIRE}const light = defineMethod(${method('task')});
module.exports = ${type(name)};\n`;
const commonTypeScript = (name: string) => `import type { NodeTask } from 'passthru/driver';
${REQUIRE}const light = defineMethod(${method('task: NodeTask')});
module.exports = ${type(name)};\n`;
/** As tsc and bundlers write an ES module as CommonJS. */
const compiled = (name: string) => `"use strict";\nObject.defineProperty(exports, "__esModule", { value: true });
${REQUIRE}const light = defineMethod(${method('task')});
exports.default = ${type(name)};\n`;
const minified = (name: string) =>
  `import{defineMethod as d,PassthruError,z}from"passthru/driver";const light=d(${method('task')});var t=${type(name)};export{t as default};`;

/** The forms, by the `type` of the package.json beside them; null: there is no package.json. */
const FORMS: Record<string, [type: string | null, file: string, write: (name: string) => string]> = {
  'bare-ts': [null, 'd.ts', typeScript],
  'bare-js': [null, 'd.js', javaScript],
  'bare-mts': [null, 'd.mts', typeScript],
  'bare-mjs': [null, 'd.mjs', javaScript],
  'bare-cts': [null, 'd.cts', commonTypeScript],
  'bare-cjs': [null, 'd.cjs', commonJs],
  'bare-js-cjs': [null, 'c.js', commonJs],
  'commonjs-ts': ['commonjs', 'd.ts', typeScript],
  'commonjs-js': ['commonjs', 'd.js', javaScript],
  'commonjs-mts': ['commonjs', 'd.mts', typeScript],
  'commonjs-mjs': ['commonjs', 'd.mjs', javaScript],
  'commonjs-cjs': ['commonjs', 'd.cjs', commonJs],
  'commonjs-js-cjs': ['commonjs', 'c.js', commonJs],
  'commonjs-ts-cjs': ['commonjs', 'c.ts', commonTypeScript],
  'commonjs-compiled': ['commonjs', 'compiled.js', compiled],
  'commonjs-minified': ['commonjs', 'minified.js', minified],
  'none-ts': ['none', 'd.ts', typeScript],
  'none-js': ['none', 'd.js', javaScript],
  'module-ts': ['module', 'd.ts', typeScript],
  'module-js': ['module', 'd.js', javaScript],
  'module-cjs': ['module', 'd.cjs', commonJs],
  'module-cts': ['module', 'd.cts', commonTypeScript],
};

test('a driver runs in every form, whatever the package.json beside it', async () => {
  const files: Record<string, string> = {};
  for (const [name, [kind, file, text]] of Object.entries(FORMS)) {
    const folder = kind ?? 'bare';
    if (kind !== null)
      files[`${folder}/package.json`] = JSON.stringify(kind === 'none' ? { name: 'x' } : { type: kind });
    files[`${folder}/${file}`] = text(name);
  }
  // A driver of two files, of which the second is loaded by the first.
  files['commonjs/two.ts'] = `import { two } from './second.ts';\nexport default two;\n`;
  files['commonjs/second.ts'] = `${typeScript('two').replace('export default', 'export const two =')}`;
  const drivers = Object.values(FORMS).map(([kind, file]) => `./${kind ?? 'bare'}/${file}`);
  const config = await write('good', files, [...drivers, './commonjs/two.ts']);
  const service: Served = await serve(['--config', config]);
  try {
    const headers = { 'X-OpenStack-Ironic-API-Version': '1.80', 'Content-Type': 'application/json' };
    for (const driver of [...Object.keys(FORMS), 'two']) {
      const body = JSON.stringify({ name: driver, driver });
      expect((await fetch(`${service.url}/v1/nodes`, { method: 'POST', headers, body })).status, driver).toBe(201);
      const called = await fetch(`${service.url}/v1/nodes/${driver}/vendor_passthru/light`, { headers });
      expect([called.status, await called.json()], driver).toEqual([200, { on: true }]);
    }
  } catch (error) {
    service.command.process.kill();
    throw error;
  }
  // Node warns of modules without a type, for example.
  expect((await service.stop()).stderr).not.toContain('Warning');
});

test('a module that cannot run stops the start with a line that says why and where, for every such module', async () => {
  const files = {
    'enum.ts': `${TS_IMPORT}\nenum Light { on }\n${typeScript('a').slice(TS_IMPORT.length)}`,
    'namespace.mts': `namespace N { export const a = 1; }\nexport default ${'{}'};\n`,
    'property.ts': 'export default class {\n  constructor(readonly a: string) {}\n}\n',
    'syntax.ts': 'export default {\n  name: ;\n};\n',
    'syntax.mjs': '\n\nexport default {\n  name: ;\n};\n',
    'import.cjs': javaScript('b'),
    'import.cts': typeScript('c'),
    'missing.ts': "import './nowhere.ts';\nexport default {};\n",
    'nothing.js': '',
  };
  const config = await write(
    'bad',
    files,
    Object.keys(files).map((file) => `./${file}`),
  );
  const { status, stderr } = await passthru(['serve', '--config', config]);
  expect(status).not.toBe(0);
  const line = (file: string) =>
    stderr.split('\n').find((each) => each.includes(`driver module ./${file}: `)) ?? stderr;
  const erasable = /Node runs TypeScript by erasing its types: replace enums, namespaces .*, or compile/;
  expect(line('enum.ts')).toMatch(/enum is not supported in strip-only mode \(enum\.ts:3\)/);
  expect(line('enum.ts')).toMatch(erasable);
  expect(line('namespace.mts')).toMatch(/\(namespace\.mts:1\)/);
  expect(line('namespace.mts')).toMatch(erasable);
  expect(line('property.ts')).toMatch(/\(property\.ts:2\)/);
  expect(line('property.ts')).toMatch(erasable);
  expect(line('syntax.ts')).toMatch(/\(syntax\.ts:2\)/);
  expect(line('syntax.mjs')).toMatch(/Unexpected token ';' \(syntax\.mjs:4\)/);
  for (const file of ['import.cjs', 'import.cts'])
    expect(line(file)).toMatch(/is CommonJS: use require and module.exports/);
  expect(line('missing.ts')).toMatch(/nowhere\.ts/);
  expect(line('nothing.js')).toMatch(/its default export must be a hardware type/);
});
