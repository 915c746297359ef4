import { execFile } from 'node:child_process';
import { copyFileSync, cpSync, mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { basename, join } from 'node:path';
import { promisify } from 'node:util';
import { generate } from '../../clients/generate.ts';
import { RUST_TARGET, VERSION } from '../../clients/pack.ts';
import { CLIENTS, installPlugins, type Language, pluginFolder } from '../../clients/plugins.ts';
import { ROOT } from '../cli/run.ts';

const run = promisify(execFile);

/** An example program of a client. */
export interface Program {
  name: string;
  language: Language;
  /** Returns the command line that runs it with the service at `address` (`HOST:PORT`) and one of its nodes. */
  command(address: string, node: string): string[];
}

/**
 * Returns what is missing to build the client of `language`: its toolchain, a newer version of it, or its packages.
 * Null if the client can be built.
 */
export async function unavailable(language: Language): Promise<string | null> {
  try {
    await TOOLCHAINS[language]();
    return null;
  } catch (error) {
    const { code, message } = error as NodeJS.ErrnoException;
    return code === 'ENOENT' ? 'its toolchain' : message.trim();
  }
}

/** Each fails if the client of the language cannot be built. */
const TOOLCHAINS: Record<Language, () => Promise<unknown>> = {
  // With `local`, a Go older than go.mod requires fails instead of fetching a newer one.
  go: () => run('go', ['mod', 'download'], { cwd: join(CLIENTS, 'go'), env: { ...process.env, GOTOOLCHAIN: 'local' } }),
  python: async () => {
    await run('python3', ['-c', 'import sys, venv, ensurepip; assert sys.version_info >= (3, 10), sys.version']);
    await installPlugins('python');
  },
  java: () => run('mvn', ['--version']),
  rust: () => run('cargo', ['--version']),
  typescript: async () => {},
};

const out = join(ROOT, 'node_modules', '.cache', 'clients');
const python = join(pluginFolder('python'), 'python');
/** The folder that packages are installed into. Not under node_modules, where Node does not strip types. */
const installed = mkdtempSync(join(tmpdir(), 'passthru-installed-'));
export const NPM_PACKAGE = join(installed, 'node_modules', 'passthru-client');
/** The examples of the npm package: a program for Node, and a page. */
export const NPM_EXAMPLE = join(installed, 'example');

export const PROGRAMS: readonly Program[] = [
  {
    name: 'grpc-go',
    language: 'go',
    command: (address, node) => [join(out, 'grpc'), address, node],
  },
  {
    name: 'connect-go',
    language: 'go',
    command: (address, node) => [join(out, 'connect'), `http://${address}`, node],
  },
  {
    name: 'grpcio',
    language: 'python',
    command: (address, node) => [python, join(installed, 'example.py'), address, node],
  },
  {
    name: 'grpc-java',
    language: 'java',
    command: (address, node) => {
      const target = join(CLIENTS, 'java', 'target');
      const classes = `${target}/passthru-client-${VERSION}.jar:${target}/dependency/*`;
      return ['java', '-cp', classes, join(CLIENTS, 'java', 'example', 'Example.java'), address, node];
    },
  },
  {
    name: 'tonic',
    language: 'rust',
    command: (address, node) => [join(out, 'tonic'), `http://${address}`, node],
  },
  ...['connect', 'grpc', 'grpc-web', 'fetch'].map(
    (transport): Program => ({
      name: `connect-es, ${transport}`,
      language: 'typescript',
      command: (address, node) => [
        process.execPath,
        join(NPM_EXAMPLE, 'node.ts'),
        `http://${address}`,
        node,
        transport,
      ],
    }),
  ),
];

/** Builds the client of each language as its README describes, and its programs. */
export const BUILDS: Record<Language, () => Promise<void>> = {
  async go() {
    mkdirSync(out, { recursive: true });
    await run('go', ['vet', './...'], { cwd: join(CLIENTS, 'go') });
    await run('go', ['build', '-o', `${out}/`, './examples/...'], { cwd: join(CLIENTS, 'go') });
  },
  // Installs the package with pip, and the program beside it.
  async python() {
    const source = join(CLIENTS, 'python');
    const here = ['--no-deps', '--no-build-isolation', '--no-index', '--target', installed];
    await run(python, ['-m', 'pip', 'install', '--quiet', '--disable-pip-version-check', ...here, source]);
    copyFileSync(join(source, 'example.py'), join(installed, 'example.py'));
    // Checks the types by the stubs of the package.
    await run(python, ['-m', 'mypy', '--strict', 'example.py', 'passthru/__init__.py'], { cwd: installed });
  },
  async java() {
    await generate(['java']);
    const goals = ['package', 'dependency:copy-dependencies', '-DincludeScope=runtime'];
    await run('mvn', ['-B', '-q', '-f', join(CLIENTS, 'java'), ...goals]);
  },
  async rust() {
    const args = ['build', '--quiet', '--locked', '--example', 'example'];
    await run('cargo', args, { cwd: join(CLIENTS, 'rust'), env: { ...process.env, CARGO_TARGET_DIR: RUST_TARGET } });
    mkdirSync(out, { recursive: true });
    copyFileSync(join(RUST_TARGET, 'debug', 'examples', 'example'), join(out, 'tonic'));
  },
  // Installs the package as npm does, with its peers, and the program beside it.
  async typescript() {
    mkdirSync(NPM_PACKAGE, { recursive: true });
    mkdirSync(out, { recursive: true });
    // A copy, so that builds of several tests do not collide. Below node_modules it finds its tools.
    const source = mkdtempSync(join(out, 'typescript-'));
    const skipped = ['node_modules', 'dist'];
    cpSync(join(CLIENTS, 'typescript'), source, {
      recursive: true,
      filter: (path) => !skipped.includes(basename(path)),
    });
    const { stdout } = await run('npm', ['pack', '--json', '--pack-destination', installed], { cwd: source });
    const [{ filename }] = JSON.parse(stdout.slice(stdout.indexOf('[')));
    await run('tar', ['-xzf', join(installed, filename), '--strip-components=1', '-C', NPM_PACKAGE]);
    for (const scope of ['@bufbuild', '@connectrpc', '@types']) {
      symlinkSync(join(ROOT, 'node_modules', scope), join(installed, 'node_modules', scope));
    }
    cpSync(join(source, 'example'), NPM_EXAMPLE, { recursive: true });
    rmSync(source, { recursive: true });
    writeFileSync(join(installed, 'package.json'), '{"type": "module"}');
    const compilerOptions = {
      noEmit: true,
      strict: true,
      module: 'nodenext',
      allowImportingTsExtensions: true,
      lib: ['es2022', 'dom', 'dom.iterable'],
      types: ['node'],
    };
    writeFileSync(join(installed, 'tsconfig.json'), JSON.stringify({ compilerOptions, include: ['example'] }));
    await run(join(ROOT, 'node_modules', '.bin', 'tsc'), ['-p', installed]);
  },
};

/** Removes the builds' files outside the caches. */
export function cleanUp(): void {
  rmSync(installed, { recursive: true });
}
