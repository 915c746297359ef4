// The bundle of the published package: a start loads a few dozen files in place of some 1,100, which is most of its time.
import { readdirSync, readFileSync } from 'node:fs';
import { isBuiltin } from 'node:module';
import { join } from 'node:path';
import { type ChunkingContext, defineConfig, type Plugin } from 'rolldown';

/** The programs and the public entries; everything that they share is in `dist/src/chunks/`. */
const ENTRIES = ['main.js', 'driver.ts', 'testing.ts', 'auth/bcryptWorker.ts', 'store/sqlite/checkpointWorker.ts'];

/**
 * What `passthru serve` loads, in layers, each of which takes what the ones above lack: a file each, since Node takes a millisecond
 * to find and link one. What others load as well is apart from the service: every command the first layer, clients the
 * second, and drivers and simulated BMCs the third.
 */
const LAYERS = {
  cache: ['process/compileCache.ts'],
  program: ['cli/program.ts'],
  client: ['cli/node.ts', 'cli/driver.ts', 'cli/job.ts', 'cli/events.ts', 'cli/context.ts'],
  schemas: ['driver.ts', 'testing.ts', 'cli/apply/applyNodes.ts'],
  service: ['cli/service/serve.ts', 'config/load.ts', 'observe/log.ts', 'service.ts', 'store/sqlite/sqlite.ts'],
};

export default defineConfig({
  input: Object.fromEntries(ENTRIES.map((file) => [file.replace(/\.[jt]s$/, ''), `src/${file}`])),
  platform: 'node',
  // Required by `includeDependenciesRecursively`.
  preserveEntrySignatures: 'allow-extension',
  // Loaded by pg if it is installed, which nothing here needs.
  external: ['pg-native'],
  plugins: [requireBuiltins(), licenses()],
  output: {
    dir: 'dist/src',
    format: 'esm',
    comments: { legal: true, annotation: false, jsdoc: false },
    entryFileNames: '[name].js',
    chunkFileNames: 'chunks/[name]-[hash].js',
    // What a module imports may belong to a layer above.
    codeSplitting: {
      groups: [{ name: layerOf, debugName: 'layers' }],
      includeDependenciesRecursively: false,
    },
  },
});

let layers: Map<string, string> | null = null;

/** Returns the layer of the module `id`; null when the service does not load it at its start. */
function layerOf(id: string, graph: ChunkingContext): string | null {
  layers ??= readLayers(graph);
  return layers.get(id) ?? null;
}

/** Returns the layer of each module that the service loads at its start. */
function readLayers(graph: ChunkingContext): Map<string, string> {
  const withImports = (files: readonly string[]) => {
    const modules = new Set(files.map((file) => join(import.meta.dirname, 'src', file)));
    for (const each of modules)
      for (const imported of graph.getModuleInfo(each)?.importedIds ?? []) modules.add(imported);
    return modules;
  };
  const found = new Map<string, string>();
  const started = withImports([...LAYERS.cache, ...LAYERS.program, ...LAYERS.service]);
  for (const [name, files] of Object.entries(LAYERS).toReversed()) {
    for (const id of withImports(files)) if (started.has(id)) found.set(id, name);
  }
  return found;
}

/**
 * Takes the modules of Node as `require` does. An import reads all their exports, of which some load much at the first read:
 * `node:http` the undici within Node, `node:util` and `node:fs` a dozen modules, together 45 ms of each start. The threads, which
 * need little of Node, import it, since what is made here belongs to the service.
 */
function requireBuiltins(): Plugin {
  const prefix = '\0builtin:';
  return {
    name: 'require-builtins',
    resolveId: (source, importer, { kind }) =>
      isBuiltin(source) && kind === 'import-statement' && !/Worker\.ts$/.test(importer ?? '') ? prefix + source : null,
    load(id) {
      if (!id.startsWith(prefix)) return null;
      const source = id.slice(prefix.length);
      const exported = Object.keys(process.getBuiltinModule(source) ?? {})
        .filter((name) => /^[A-Za-z]\w*$/.test(name) && name !== 'default')
        // Only what is imported is read.
        .map((name) => `export const ${name} = /* @__PURE__ */ _take('${name}');`);
      return [
        `const _builtin = process.getBuiltinModule('${source}');`,
        'const _take = (name) => _builtin[name];',
        'export default _builtin;',
        ...exported,
      ].join('\n');
    },
  };
}

/** Writes the licenses of the bundled packages, which all require that their text goes with each copy. */
function licenses(): Plugin {
  return {
    name: 'licenses',
    generateBundle() {
      const folders = new Set([...this.getModuleIds()].map(packageFolder).filter((folder) => folder !== null));
      const texts = [...folders].sort().map(licenseText);
      this.emitFile({ type: 'asset', fileName: 'LICENSES.txt', source: texts.join(`\n${'-'.repeat(80)}\n\n`) });
    },
  };
}

/** Returns the folder of the npm package that `id`, the path of a module, belongs to; null for one of this package. */
function packageFolder(id: string): string | null {
  return /^.*\/node_modules\/(?:@[^/]+\/)?[^/]+(?=\/)/.exec(id)?.[0] ?? null;
}

function licenseText(folder: string): string {
  const { name, version, license } = JSON.parse(readFileSync(join(folder, 'package.json'), 'utf8'));
  const files = readdirSync(folder);
  const read = (file: string) => readFileSync(join(folder, file), 'utf8');
  const own = files.find((file) => /^licen[cs]e/i.test(file));
  const readme = files.find((file) => /^readme/i.test(file));
  const text =
    own === undefined
      ? // Otherwise a section of the README, or a license whose text is not part of the package: Apache-2.0, in LICENSE.
        /^#+ *licen[cs]e.*\n([\s\S]*)$/im.exec(readme === undefined ? '' : read(readme))?.[1]
      : read(own);
  return `${name} ${version} (${license})\n${text === undefined ? '' : `\n${text.trim()}\n`}`;
}
