import { execFile } from 'node:child_process';
import { copyFileSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { promisify } from 'node:util';
import { PACKS, RUST_TARGET, VERSION } from '../../clients/pack.ts';
import { CLIENTS, type Language } from '../../clients/plugins.ts';

const run = promisify(execFile);

/** The part of a client's README that is about a project of its own: its files by name, and its commands. */
export function readProject(language: Language): { files: Map<string, string>; commands: string[] } {
  const readme = readFileSync(join(CLIENTS, language, 'README.md'), 'utf8');
  const section = readme.slice(readme.indexOf('\n## In your own project\n'));
  const blocks = [...section.matchAll(/```\w+\n((?:\/\/|#|<!--) (\S+)(?: -->)?\n[\s\S]*?)```/g)];
  const commands = /(?:^ {4}.*\n)+/m.exec(section.replaceAll(/```[\s\S]*?```/g, ''))?.[0] ?? '';
  return {
    files: new Map(blocks.map(([, content = '', name = '']) => [name, content])),
    commands: commands
      .split('\n')
      .map((line) => line.trim())
      .filter((line) => line !== ''),
  };
}

/**
 * Packs a client, installs it in an empty folder by the lines of its README, and runs the program there with the service at
 * `address`. Returns what the program prints.
 */
export async function installAndRun(language: Language, address: string): Promise<string> {
  const folder = mkdtempSync(join(tmpdir(), `passthru-install-${language}-`));
  const release = join(folder, 'release');
  const project = join(folder, 'project');
  mkdirSync(project);
  try {
    await PACKS[language](release);
    const { files, commands } = readProject(language);
    for (const [name, content] of files) writeFileSync(join(project, name), content);
    // With the versions that the client was built with, cargo compiles only the program.
    if (language === 'rust')
      copyFileSync(join(release, 'rust', `passthru-client-${VERSION}`, 'Cargo.lock'), join(project, 'Cargo.lock'));
    const env = environment(release, folder);
    let printed = '';
    for (const [index, line] of commands.entries()) {
      const command = index === commands.length - 1 ? `${line} ${address}` : line;
      const { stdout } = await run('sh', ['-e', '-c', command], { cwd: project, env }).catch((error) => {
        throw new Error(`${command}\n${error.stdout}${error.stderr}`);
      });
      printed = stdout;
    }
    return printed;
  } finally {
    // Go's module cache is read-only.
    await run('chmod', ['-R', 'u+w', folder]);
    rmSync(folder, { recursive: true });
  }
}

/** The environment of the commands: they change no settings and install no packages of the person who runs the tests. */
function environment(release: string, folder: string): NodeJS.ProcessEnv {
  const own = Object.entries(process.env).filter(
    ([name]) => !/^(npm_(?!config_(cafile|registry|cache)$)|VITEST|NODE_ENV|NODE_OPTIONS)/i.test(name),
  );
  return {
    ...Object.fromEntries(own),
    PATH: `${dirname(process.execPath)}:${process.env.PATH}`,
    RELEASE: release,
    CARGO_TARGET_DIR: RUST_TARGET,
    GOENV: join(folder, 'goenv'),
    npm_config_prefer_offline: 'true',
    npm_config_audit: 'false',
  };
}
