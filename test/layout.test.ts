import { readdirSync, readFileSync } from 'node:fs';
import { dirname, join, relative, resolve } from 'node:path';
import { describe, expect, test } from 'vitest';

/**
 * The folders of src/ by floor, from the lowest. A file may import from its own folder and from lower floors only; folders
 * on the same floor do not import each other. `docs/architecture.md` describes each folder.
 */
const FLOORS: readonly (readonly string[])[] = [
  ['core'],
  ['net', 'store', 'redfish', 'contract', 'sim', 'process'],
  ['config', 'drivers'],
  ['http', 'auth'],
  ['edge', 'events'],
  ['console', 'observe', 'rest', 'rpc'],
  ['service.ts', 'driver.ts', 'testing.ts'],
  ['cli', 'demo'],
  ['main.js'],
];

/** The maximum length of a file in lines. */
const MAX_LINES = 400;

const SRC = resolve(import.meta.dirname, '../src');

/** Module specifiers of static imports, re-exports, dynamic imports and of modules named by URL. */
const SPECIFIER =
  /(?:^|\n)\s*(?:import|export)\b[^;'"]*?\bfrom\s*'(\.[^']+)'|(?:^|\n)\s*import\s*'(\.[^']+)'|\bimport\(\s*'(\.[^']+)'\s*\)|new URL\(\s*'(\.[^']+\.[tj]s)'/g;

/** Returns the files of src/ by their paths relative to it, each with the paths that it imports. */
function readImports(): Map<string, string[]> {
  const files = (readdirSync(SRC, { recursive: true }) as string[]).filter((file) => /\.[tj]s$/.test(file));
  return new Map(
    files.map((file) => {
      const text = readFileSync(join(SRC, file), 'utf8');
      const imported = [...text.matchAll(SPECIFIER)].map(
        (match) => match.slice(1).find((group) => group !== undefined)!,
      );
      return [file, imported.map((path) => relative(SRC, resolve(SRC, dirname(file), path)))];
    }),
  );
}

function folderOf(file: string): string {
  return file.split('/')[0]!;
}

function floorOf(file: string): number {
  return FLOORS.findIndex((folders) => folders.includes(folderOf(file)));
}

/** Returns the imports that break the order of the floors, as `importer -> imported`. */
function findUpwardImports(imports: ReadonlyMap<string, readonly string[]>): string[] {
  return [...imports].flatMap(([file, targets]) =>
    targets
      .filter((target) => !target.startsWith('..'))
      .filter((target) => folderOf(target) !== folderOf(file) && floorOf(target) >= floorOf(file))
      .map((target) => `${file} -> ${target}`),
  );
}

/** Returns the import cycles (Tarjan's strongly connected components), each sorted. */
function findCycles(imports: ReadonlyMap<string, readonly string[]>): string[][] {
  const indexes = new Map<string, number>();
  const lows = new Map<string, number>();
  const stack: string[] = [];
  const cycles: string[][] = [];
  const visit = (file: string) => {
    const index = indexes.size;
    indexes.set(file, index);
    lows.set(file, index);
    stack.push(file);
    for (const target of imports.get(file) ?? []) {
      if (!imports.has(target)) continue;
      if (!indexes.has(target)) visit(target);
      if (stack.includes(target)) lows.set(file, Math.min(lows.get(file)!, lows.get(target)!));
    }
    if (lows.get(file) !== index) return;
    const cycle = stack.splice(stack.indexOf(file));
    if (cycle.length > 1 || imports.get(file)?.includes(file)) cycles.push(cycle.sort());
  };
  for (const file of imports.keys()) if (!indexes.has(file)) visit(file);
  return cycles;
}

describe('the layout of src/', () => {
  const imports = readImports();

  test('assigns every folder to a floor, and finds the imports', () => {
    expect([...imports.keys()].filter((file) => floorOf(file) === -1)).toEqual([]);
    for (const [file, targets] of imports) {
      for (const target of targets) {
        if (!target.startsWith('..')) expect(imports.has(target), `${file} imports ${target}`).toBe(true);
      }
    }
    // A pattern that no longer matches would let everything pass.
    expect([...imports.values()].flat().length).toBeGreaterThan(imports.size);
  });

  test('has no import that runs upward or between folders of one floor', () => {
    expect(findUpwardImports(imports)).toEqual([]);
  });

  test('has no import cycle', () => {
    expect(findCycles(imports)).toEqual([]);
  });

  test('says in the first line of a file of each folder what the folder is for', () => {
    const files = [...imports.keys()];
    const introduced = files.filter((file) => readFileSync(join(SRC, file), 'utf8').startsWith('// ')).map(dirname);
    expect(files.map(dirname).filter((folder) => !introduced.includes(folder))).toEqual([]);
  });

  test(`has no file of more than ${MAX_LINES} lines`, () => {
    const long = [...imports.keys()]
      .map((file) => ({ file, lines: readFileSync(join(SRC, file), 'utf8').split('\n').length - 1 }))
      .filter(({ lines }) => lines > MAX_LINES);
    expect(long).toEqual([]);
  });
});

describe('the checks themselves', () => {
  test('find imports that run upward or along a floor, and accept those that run downward', () => {
    const imports = new Map([
      ['core/node.ts', ['store/rows.ts']],
      ['rest/handler.ts', ['rpc/handler.ts', 'core/node.ts', 'rest/routes.ts']],
    ]);
    expect(findUpwardImports(imports)).toEqual(['core/node.ts -> store/rows.ts', 'rest/handler.ts -> rpc/handler.ts']);
  });

  test('find cycles of two and three files, and a file that imports itself', () => {
    const imports = new Map([
      ['a', ['b', 'e']],
      ['b', ['c']],
      ['c', ['a']],
      ['d', ['d']],
      ['e', ['f']],
      ['f', ['e']],
      ['g', ['a']],
    ]);
    expect(findCycles(imports).sort()).toEqual([['a', 'b', 'c'], ['d'], ['e', 'f']]);
  });
});
