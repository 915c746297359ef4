import { execFile } from 'node:child_process';
import { cpSync, existsSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { basename, dirname, join, normalize } from 'node:path';
import { promisify } from 'node:util';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { ROOT } from '../cli/run.ts';
import { needs } from '../needs.ts';

const run = promisify(execFile);
const folder = mkdtempSync(join(tmpdir(), 'passthru-package-'));
/** The packed package, and its contents. */
let tarball: string;
const unpacked = join(folder, 'package');

beforeAll(async () => {
  // A copy, so that its build does not collide with that of another test.
  const source = join(folder, 'source');
  const skipped = /^(node_modules|dist|target|\..*)$/;
  cpSync(ROOT, source, { recursive: true, filter: (path) => !skipped.test(basename(path)) });
  const tsc = join(ROOT, 'node_modules/typescript/bin/tsc');
  await run(process.execPath, [tsc, '-p', 'tsconfig.build.json', '--outDir', join(source, 'dist')], { cwd: ROOT });
  const rolldown = join(ROOT, 'node_modules/rolldown/bin/cli.mjs');
  await run(process.execPath, [rolldown, '--config', '--dir', join(source, 'dist/src')], { cwd: ROOT });
  cpSync(join(ROOT, 'web/dist'), join(source, 'web/dist'), { recursive: true });
  const options = ['--json', '--ignore-scripts', '--pack-destination', folder];
  const { stdout } = await run('npm', ['pack', ...options], { cwd: source });
  const [{ filename }] = JSON.parse(stdout.slice(stdout.indexOf('[')));
  tarball = join(folder, filename);
  await run('tar', ['-xzf', tarball, '-C', folder]);
}, 300_000);

afterAll(() => {
  rmSync(folder, { recursive: true });
});

describe('the packed package', () => {
  test('has every page of the documentation, and what its pages link to', () => {
    const pages = readdirSync(unpacked, { recursive: true, encoding: 'utf8' }).filter((file) => file.endsWith('.md'));
    for (const page of readdirSync(join(ROOT, 'docs'), { recursive: true, encoding: 'utf8' })) {
      expect(existsSync(join(unpacked, 'docs', page)), page).toBe(true);
    }
    const broken = pages.flatMap((page) => {
      const text = readFileSync(join(unpacked, page), 'utf8');
      const links = [...text.matchAll(/\]\(([^)#]+)(?:#[^)]*)?\)/g)].map(([, link]) => link!);
      const files = links.filter((link) => !link.includes('://')).map((link) => normalize(join(dirname(page), link)));
      return files.filter((file) => !existsSync(join(unpacked, file))).map((file) => `${page}: ${file}`);
    });
    // How to work on the project, in a checkout.
    expect(broken.filter((link) => !link.startsWith('CONTRIBUTING.md'))).toEqual([]);
  });

  test('has the built console, without its sources', () => {
    const files = readdirSync(join(unpacked, 'web'), { recursive: true, encoding: 'utf8' });
    expect(files).toContain(join('dist', 'index.html'));
    expect(files.filter((file) => !file.startsWith('dist'))).toEqual([]);
  });

  test('has no tests, no databases and no keys', () => {
    const files = readdirSync(unpacked, { recursive: true, encoding: 'utf8' });
    expect(files.filter((file) => /\.test\.[jt]s$|\.db$|\.key$|^(test|src|node_modules)\//.test(file))).toEqual([]);
  });

  test('exports what its package.json names', () => {
    const { exports, bin } = JSON.parse(readFileSync(join(unpacked, 'package.json'), 'utf8'));
    const named = Object.values(exports).flatMap((entry) =>
      typeof entry === 'string' ? entry : Object.values(entry as object),
    );
    for (const file of [...named, ...Object.values(bin)])
      expect(existsSync(join(unpacked, file as string)), file).toBe(true);
  });

  test('has scripts of nothing but ASCII, as which they are read', () => {
    const folder = join(unpacked, 'dist/src/chunks');
    const scripts = readdirSync(folder).filter((file) => file.endsWith('.cjs'));
    expect(scripts).not.toEqual([]);
    expect(scripts.filter((file) => !/^[\0-\x7f]*$/.test(readFileSync(join(folder, file), 'utf8')))).toEqual([]);
  });

  test('starts from few files, without an HTTP client', async () => {
    const watch = `
      import fs from 'node:fs';
      import { registerHooks } from 'node:module';
      const files = [];
      const { readFileSync } = fs;
      fs.readFileSync = (path, ...options) => (/[.]cjs$/.test(path) && !/cache/.test(path) && files.push(path), readFileSync(path, ...options));
      registerHooks({ load: (url, context, next) => (url.startsWith('file:') && files.push(url), next(url, context)) });
      process.on('exit', () => {
        const undici = process.moduleLoadList.filter((name) => name.includes('deps/undici'));
        console.log(JSON.stringify([...files, ...undici]));
      });`;
    const preload = ['--import', `data:text/javascript,${encodeURIComponent(watch)}`];
    const main = join(unpacked, 'dist/src/main.js');
    const { stdout } = await run(process.execPath, [...preload, main, 'serve', '--check'], { cwd: folder });
    const loaded: string[] = JSON.parse(stdout.trimEnd().split('\n').at(-1)!);
    expect(loaded.filter((name) => name.includes('undici'))).toEqual([]);
    expect(loaded.filter((name) => name.includes('/zod-'))).toEqual([]);
    // Each takes time; three modules, four layers, the runtime of the bundler, and scripts that only name what is in them.
    expect(loaded.length, loaded.join('\n')).toBeLessThan(20);
  });
});

/** Returns the lines of the indented block that follows `text` in a page. */
function commandsAfter(page: string, text: string): string[] {
  const block = page.slice(page.indexOf(text) + text.length).match(/^(?: {4}.*\n)+/m)?.[0] ?? '';
  return block
    .split('\n')
    .map((line) => line.trim())
    .filter((line) => line !== '');
}

const skip = process.env.TEST_CLIENTS === 'all' ? null : 'TEST_CLIENTS=all (it installs the package and TypeScript)';

describe('in an empty folder', needs(skip), () => {
  const author = join(folder, 'author');

  /** Runs a line of the page, with the packed package in place of the one of the registry. */
  async function sh(line: string) {
    const command = line.replace(/^(npm install .*)\bpassthru\b/, `$1'${tarball}'`);
    // Whatever `npm ci` has already fetched.
    const quiet = { npm_config_prefer_offline: 'true', npm_config_audit: 'false', npm_config_fund: 'false' };
    const env: NodeJS.ProcessEnv = { ...process.env, ...quiet, NODE_ENV: '', NODE_OPTIONS: '' };
    for (const name of Object.keys(env))
      if (/^npm_config_(?!prefer|audit|fund|registry|cache)|^VITEST/i.test(name)) delete env[name];
    return run('sh', ['-c', command], { cwd: author, env }).catch((error) =>
      expect.fail(`${command}\n${error.stdout}${error.stderr}`),
    );
  }

  test('the drivers and the test of docs/drivers.md compile and pass, by the commands of the page', async () => {
    const page = readFileSync(join(unpacked, 'docs/drivers.md'), 'utf8');
    mkdirSync(author);
    const setUp = commandsAfter(page, 'set up a package of its own:\n');
    const install = setUp.findIndex((line) => line.startsWith('npm install '));
    expect(install).toBeGreaterThan(0);
    for (const line of setUp.slice(0, install + 2)) await sh(line);
    const blocks = [...page.matchAll(/```ts\n([\s\S]*?)```/g)].map(([, source]) => source!);
    expect(blocks).toHaveLength(3);
    for (const source of blocks) {
      const name = /^\/\/ (\S+\.ts)\n/.exec(source)?.[1] ?? 'knock-driver.ts';
      writeFileSync(join(author, name), source);
    }
    for (const line of commandsAfter(page, 'Check its types and run it:\n')) {
      const { stdout } = await sh(line);
      if (line.includes('--test')) expect(stdout).toMatch(/pass 5\b[\s\S]*fail 0\b/);
    }
    // What the types refuse.
    const lamp = readFileSync(join(author, 'lamp-driver.ts'), 'utf8');
    writeFileSync(join(author, 'wrong.ts'), lamp.replace('{ blinked: times }', '{ off: 3 }'));
    await expect(run('npx', ['tsc'], { cwd: author })).rejects.toMatchObject({
      stdout: expect.stringMatching(/wrong\.ts[\s\S]*blinked/),
    });
    // In the installed service.
    writeFileSync(
      join(author, 'passthru.yaml'),
      JSON.stringify({ listen: '127.0.0.1:0', drivers: ['./lamp-driver.ts', './knock-driver.ts'] }),
    );
    expect((await sh('npx passthru serve --check --config passthru.yaml')).stdout).toBe('passthru.yaml: valid\n');
  }, 300_000);
});
