import { execFileSync } from 'node:child_process';
import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterEach, beforeEach, expect, test } from 'vitest';

const LOADER = fileURLToPath(new URL('../../src/process/scripts.ts', import.meta.url));

let folder: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'passthru-scripts-'));
  writeFileSync(join(folder, 'names.cjs'), 'exports.first = function first() { return "one"; };');
  writeFileSync(
    join(folder, 'main.cjs'),
    `const names = require('./names.cjs');
     exports.path = () => require('node:path').basename(__filename);
     exports.again = () => require('./names.cjs') === names;
     exports.strictly = () => (function () { return this === undefined; })();
     exports.imported = async () => (await importModule('node:path')).sep;
     exports.one = function one() { return names.first(); };
     exports.two = function two() { return 'two'; };
     exports.three = function three() { return 'three'; };
     exports.four = function four() { return 'four'; };`,
  );
});
afterEach(() => rmSync(folder, { recursive: true }));

/** Calls exports of main.cjs in a process of its own; returns what they return, and which functions V8 had to compile. */
function run(...calls: string[]) {
  const program = `
    const { loadScript, keepScripts } = await import(${JSON.stringify(LOADER)});
    const main = loadScript(${JSON.stringify(join(folder, 'main.cjs'))});
    console.log(JSON.stringify(await Promise.all(${JSON.stringify(calls)}.map((name) => main[name]()))));
    keepScripts();`;
  const log = join(folder, 'v8.log');
  const flags = ['--log-function-events', `--logfile=${log}`, '--no-logfile-per-isolate', '--input-type=module'];
  const env = { PATH: process.env.PATH, NODE_COMPILE_CACHE: join(folder, 'cache') };
  const output = execFileSync(process.execPath, [...flags, '-e', program], { env, encoding: 'utf8' });
  const compiled = [...readFileSync(log, 'utf8').matchAll(/^function,parse-function,.*,(first|one|two|three|four)$/gm)];
  return { returned: JSON.parse(output), compiled: compiled.map(([, name]) => name).sort() };
}

/** Returns the path of the kept code of `script`. */
function kept(script: string): string {
  const [versions] = readdirSync(join(folder, 'cache'));
  return join(folder, 'cache', versions!, script);
}

test('a script has what CommonJS gives it, imports modules, runs once, and is strict', () => {
  expect(run('one', 'path', 'again').returned).toEqual(['one', 'main.cjs', true]);
  expect(run('imported').returned).toEqual(['/']);
  expect(run('strictly').returned).toEqual([true]);
});

test('functions that an earlier run used are not compiled again', () => {
  expect(run('one')).toEqual({ returned: ['one'], compiled: ['first', 'one'] });
  expect(run('one', 'two')).toEqual({ returned: ['one', 'two'], compiled: ['two'] });
  expect(run('one', 'two', 'three')).toEqual({ returned: ['one', 'two', 'three'], compiled: ['three'] });
  expect(run('one', 'two', 'three').compiled).toEqual([]);
  // Only three runs write.
  expect(run('four').compiled).toEqual(['four']);
  expect(run('four').compiled).toEqual(['four']);
});

test('damaged code is not used, and written anew', () => {
  run('one');
  for (const script of ['main.cjs', 'names.cjs']) {
    const content = readFileSync(kept(script));
    content.fill(0xff, content.length >> 1);
    writeFileSync(kept(script), script === 'main.cjs' ? content : content.subarray(0, 3));
  }
  expect(run('one')).toEqual({ returned: ['one'], compiled: ['first', 'one'] });
  expect(run('one').compiled).toEqual([]);
});

test('where nothing can be kept, scripts run all the same', () => {
  writeFileSync(join(folder, 'cache'), '');
  expect(run('one').returned).toEqual(['one']);
});
