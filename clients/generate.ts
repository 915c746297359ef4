// Generates the code of the clients from proto/, or checks that it is fresh:
// npx node clients/generate.ts [--check] [LANGUAGE...]
import { execFile } from 'node:child_process';
import { cpSync, existsSync, mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { delimiter, join } from 'node:path';
import { promisify } from 'node:util';
import { parse } from 'yaml';
import { CLIENTS, installPlugins, LANGUAGES, type Language, pluginFolder } from './plugins.ts';

const run = promisify(execFile);
const ROOT = join(CLIENTS, '..');

/** The folders of generated code, as paths from the project's root. */
const GENERATED: Record<Language, string> = {
  go: 'clients/go/passthru',
  python: 'clients/python/passthru/v1',
  java: 'clients/java/target/generated-sources/protobuf',
  rust: 'clients/rust/src/gen',
  typescript: 'clients/typescript/src/gen',
};

/** Generates the code of `languages` and replaces the existing code. */
export async function generate(languages: readonly Language[]): Promise<void> {
  await withGenerated(languages, (folder) => {
    for (const language of languages) {
      const path = GENERATED[language];
      rmSync(join(ROOT, path), { recursive: true, force: true });
      cpSync(join(folder, path), join(ROOT, path), { recursive: true });
    }
  });
}

/**
 * Returns one line for each generated file of `languages` that is stale, missing or left over. Skips Java, whose code
 * is not committed.
 */
export async function findStaleClients(languages: readonly Language[]): Promise<string[]> {
  const committed = languages.filter((language) => language !== 'java');
  return withGenerated(committed, (folder) =>
    committed.map((language) => GENERATED[language]).flatMap((path) => compare(folder, path)),
  );
}

/** Generates into a temporary folder, under the paths of the template, and calls `use` with that folder. */
async function withGenerated<T>(languages: readonly Language[], use: (folder: string) => T): Promise<T> {
  const folder = mkdtempSync(join(tmpdir(), 'passthru-clients-'));
  try {
    for (const language of languages) await installPlugins(language);
    const template = parse(readFileSync(join(CLIENTS, 'buf.gen.yaml'), 'utf8'));
    template.plugins = template.plugins.filter(({ out }: { out: string }) =>
      languages.some((language) => out.startsWith(`clients/${language}/`) || out === `clients/${language}`),
    );
    const buf = join(ROOT, 'node_modules/@bufbuild/buf/bin/buf');
    await run(process.execPath, [buf, 'generate', '--template', JSON.stringify(template), '--output', folder], {
      cwd: ROOT,
      env: { ...process.env, PATH: [...languages.map(pluginFolder), process.env.PATH].join(delimiter) },
    });
    return use(folder);
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

function compare(folder: string, path: string): string[] {
  const fresh = readTree(join(folder, path));
  const committed = readTree(join(ROOT, path));
  return [...new Set([...fresh.keys(), ...committed.keys()])].sort().flatMap((name) => {
    if (!committed.has(name)) return [`missing: ${path}/${name}`];
    if (!fresh.has(name)) return [`left over: ${path}/${name}`];
    return fresh.get(name) === committed.get(name) ? [] : [`stale: ${path}/${name}`];
  });
}

function readTree(folder: string): Map<string, string> {
  const files = new Map<string, string>();
  if (!existsSync(folder)) return files;
  for (const entry of readdirSync(folder, { recursive: true, withFileTypes: true })) {
    // Running the Python code leaves .pyc files.
    if (!entry.isFile() || entry.name.endsWith('.pyc')) continue;
    const path = join(entry.parentPath, entry.name);
    files.set(path.slice(folder.length + 1), readFileSync(path, 'utf8'));
  }
  return files;
}

if (import.meta.main) {
  const names = process.argv.slice(2).filter((word) => word !== '--check');
  const unknown = names.filter((name) => !LANGUAGES.includes(name as Language));
  if (unknown.length > 0) throw new Error(`unknown language ${unknown.join(', ')}; allowed: ${LANGUAGES.join(', ')}`);
  const languages = names.length > 0 ? (names as Language[]) : LANGUAGES;
  if (process.argv.includes('--check')) {
    const stale = await findStaleClients(languages);
    for (const line of stale) console.error(line);
    if (stale.length > 0) {
      console.error('Run npx node clients/generate.ts and commit clients/.');
      process.exitCode = 1;
    }
  } else {
    await generate(languages);
  }
}
