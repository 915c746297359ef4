// The bundle of the published package: a start loads a few dozen files in place of some 1,100, which is most of its time.
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { defineConfig, type Plugin } from 'rolldown';

/** The programs and the public entries; everything that they share is in `dist/src/chunks/`. */
const ENTRIES = ['main.js', 'driver.ts', 'testing.ts', 'auth/bcryptWorker.ts'];

export default defineConfig({
  input: Object.fromEntries(ENTRIES.map((file) => [file.replace(/\.[jt]s$/, ''), `src/${file}`])),
  platform: 'node',
  // Loaded by pg if it is installed, which nothing here needs.
  external: ['pg-native'],
  plugins: [licenses()],
  output: {
    dir: 'dist/src',
    format: 'esm',
    comments: { legal: true, annotation: false, jsdoc: false },
    entryFileNames: '[name].js',
    chunkFileNames: 'chunks/[name]-[hash].js',
  },
});

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
