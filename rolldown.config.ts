// The bundle of the published package: a start loads a few dozen files in place of some 1,100, which is most of its time.
import { readdirSync, readFileSync } from 'node:fs';
import { isBuiltin } from 'node:module';
import { join } from 'node:path';
import { type ChunkingContext, defineConfig, type Plugin } from 'rolldown';
import { parseSync } from 'rolldown/utils';

/** The modules that users and Node name, and the file of each. What they share is in scripts, in `dist/src/chunks/`. */
const ENTRIES = { program: 'cli/program.ts', driver: 'driver.ts', testing: 'testing.ts' };

/** Modules that are not in scripts: what loads these, and the threads. */
const MODULES = ['main.js', 'process/compileCache.ts', 'auth/bcryptWorker.ts', 'store/sqlite/checkpointWorker.ts'];

/**
 * What `passthru serve` loads, in layers, each of which takes what the ones above lack: a file each, since it takes time
 * to find and link one. What others load as well is apart from the service: every command the first layer, clients the
 * second, and drivers and simulated BMCs the third.
 */
const LAYERS = {
  program: ['cli/program.ts'],
  client: ['cli/node.ts', 'cli/driver.ts', 'cli/job.ts', 'cli/events.ts', 'cli/context.ts'],
  schemas: ['driver.ts', 'testing.ts', 'cli/apply/applyNodes.ts'],
  service: ['cli/service/serve.ts', 'config/load.ts', 'observe/log.ts', 'service.ts', 'store/sqlite/sqlite.ts'],
};

/** Modules of zod that only its object `z` needs, for drivers: 340 kB of languages. The service takes what it uses from the others. */
const NAMESPACE_OF_ZOD = /\/zod\/(?:index|v4\/(?:classic\/external|core\/index)|v4\/locales\/(?!en\.).*)\.js$/;

const comments = { legal: true, annotation: false, jsdoc: false };

export default defineConfig([
  // Each by itself: another file that they share would be one more to load.
  ...MODULES.map((file) => ({
    input: { [file.replace(/\.[jt]s$/, '')]: `src/${file}` },
    platform: 'node' as const,
    // What `main.js` imports when it runs is built apart.
    external: (id: string) => file === 'main.js' && id.endsWith('.ts'),
    plugins: [requireBuiltins()],
    output: {
      dir: 'dist/src',
      format: 'esm' as const,
      comments,
      paths: (id: string) => id.replace(join(import.meta.dirname, 'src'), '.').replace(/\.ts$/, '.js'),
    },
  })),
  {
    input: Object.fromEntries(Object.entries(ENTRIES).map(([name, file]) => [name, `src/${file}`])),
    platform: 'node',
    // Required by `includeDependenciesRecursively`.
    preserveEntrySignatures: 'allow-extension',
    // Loaded by pg if it is installed, which nothing here needs.
    external: ['pg-native'],
    plugins: [requireBuiltins(), importByModule(), asciiOnly(), entries(), licenses()],
    output: {
      dir: 'dist/src',
      // Scripts, whose compiled code can be kept after they have run: see src/process/scripts.ts.
      format: 'cjs',
      comments,
      entryFileNames: 'chunks/[name]-[hash].cjs',
      chunkFileNames: 'chunks/[name]-[hash].cjs',
      // What a module imports may belong to a layer above.
      codeSplitting: {
        groups: [{ name: layerOf, debugName: 'layers' }],
        includeDependenciesRecursively: false,
      },
    },
  },
]);

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
  const started = withImports([...LAYERS.program, ...LAYERS.service]);
  for (const [name, files] of Object.entries(LAYERS).toReversed()) {
    for (const id of withImports(files)) if (started.has(id) && !NAMESPACE_OF_ZOD.test(id)) found.set(id, name);
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
      isBuiltin(source) && kind === 'import-statement' && !/Worker\.ts$|^\0rolldown/.test(importer ?? '')
        ? prefix + source
        : null,
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

/** Has scripts import modules, such as those of drivers, by a function that `loadScript` gives them: `import()` does not work in a script. */
function importByModule(): Plugin {
  return {
    name: 'import-by-module',
    renderChunk(code, { fileName }) {
      const starts = parseSync(fileName, code).module.dynamicImports.map(({ start }) => start);
      return starts.reduceRight(
        (text, start) => `${text.slice(0, start)}importModule${text.slice(start + 'import'.length)}`,
        code,
      );
    },
  };
}

/** Escapes what is not ASCII, so that V8 keeps a script in one byte a character. */
function asciiOnly(): Plugin {
  const escaped = (unit: string) => `\\u${unit.charCodeAt(0).toString(16).padStart(4, '0')}`;
  return {
    name: 'ascii-only',
    // Not when chunks are rendered: they are printed once more after that.
    generateBundle(_options, bundle) {
      for (const chunk of Object.values(bundle)) {
        if (chunk.type === 'chunk') chunk.code = chunk.code.replace(/[^\0-\x7f]/g, escaped);
      }
    },
  };
}

/** Writes a module for each entry, which exports what its script does. */
function entries(): Plugin {
  return {
    name: 'entries',
    generateBundle(_options, bundle) {
      for (const chunk of Object.values(bundle)) {
        if (chunk.type !== 'chunk' || !chunk.isEntry) continue;
        const fileName = ENTRIES[chunk.name as keyof typeof ENTRIES].replace(/\.ts$/, '.js');
        const root = fileName.includes('/') ? '../' : './';
        const { exports: own } = this.getModuleInfo(chunk.facadeModuleId!)!;
        // A chunk also exports what other chunks need of it.
        const names = own.includes('*') ? chunk.exports : own;
        const source = [
          `import { fileURLToPath } from 'node:url';`,
          `import { loadScript } from '${root}process/compileCache.js';`,
          `const script = fileURLToPath(new URL('${root}${chunk.fileName}', import.meta.url));`,
          `export const { ${names.join(', ')} } = loadScript(script);`,
        ];
        this.emitFile({ type: 'asset', fileName, source: `${source.join('\n')}\n` });
      }
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
