// The code generators of each language: their pinned versions, and how to install them.
import { execFile } from 'node:child_process';
import { createHash } from 'node:crypto';
import { existsSync, mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { homedir } from 'node:os';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';

const run = promisify(execFile);

/** The languages with a client; each has a folder beside this file. */
export const LANGUAGES = ['go', 'python', 'java', 'rust', 'typescript'] as const;
export type Language = (typeof LANGUAGES)[number];

export const CLIENTS = dirname(fileURLToPath(import.meta.url));

/** The crates of the generators. The version of protoc-gen-tonic must match tonic in rust/Cargo.toml. */
const RUST_PLUGINS = ['protoc-gen-prost@0.5.0', 'protoc-gen-tonic@0.5.0'];

/** Maven Central's names of the platforms that protoc is built for. */
const JAVA_PLATFORMS: Record<string, string> = {
  'linux x64': 'linux-x86_64',
  'linux arm64': 'linux-aarch_64',
  'darwin x64': 'osx-x86_64',
  'darwin arm64': 'osx-aarch_64',
};

/** How to install a language's plugins. */
interface Plugins {
  /** The contents that pin the versions; a change causes a new installation. */
  pins: readonly string[];
  /** Installs the programs into `folder`/bin. */
  install(folder: string): Promise<unknown>;
}

const PLUGINS: Record<Exclude<Language, 'typescript'>, Plugins> = {
  go: {
    pins: [pinned('go/go.mod'), pinned('go/go.sum')],
    // `tool` stands for all tools of go.mod.
    install: (folder) => run('go', ['build', '-o', `${folder}/bin/`, 'tool'], { cwd: join(CLIENTS, 'go') }),
  },
  python: {
    pins: [pinned('python/requirements.txt')],
    async install(folder) {
      await run('python3', ['-m', 'venv', folder]);
      const requirements = join(CLIENTS, 'python', 'requirements.txt');
      const quiet = ['--quiet', '--disable-pip-version-check'];
      await run(join(folder, 'bin', 'python'), ['-m', 'pip', 'install', ...quiet, '-r', requirements]);
    },
  },
  java: {
    pins: [pinned('java/pom.xml')],
    async install(folder) {
      const platform = JAVA_PLATFORMS[`${process.platform} ${process.arch}`];
      if (platform === undefined) throw new Error(`protoc is not available for ${process.platform} ${process.arch}`);
      const settings = [`-Dgenerators.folder=${folder}/bin`, `-Dgenerators.platform=${platform}`];
      await run('mvn', ['-B', '-q', '-f', join(CLIENTS, 'java'), ...settings, 'dependency:copy@generators']);
      for (const program of ['protoc', 'protoc-gen-grpc-java'])
        await run('chmod', ['+x', join(folder, 'bin', program)]);
    },
  },
  rust: {
    pins: RUST_PLUGINS,
    install: (folder) => run('cargo', ['install', '--quiet', '--locked', '--root', folder, ...RUST_PLUGINS]),
  },
};

/** Returns the folder for what is built once: the user's cache, which outlives a checkout. */
export function cacheFolder(): string {
  return join(process.env.XDG_CACHE_HOME || join(homedir(), '.cache'), 'passthru', 'clients');
}

/** Returns the folder of the plugins for `language`, where `installPlugins` puts them. */
export function pluginFolder(language: Language): string {
  // Installed by npm ci.
  if (language === 'typescript') return join(CLIENTS, '..', 'node_modules', '.bin');
  const version = createHash('sha256').update(PLUGINS[language].pins.join('\n')).digest('hex').slice(0, 12);
  return join(cacheFolder(), `${language}-plugins-${version}`, 'bin');
}

/**
 * Installs the plugins for `language`, unless the pinned versions are installed. Must not run twice at the same time
 * for one language.
 * @throws when the toolchain of the language is missing or a registry is unreachable
 */
export async function installPlugins(language: Language): Promise<void> {
  if (language === 'typescript') return;
  const bin = pluginFolder(language);
  const ready = join(bin, '..', 'ready');
  if (existsSync(ready)) return;
  rmSync(dirname(bin), { recursive: true, force: true });
  mkdirSync(bin, { recursive: true });
  await PLUGINS[language].install(dirname(bin));
  writeFileSync(ready, '');
}

/** Installs the command of a Go module, `MODULE@VERSION`, for the tests, and returns its folder. */
export async function installGoCommand(module: string): Promise<string> {
  const folder = join(cacheFolder(), 'go-commands');
  await run('go', ['install', module], { env: { ...process.env, GOBIN: folder } });
  return folder;
}

function pinned(file: string): string {
  return readFileSync(join(CLIENTS, file), 'utf8');
}
