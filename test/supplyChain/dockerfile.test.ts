import { existsSync, readFileSync } from 'node:fs';
import { expect, test } from 'vitest';
import { parse } from 'yaml';
import { configSchema, SETTINGS } from '../../src/config/schema.ts';

const root = new URL('../../', import.meta.url);
const read = (path: string) => readFileSync(new URL(path, root), 'utf8');
const text = read('Dockerfile');
const about = JSON.parse(read('package.json'));
const page = read('docs/container.md');

/** The instructions, each as its keyword and arguments. */
const instructions = text
  .split('\n')
  .filter((line) => /^[A-Z]+ /.test(line))
  .map((line) => /^([A-Z]+) (.*)$/.exec(line)!.slice(1) as [string, string]);

const all = (word: string) => instructions.filter(([name]) => name === word).map(([, rest]) => rest);

/** The instructions of the last stage, which becomes the image. */
const image = instructions.slice(instructions.findLastIndex(([name]) => name === 'FROM'));
const ofImage = (word: string) => image.filter(([name]) => name === word).map(([, rest]) => rest);

test('every stage has the Node version of package.json, and the last stage is distroless', () => {
  const least = Number(/\d+/.exec(about.engines.node)![0]);
  const versions = all('FROM').map((from) => Number(/node(?:js)?:?(\d+)/.exec(from)![1]));
  for (const version of versions) expect(version).toBeGreaterThanOrEqual(least);
  expect(new Set(versions).size).toBe(1);
  expect(all('FROM').at(-1)).toMatch(/^gcr\.io\/distroless\/.*:nonroot$/);
});

test('the image runs the bin of package.json as an unprivileged user', () => {
  expect(ofImage('USER')).toEqual(['nonroot']);
  expect(JSON.parse(ofImage('ENTRYPOINT')[0]!).at(-1)).toBe(about.bin.passthru);
  // A distroless image has no shell for RUN.
  expect(ofImage('RUN')).toEqual([]);
});

test('every copied path exists and is not ignored by .dockerignore', () => {
  const allowed = read('.dockerignore').split('\n');
  const sources = all('COPY')
    .filter((copy) => !copy.startsWith('--from'))
    .flatMap((copy) => copy.split(' ').slice(0, -1));
  expect(sources.length).toBeGreaterThan(5);
  for (const source of sources) {
    expect(existsSync(new URL(source, root)), source).toBe(true);
    expect(allowed).toContain(`!${source}`);
  }
  expect(allowed).toContain('*');
  expect(
    allowed
      .filter((line) => line.startsWith('!'))
      .map((line) => line.slice(1))
      .toSorted(),
  ).toEqual([...new Set(sources)].toSorted());
});

test('packages are installed from the lock file without install scripts', () => {
  const installs = all('RUN').filter((run) => /\bnpm (?:ci|install|i)\b/.test(run));
  expect(installs).toHaveLength(1);
  for (const install of installs) expect(install).toMatch(/^npm ci --ignore-scripts\b/);
  const scripts = all('RUN').flatMap((run) => /npm run (\S+)/.exec(run)?.[1] ?? []);
  for (const script of scripts) expect(about.scripts).toHaveProperty(script);
});

test('its variables are settings, its port is the default, and its data directory is a volume', () => {
  const variables = ofImage('ENV').flatMap((env) => env.split(' ').map((pair) => pair.split('=') as [string, string]));
  const own = Object.fromEntries(variables.filter(([name]) => name.startsWith('PASSTHRU_')));
  expect(SETTINGS.map(({ variable }) => variable)).toEqual(expect.arrayContaining(Object.keys(own)));
  const [volume] = ofImage('VOLUME');
  expect(own.PASSTHRU_STORE).toBe(`sqlite:${volume}/passthru.db`);
  const listen = SETTINGS.find(({ key }) => key === 'listen')!.initial as string;
  expect(ofImage('EXPOSE')).toEqual([listen.split(':').at(-1)]);
});

test('docs/container.md shows the same commands and a valid configuration', () => {
  const shown = [...text.matchAll(/^# {3}(docker.*|\s+-.*)$/gm)].map(([, line]) => line!.trim());
  expect(shown.length).toBeGreaterThan(2);
  const commands = page.split('\n').map((line) => line.trim());
  for (const line of shown) expect(commands).toContain(line);
  expect(shown.join(' ')).toMatch(/--read-only .*--cap-drop=ALL/);
  const [, yaml] = /```yaml\n([\s\S]*?)```/.exec(page)!;
  expect(configSchema.safeParse(parse(yaml!)).error).toBeUndefined();
});
