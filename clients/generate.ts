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

/** What is wholly generated, as paths from the project's root. */
const GENERATED: Record<Language, string> = {
  go: 'clients/go/passthru',
  python: 'clients/python/passthru/v1',
  java: 'clients/java/target/generated-sources/protobuf',
  rust: 'clients/rust/src/gen',
  typescript: 'clients/typescript/src/gen',
};

/** Generates the code of `languages` from proto/ and puts it in the place of what was there. */
export async function generate(languages: readonly Language[]): Promise<void> {
  await withGenerated(languages, (folder) => {
    for (const language of languages) {
      const place = GENERATED[language];
      rmSync(join(ROOT, place), { recursive: true, force: true });
      cpSync(join(folder, place), join(ROOT, place), { recursive: true });
    }
  });
}

/**
 * One line for each file of the generated code of `languages` that differs from what proto/ makes of it now, is missing
 * or is left over; empty when all is fresh. Java has none: its code is not committed.
 */
export async function findStaleClients(languages: readonly Language[]): Promise<string[]> {
  const committed = languages.filter((language) => language !== 'java');
  return withGenerated(committed, (folder) =>
    committed.map((language) => GENERATED[language]).flatMap((place) => compare(folder, place)),
  );
}

/** Calls `use` with a folder in which the template's output lies under the paths that it names. */
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

function compare(folder: string, place: string): string[] {
  const fresh = readTree(join(folder, place));
  const kept = readTree(join(ROOT, place));
  return [...new Set([...fresh.keys(), ...kept.keys()])].sort().flatMap((name) => {
    if (!kept.has(name)) return [`missing: ${place}/${name}`];
    if (!fresh.has(name)) return [`left over: ${place}/${name}`];
    return fresh.get(name) === kept.get(name) ? [] : [`stale: ${place}/${name}`];
  });
}

function readTree(folder: string): Map<string, string> {
  const files = new Map<string, string>();
  if (!existsSync(folder)) return files;
  for (const entry of readdirSync(folder, { recursive: true, withFileTypes: true })) {
    // What running the code leaves behind is nobody's source.
    if (!entry.isFile() || entry.name.endsWith('.pyc')) continue;
    const path = join(entry.parentPath, entry.name);
    files.set(path.slice(folder.length + 1), readFileSync(path, 'utf8'));
  }
  return files;
}

if (import.meta.main) {
  const words = process.argv.slice(2).filter((word) => word !== '--check');
  const unknown = words.filter((word) => !LANGUAGES.includes(word as Language));
  if (unknown.length > 0) throw new Error(`No client for ${unknown.join(', ')}; there are ${LANGUAGES.join(', ')}`);
  const languages = words.length > 0 ? (words as Language[]) : LANGUAGES;
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
