// Builds the console into web/dist: the files that the service serves, with a compressed copy beside each that gains by it.
// `npm ci` runs it with --if-possible: where the development packages are missing there is nothing to build with.
import { readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { gzipSync } from 'node:zlib';

const root = fileURLToPath(new URL('.', import.meta.url));
const outDir = join(root, 'dist');
// Whoever builds: React has another build for development, which is larger and slower.
process.env.NODE_ENV = 'production';
const ifPossible = process.argv.includes('--if-possible');

/** Returns Vite and its React plugin; null when they are not installed and need not be. */
async function loadTools() {
  try {
    return await Promise.all([import('vite'), import('@vitejs/plugin-react')]);
  } catch (error) {
    if (ifPossible && error.code === 'ERR_MODULE_NOT_FOUND') return null;
    throw error;
  }
}

const tools = await loadTools();
if (tools === null) {
  console.log('The console is not built: the development packages are not installed.');
} else {
  const [{ build }, { default: react }] = tools;
  await build({
    root,
    configFile: false,
    logLevel: 'warn',
    // Where the service serves the page (src/console/console.ts).
    base: '/console/',
    plugins: [react()],
    build: {
      outDir,
      emptyOutDir: true,
      target: 'es2023',
      // No data: URLs, which the page's Content-Security-Policy refuses.
      assetsInlineLimit: 0,
      modulePreload: { polyfill: false },
      chunkSizeWarningLimit: 1000,
    },
  });
  for (const entry of readdirSync(outDir, { recursive: true, withFileTypes: true })) {
    if (!entry.isFile() || entry.name.endsWith('.gz')) continue;
    const path = join(entry.parentPath, entry.name);
    const content = readFileSync(path);
    const compressed = gzipSync(content, { level: 9 });
    if (compressed.length < content.length) writeFileSync(`${path}.gz`, compressed);
  }
}
