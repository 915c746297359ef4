#!/usr/bin/env node
// JavaScript without static imports, so that an older Node can report the required version.
const required = 24;
if (Number(process.versions.node.split('.')[0]) >= required) {
  if (!import.meta.url.includes('/dist/')) {
    // Run from source: the compile cache saves time and about 20 MB at the next start. It is not in the system's temporary
    // directory, where another user could plant files.
    const [{ enableCompileCache }, { fileURLToPath }] = await Promise.all([import('node:module'), import('node:url')]);
    enableCompileCache(fileURLToPath(new URL('../node_modules/.cache/passthru', import.meta.url)));
  }
  const { runCommand } = await import('./cli/program.ts');
  process.exitCode = await runCommand(process.argv.slice(2));
} else {
  console.error(
    `passthru requires Node.js ${required} or newer; this is ${process.versions.node} (${process.execPath})`,
  );
  process.exitCode = 1;
}
