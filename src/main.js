#!/usr/bin/env node
// JavaScript without static imports, so that an older Node can report the required version.
const required = 24;
if (Number(process.versions.node.split('.')[0]) >= required) {
  const { cacheCompiledCode, keepCompiledCode } = await import('./process/compileCache.ts');
  cacheCompiledCode(new URL('.', import.meta.url));
  const { runCommand } = await import('./cli/program.ts');
  process.exitCode = await runCommand(process.argv.slice(2));
  keepCompiledCode();
} else {
  console.error(
    `passthru requires Node.js ${required} or newer; this is ${process.versions.node} (${process.execPath})`,
  );
  process.exitCode = 1;
}
