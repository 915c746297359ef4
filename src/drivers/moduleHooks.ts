// How Node loads driver modules: which copy of `passthru/driver` they get, and as which kind of module their files run.
import { readFileSync } from 'node:fs';
import { type LoadHookSync, registerHooks } from 'node:module';
import { fileURLToPath } from 'node:url';
import { compileFunction } from 'node:vm';

/** The public entry: the source, or the build. */
const ENTRY = new URL(import.meta.url.endsWith('.ts') ? '../driver.ts' : '../driver.js', import.meta.url).href;

let hooked = false;

/** Prepares the process for driver modules, for its whole life, as a driver may import more modules later. */
export function hookDriverModules(): void {
  if (hooked) return;
  hooked = true;
  registerHooks({
    resolve: (specifier, from, next) =>
      specifier === 'passthru/driver' ? { url: ENTRY, shortCircuit: true } : next(specifier, from),
    load: loadByContent,
  });
}

/**
 * Loads a `.ts` or `.js` file with `import` or `export` statements as an ES module, whatever the `type` of the package.json
 * above it: `npm init` writes `"type": "commonjs"`, with which Node would refuse these statements.
 */
const loadByContent: LoadHookSync = (url, context, next) => {
  const extension = /^file:.*\.(ts|js)$/.exec(url)?.[1];
  if (extension === undefined || context.format?.startsWith('module') || url.includes('/node_modules/')) {
    return next(url, context);
  }
  let source: string;
  try {
    source = readFileSync(fileURLToPath(url), 'utf8');
  } catch {
    return next(url, context);
  }
  if (extension === 'ts')
    return isTypeScriptModule(source) ? next(url, { ...context, format: 'module-typescript' }) : next(url, context);
  return isModule(source) ? next(url, { ...context, format: 'module' }) : next(url, context);
};

/** Whether JavaScript can only be an ES module. */
function isModule(source: string): boolean {
  try {
    compileFunction(source, ['exports', 'require', 'module', '__filename', '__dirname']);
    return false;
  } catch (error) {
    return /import statement outside a module|Unexpected token 'export'|'import.meta' outside a module/.test(
      String(error),
    );
  }
}

/** An `import` or `export` statement that remains when types are erased; not `import()`, `import.meta` or `import x = …`. */
const STATEMENT =
  /^[ \t]*(?:import\b\s*(?!\s|[(.:,=]|type\s+(?!from\b)|\w+\s*=)|export\b\s*(?!\s|[.:,=]|(?:type|interface|declare)\b))/m;

/** Whether TypeScript can only be an ES module. Its types would have to be erased to know; this looks at its lines. */
function isTypeScriptModule(source: string): boolean {
  return STATEMENT.test(source) && !/\bmodule\.exports\b/.test(source);
}
