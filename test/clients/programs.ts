import { execFile, spawnSync } from 'node:child_process';
import { copyFileSync, mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { generate } from '../../clients/generate.ts';
import { CLIENTS, cacheFolder, installPlugins, type Language, pluginFolder } from '../../clients/plugins.ts';
import { ROOT } from '../cli/run.ts';

const run = promisify(execFile);

/** A program that shows a client. */
export interface Program {
  name: string;
  language: Language;
  /** What starts it for the service at `address` (`HOST:PORT`) and a node there. */
  command(address: string, node: string): string[];
}

/** What must be on the machine for a language's client, as a command that succeeds. */
export const TOOLCHAINS: Record<Language, readonly string[]> = {
  go: ['go', 'version'],
  python: ['python3', '-m', 'venv', '--help'],
  java: ['mvn', '--version'],
  rust: ['cargo', '--version'],
  typescript: [process.execPath, '--version'],
};

/** Whether this machine can build the client of `language`. */
export function hasToolchain(language: Language): boolean {
  const [program, ...words] = TOOLCHAINS[language];
  return spawnSync(program!, words).status === 0;
}

const out = join(ROOT, 'node_modules', '.cache', 'clients');
const rustTarget = join(cacheFolder(), 'rust-target');
const python = join(pluginFolder('python'), 'python');
// Not under node_modules: there Node strips no types.
const npmFolder = mkdtempSync(join(tmpdir(), 'passthru-npm-'));

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
    command: (address, node) => [python, join(CLIENTS, 'python', 'example.py'), address, node],
  },
  {
    name: 'grpc-java',
    language: 'java',
    command: (address, node) => {
      const target = join(CLIENTS, 'java', 'target');
      const classes = `${target}/passthru-client-0.1.0.jar:${target}/dependency/*`;
      return ['java', '-cp', classes, join(CLIENTS, 'java', 'example', 'Example.java'), address, node];
    },
  },
  {
    name: 'tonic',
    language: 'rust',
    command: (address, node) => [join(out, 'tonic'), `http://${address}`, node],
  },
  ...['connect', 'grpc', 'grpc-web', 'browser'].map(
    (transport): Program => ({
      name: `connect-es, ${transport}`,
      language: 'typescript',
      command: (address, node) => [
        process.execPath,
        join(npmFolder, 'example.ts'),
        `http://${address}`,
        node,
        transport,
      ],
    }),
  ),
];

/** Builds the client of each language, as its README tells, and its programs. */
export const BUILDS: Record<Language, () => Promise<void>> = {
  async go() {
    mkdirSync(out, { recursive: true });
    await run('go', ['vet', './...'], { cwd: join(CLIENTS, 'go') });
    await run('go', ['build', '-o', `${out}/`, './examples/...'], { cwd: join(CLIENTS, 'go') });
  },
  async python() {
    await installPlugins('python');
    await run(python, ['-m', 'mypy'], { cwd: join(CLIENTS, 'python') });
  },
  async java() {
    await generate(['java']);
    const goals = ['package', 'dependency:copy-dependencies', '-DincludeScope=runtime'];
    await run('mvn', ['-B', '-q', '-f', join(CLIENTS, 'java'), ...goals]);
  },
  async rust() {
    const words = ['build', '--quiet', '--locked', '--example', 'example'];
    await run('cargo', words, { cwd: join(CLIENTS, 'rust'), env: { ...process.env, CARGO_TARGET_DIR: rustTarget } });
    mkdirSync(out, { recursive: true });
    copyFileSync(join(rustTarget, 'debug', 'examples', 'example'), join(out, 'tonic'));
  },
  // The package as npm would install it, beside its peers, and the program in a folder of its own.
  async typescript() {
    const source = join(CLIENTS, 'typescript');
    const modules = join(npmFolder, 'node_modules');
    mkdirSync(join(modules, 'passthru-client'), { recursive: true });
    const { stdout } = await run('npm', ['pack', '--json', '--pack-destination', npmFolder], { cwd: source });
    const [{ filename }] = JSON.parse(stdout.slice(stdout.indexOf('[')));
    const into = ['--strip-components=1', '-C', join(modules, 'passthru-client')];
    await run('tar', ['-xzf', join(npmFolder, filename), ...into]);
    for (const scope of ['@bufbuild', '@connectrpc', '@types']) {
      symlinkSync(join(ROOT, 'node_modules', scope), join(modules, scope));
    }
    copyFileSync(join(source, 'example.ts'), join(npmFolder, 'example.ts'));
    writeFileSync(join(npmFolder, 'package.json'), '{"type": "module"}');
    const compilerOptions = { noEmit: true, strict: true, module: 'nodenext', types: ['node'], skipLibCheck: true };
    writeFileSync(join(npmFolder, 'tsconfig.json'), JSON.stringify({ compilerOptions }));
    await run(join(ROOT, 'node_modules', '.bin', 'tsc'), ['-p', npmFolder]);
  },
};

/** Removes what the builds left outside the caches. */
export function cleanUp(): void {
  rmSync(npmFolder, { recursive: true });
}
