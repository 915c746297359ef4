#!/usr/bin/env node
// JavaScript, and without static imports, so that an older Node gets as far as being told what is needed.
const needed = 24;
if (Number(process.versions.node.split('.')[0]) >= needed) {
  if (!import.meta.url.includes('/dist/')) {
    // Run from source: with what Node made of the files kept, the next start needs neither the time nor the memory (about
    // 20 MB) to make it again. Not in the system's temporary folder, where another user could have put something else.
    const [{ enableCompileCache }, { fileURLToPath }] = await Promise.all([import('node:module'), import('node:url')]);
    enableCompileCache(fileURLToPath(new URL('../node_modules/.cache/passthru', import.meta.url)));
  }
  const { runCommand } = await import('./cli/program.ts');
  process.exitCode = await runCommand(process.argv.slice(2));
} else {
  console.error(`passthru needs Node.js ${needed} or newer; this is ${process.versions.node} (${process.execPath})`);
  process.exitCode = 1;
}
