// Packs the clients into a folder from which projects outside a checkout install them, as each README says:
//   npx node clients/pack.ts FOLDER [LANGUAGE...]
import { execFile } from 'node:child_process';
import { copyFileSync, cpSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { basename, join, resolve } from 'node:path';
import { argv } from 'node:process';
import { promisify } from 'node:util';
import { generate } from './generate.ts';
import { CLIENTS, cacheFolder, installPlugins, LANGUAGES, type Language, pluginFolder } from './plugins.ts';

const run = promisify(execFile);
const ROOT = join(CLIENTS, '..');

/** The version of the clients, which is that of the service. */
export const VERSION: string = JSON.parse(readFileSync(join(ROOT, 'package.json'), 'utf8')).version;

/** Where cargo builds, so that a build is not repeated. */
export const RUST_TARGET = join(cacheFolder(), 'rust-target');

/** Each packs the client of a language into the folder of that name below `folder`. */
export const PACKS: Record<Language, (folder: string) => Promise<void>> = {
  // What a module proxy serves: https://go.dev/ref/mod#goproxy-protocol
  async go(folder) {
    const { module, zip } = await zipGoModule();
    const versions = join(folder, 'go', module, '@v');
    mkdirSync(versions, { recursive: true });
    copyFileSync(join(CLIENTS, 'go', 'go.mod'), join(versions, `v${VERSION}.mod`));
    writeFileSync(join(versions, `v${VERSION}.zip`), zip);
    writeFileSync(join(versions, `v${VERSION}.info`), JSON.stringify({ Version: `v${VERSION}` }));
    writeFileSync(join(versions, 'list'), `v${VERSION}\n`);
  },
  async python(folder) {
    await installPlugins('python');
    const out = join(folder, 'python');
    const options = ['--quiet', '--disable-pip-version-check', '--no-deps', '--no-build-isolation', '--no-index'];
    // A copy, as setuptools writes beside the source.
    await withCopy('python', ['build', '.venv', 'passthru_client.egg-info'], (source) =>
      run(join(pluginFolder('python'), 'python'), ['-m', 'pip', 'wheel', ...options, '--wheel-dir', out, source]),
    );
  },
  async java(folder) {
    await generate(['java']);
    const repository = `-DaltDeploymentRepository=release::file://${join(folder, 'java')}`;
    await run('mvn', ['-B', '-q', '-f', join(CLIENTS, 'java'), 'deploy', repository]);
  },
  async rust(folder) {
    const target = mkdtempSync(join(tmpdir(), 'passthru-crate-'));
    const options = ['--quiet', '--no-verify', '--allow-dirty', '--target-dir', target];
    await run('cargo', ['package', ...options], { cwd: join(CLIENTS, 'rust') });
    const out = join(folder, 'rust');
    mkdirSync(out, { recursive: true });
    await run('tar', ['-xzf', join(target, 'package', `passthru-client-${VERSION}.crate`), '-C', out]);
    rmSync(target, { recursive: true });
  },
  async typescript(folder) {
    const out = join(folder, 'typescript');
    mkdirSync(out, { recursive: true });
    // Below node_modules, a copy finds its tools.
    const beside = join(ROOT, 'node_modules', '.cache', 'clients');
    mkdirSync(beside, { recursive: true });
    await withCopy(
      'typescript',
      ['node_modules', 'dist'],
      (source) => run('npm', ['pack', '--silent', '--pack-destination', out], { cwd: source }),
      beside,
    );
  },
};

/** Runs `work` on a copy of a client, without some of its folders, and removes the copy. */
async function withCopy(
  language: Language,
  skipped: readonly string[],
  work: (source: string) => Promise<unknown>,
  beside: string = tmpdir(),
): Promise<void> {
  const source = mkdtempSync(join(beside, `${language}-`));
  try {
    const filter = (path: string) => !skipped.includes(basename(path));
    cpSync(join(CLIENTS, language), source, { recursive: true, filter });
    await work(source);
  } finally {
    rmSync(source, { recursive: true });
  }
}

/** Returns the path of the Go module, and its files as they are now (not as committed) in the zip of a module proxy. */
async function zipGoModule(): Promise<{ module: string; zip: Buffer }> {
  const [, module = ''] = /^module (\S+)$/m.exec(readFileSync(join(CLIENTS, 'go', 'go.mod'), 'utf8')) ?? [];
  const scratch = mkdtempSync(join(tmpdir(), 'passthru-index-'));
  const git = (...args: string[]) =>
    run('git', args, { cwd: ROOT, env: { ...process.env, GIT_INDEX_FILE: join(scratch, 'index') } });
  try {
    await git('add', 'clients/go');
    const { stdout } = await git('write-tree');
    const zip = join(scratch, 'module.zip');
    const prefix = `--prefix=${module}@v${VERSION}/`;
    await git('archive', '--format=zip', prefix, '-o', zip, `${stdout.trim()}:clients/go`);
    return { module, zip: readFileSync(zip) };
  } finally {
    rmSync(scratch, { recursive: true });
  }
}

if (import.meta.main) {
  const [folder, ...languages] = argv.slice(2);
  const unknown = languages.filter((language) => !(LANGUAGES as readonly string[]).includes(language));
  if (folder === undefined || unknown.length > 0) {
    console.error(`usage: npx node clients/pack.ts FOLDER [${LANGUAGES.join(' | ')}]...`);
    process.exit(2);
  }
  for (const language of languages.length === 0 ? LANGUAGES : (languages as Language[])) {
    await PACKS[language](resolve(folder));
    console.log(`${join(folder, language)}: the ${language} client ${VERSION}`);
  }
}
