import { execFile } from 'node:child_process';
import { createHash } from 'node:crypto';
import { existsSync, mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { homedir } from 'node:os';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';

const run = promisify(execFile);

/** The languages that there are clients for; each is a folder beside this file. */
export const LANGUAGES = ['go', 'python', 'java', 'rust', 'typescript'] as const;
export type Language = (typeof LANGUAGES)[number];

export const CLIENTS = dirname(fileURLToPath(import.meta.url));

/** What the generators are compiled from. protoc-gen-tonic goes with the tonic of rust/Cargo.toml. */
const RUST_PLUGINS = ['protoc-gen-prost@0.5.0', 'protoc-gen-tonic@0.5.0'];

/** How Maven Central names the platforms that protoc is built for. */
const JAVA_PLATFORMS: Record<string, string> = {
  'linux x64': 'linux-x86_64',
  'linux arm64': 'linux-aarch_64',
  'darwin x64': 'osx-x86_64',
  'darwin arm64': 'osx-aarch_64',
};

/** How a language's plugins come onto the machine. */
interface Plugins {
  /** The files and words whose change asks for another installation. */
  pins: readonly string[];
  /** Installs into `folder` and leaves the programs in its `bin`. */
  install(folder: string): Promise<unknown>;
}

const PLUGINS: Record<Exclude<Language, 'typescript'>, Plugins> = {
  go: {
    pins: [pinned('go/go.mod'), pinned('go/go.sum')],
    // `tool` stands for the tools that go.mod names.
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
      if (platform === undefined) throw new Error(`There is no protoc for ${process.platform} ${process.arch}`);
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

/** Where what is built once is kept: the user's cache, which outlives a checkout. */
export function cacheFolder(): string {
  return join(process.env.XDG_CACHE_HOME || join(homedir(), '.cache'), 'passthru', 'clients');
}

/** The folder of the plugins that generate `language`; what `installPlugins` makes. */
export function pluginFolder(language: Language): string {
  // npm ci has brought it.
  if (language === 'typescript') return join(CLIENTS, '..', 'node_modules', '.bin');
  const version = createHash('sha256').update(PLUGINS[language].pins.join('\n')).digest('hex').slice(0, 12);
  return join(cacheFolder(), `${language}-plugins-${version}`, 'bin');
}

/**
 * Installs the plugins that generate `language`, unless they are there with the pins of now. Not to be called twice at
 * once for one language.
 * @throws when the language's own tools are missing or a registry cannot be reached
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

/** Installs the command of a Go module, `MODULE@VERSION`, for the tests; answers its folder. */
export async function installGoCommand(module: string): Promise<string> {
  const folder = join(cacheFolder(), 'go-commands');
  await run('go', ['install', module], { env: { ...process.env, GOBIN: folder } });
  return folder;
}

function pinned(file: string): string {
  return readFileSync(join(CLIENTS, file), 'utf8');
}
