import { execFileSync } from 'node:child_process';
import { chmodSync, copyFileSync, cpSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { basename, dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

const ROOT = fileURLToPath(new URL('../..', import.meta.url));

/** The user `nonroot` of distroless images. */
export const NONROOT = 65532;

/** The image that an engine would build from the Dockerfile. */
export interface Image {
  /** Its root file system. */
  root: string;
  environment: Record<string, string>;
  workdir: string;
  volume: string;
  /** ENTRYPOINT and CMD. */
  command: string[];
}

/**
 * Executes the steps of the Dockerfile without an engine, each COPY and RUN in a folder for its stage. This machine and
 * its npm stand in for the base images. The last stage starts with Node alone and the libraries that it is linked with,
 * at the path where distroless has it.
 */
export function makeImage(folder: string): Image {
  const stages = new Map<string, string>();
  const image: Image = { root: '', environment: {}, workdir: '/', volume: '', command: [] };
  for (const [word, rest] of instructions()) {
    switch (word) {
      case 'FROM': {
        image.root = mkdtempSync(join(folder, 'stage-'));
        image.workdir = '/';
        const name = / AS (\S+)$/.exec(rest)?.[1];
        if (name === undefined) addDistroless(image.root);
        else stages.set(name, image.root);
        break;
      }
      case 'WORKDIR':
        image.workdir = rest;
        mkdirSync(join(image.root, rest), { recursive: true });
        break;
      case 'COPY':
        copy(rest, image, stages);
        break;
      case 'RUN':
        // Redirects `mkdir /…` into the folder of the stage.
        execFileSync('sh', ['-c', rest.replaceAll(/(?<=^mkdir )\//g, `${image.root}/`)], {
          cwd: join(image.root, image.workdir),
          env: environmentOfSteps(),
          stdio: ['ignore', 'ignore', 'inherit'],
        });
        break;
      case 'ENV':
        for (const pair of rest.split(' ')) image.environment[pair.split('=', 1)[0]!] = pair.replace(/^[^=]*=/, '');
        break;
      case 'VOLUME':
        image.volume = rest;
        break;
      case 'ENTRYPOINT':
      case 'CMD':
        image.command.push(...(JSON.parse(rest) as string[]));
        break;
      case 'USER':
      case 'EXPOSE':
      case 'STOPSIGNAL':
        break;
      default:
        throw new Error(`unsupported instruction in the Dockerfile: ${word}`);
    }
  }
  return image;
}

/** Creates a folder for an image. */
export function imageFolder(): { path: string; remove(): void } {
  const path = mkdtempSync(join(tmpdir(), 'passthru-image-'));
  // The unprivileged user has to traverse it.
  chmodSync(path, 0o755);
  return { path, remove: () => rmSync(path, { recursive: true, force: true }) };
}

function instructions(): [word: string, rest: string][] {
  return readFileSync(join(ROOT, 'Dockerfile'), 'utf8')
    .split('\n')
    .filter((line) => line !== '' && !line.startsWith('#'))
    .map((line) => [line.slice(0, line.indexOf(' ')), line.slice(line.indexOf(' ') + 1)]);
}

/** Executes COPY: `[--from=STAGE] [--chown=nonroot:nonroot] SOURCE… TARGET`. Of a folder, the content is copied. */
function copy(rest: string, { root, workdir }: Image, stages: ReadonlyMap<string, string>): void {
  const words = rest.split(' ');
  const paths = words.filter((word) => !word.startsWith('--'));
  const stage = /--from=(\S+)/.exec(rest)?.[1];
  const target = paths.pop()!;
  const to = target.startsWith('/') ? join(root, target) : join(root, workdir, target);
  for (const path of paths) {
    const from = join(stage === undefined ? ROOT : stages.get(stage)!, path);
    cpSync(from, target.endsWith('/') ? join(to, basename(path)) : to, { recursive: true, verbatimSymlinks: true });
  }
  if (rest.includes('--chown=nonroot:nonroot')) execFileSync('chown', ['-R', `${NONROOT}:${NONROOT}`, to]);
}

/** Fills `root` with an equivalent of gcr.io/distroless/nodejs24-debian12. */
function addDistroless(root: string): void {
  chmodSync(root, 0o755);
  const node = '/nodejs/bin/node';
  const linked = execFileSync('ldd', [process.execPath], { encoding: 'utf8' });
  const libraries = [...linked.matchAll(/(\/\S+) \(0x/g)].map(([, path]) => path!);
  for (const [from, to] of [[process.execPath, node], ...libraries.map((path) => [path, path])] as [string, string][]) {
    mkdirSync(join(root, dirname(to)), { recursive: true });
    copyFileSync(from, join(root, to));
    chmodSync(join(root, to), 0o755);
  }
  for (const path of ['etc/passthru', 'proc', 'dev', 'tmp', 'home/nonroot'])
    mkdirSync(join(root, path), { recursive: true });
  writeFileSync(
    join(root, 'etc/passwd'),
    `root:x:0:0::/root:/sbin/nologin\nnonroot:x:${NONROOT}:${NONROOT}::/home/nonroot:/sbin/nologin\n`,
  );
  writeFileSync(join(root, 'etc/hosts'), '127.0.0.1 localhost\n');
}

/** Settings of the calling npm that the npm of the steps needs as well. */
const NPM_SETTING = /^npm_config_(?:cache|registry|userconfig|globalconfig|cafile|.*proxy)$/i;

/** Returns the environment of RUN, with the Node that runs the tests. */
function environmentOfSteps(): NodeJS.ProcessEnv {
  const inherited = Object.entries(process.env).filter(
    ([name]) => !/^(?:npm_|NODE_|VITEST|PASSTHRU_)/i.test(name) || NPM_SETTING.test(name),
  );
  return {
    ...Object.fromEntries(inherited),
    PATH: `${dirname(process.execPath)}:${process.env.PATH}`,
    npm_config_prefer_offline: 'true',
    npm_config_audit: 'false',
  };
}
