// The scripts of the bundled package, with their compiled code kept between runs.
import { readFileSync, renameSync, writeFileSync } from 'node:fs';
import { createRequire, getCompileCacheDir } from 'node:module';
import { basename, dirname, join } from 'node:path';
import { Script } from 'node:vm';
import { crc32 } from 'node:zlib';

/** How many runs add to the compiled code of a script what they were the first to run: a check, say, and then a start. */
const RUNS = 3;

/** What CommonJS gives a module, and `import()`, which does not work in a script. */
const PARAMETERS = 'exports, require, module, __filename, __dirname, importModule';

/** Of a file with compiled code: the CRC-32 of what follows, and the number of runs. */
const HEADER_BYTES = 8;

type Exports = Record<string, unknown>;

/** A script whose compiled code is still to be written. */
interface Unkept {
  script: Script;
  file: string;
  /** The runs that the file is of already. */
  runs: number;
}

const loaded = new Map<string, { exports: Exports }>();
let unkept: Unkept[] = [];

/**
 * Returns the exports of the script at `path`, a CommonJS module of the bundle, which it runs when it is first wanted. Unlike
 * the compile cache of Node, which stores a module before it runs and so without any function that is not compiled by then, this one has
 * the functions that earlier runs used: a start would otherwise compile 2,000.
 */
export function loadScript(path: string): Exports {
  const found = loaded.get(path);
  if (found !== undefined) return found.exports;
  const run = compile(path).runInThisContext();
  const module: { exports: Exports } = { exports: {} };
  // Before it runs: scripts may need each other.
  loaded.set(path, module);
  const requireFromNode = createRequire(path);
  const require = (id: string) => (id.startsWith('.') ? loadScript(join(dirname(path), id)) : requireFromNode(id));
  const importModule = (specifier: string) => import(specifier);
  run.call(module.exports, module.exports, require, module, path, dirname(path), importModule);
  return module.exports;
}

/** Writes the compiled code of what has run, where an earlier run has not; does nothing without a folder for it. */
export function keepScripts(): void {
  for (const { script, file, runs } of unkept) {
    const code = script.createCachedData();
    const header = Buffer.alloc(HEADER_BYTES);
    header.writeUInt32LE(crc32(code));
    header.writeUInt32LE(runs + 1, 4);
    try {
      const draft = `${file}.${process.pid}`;
      writeFileSync(draft, Buffer.concat([header, code]), { mode: 0o600 });
      renameSync(draft, file);
    } catch {
      // The next run compiles again.
    }
  }
  unkept = [];
}

function compile(path: string): Script {
  // The build leaves nothing but ASCII, which Node reads faster as latin1, and keeps outside the heap. Strict as the modules were.
  const text = readFileSync(path, 'latin1');
  const source = `(function (${PARAMETERS}) { 'use strict'; ${text}\n})`;
  // Of this version of Node and V8, its flags and the user.
  const folder = getCompileCacheDir();
  if (folder === undefined) return new Script(source, { filename: path });
  // The name of a script has the hash of its content.
  const file = join(folder, basename(path));
  const kept = readCode(file);
  const script = new Script(source, { filename: path, cachedData: kept?.code });
  const runs = kept === null || script.cachedDataRejected ? 0 : kept.runs;
  if (runs < RUNS) unkept.push({ script, file, runs });
  return script;
}

/** Reads compiled code; returns null when there is none, or what is there is damaged, which V8 does not notice. */
function readCode(file: string): { code: Buffer; runs: number } | null {
  try {
    const content = readFileSync(file);
    const code = content.subarray(HEADER_BYTES);
    return content.readUInt32LE() === crc32(code) ? { code, runs: content.readUInt32LE(4) } : null;
  } catch {
    return null;
  }
}
