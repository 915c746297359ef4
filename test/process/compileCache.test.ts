import { chmodSync, mkdirSync, mkdtempSync, readdirSync, rmSync, statSync, symlinkSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { cacheFolder, compileCacheFolder } from '../../src/process/compileCache.ts';

let base: string;
beforeEach(() => {
  base = mkdtempSync(join(tmpdir(), 'passthru-cache-'));
});
afterEach(() => rmSync(base, { recursive: true }));

const BUILT = pathToFileURL('/usr/lib/node_modules/passthru/dist/src/');

describe('where compiled code is kept', () => {
  test.each<[why: string, source: string, environment: NodeJS.ProcessEnv, folder: string | null]>([
    ['a checkout', '/src/passthru/src/', { XDG_CACHE_HOME: '/c' }, '/src/passthru/node_modules/.cache/passthru'],
    ['a user', BUILT.pathname, { HOME: '/home/ann' }, '/home/ann/.cache/passthru'],
    ['XDG_CACHE_HOME', BUILT.pathname, { HOME: '/home/ann', XDG_CACHE_HOME: '/c' }, '/c/passthru'],
    ['a unit of systemd', BUILT.pathname, { HOME: '/', CACHE_DIRECTORY: '/var/cache/a:/b' }, '/var/cache/a/passthru'],
    ['a relative folder counts as none', BUILT.pathname, { HOME: '/h', XDG_CACHE_HOME: 'c' }, '/h/.cache/passthru'],
    ['no home', BUILT.pathname, { HOME: '' }, null],
  ])('%s', (_why, source, environment, folder) => {
    expect(cacheFolder(source, environment)).toBe(folder);
  });
});

describe('a folder for compiled code', () => {
  const chosen = () => compileCacheFolder(BUILT, { XDG_CACHE_HOME: base });

  test('is made for this user alone', () => {
    expect(chosen()).toBe(join(base, 'passthru'));
    expect(statSync(join(base, 'passthru')).mode & 0o777).toBe(0o700);
  });

  test('is not used when others may write to it, or to the one above it', () => {
    mkdirSync(join(base, 'passthru'));
    chmodSync(join(base, 'passthru'), 0o777);
    expect(chosen()).toBeNull();
    chmodSync(join(base, 'passthru'), 0o755);
    expect(chosen()).not.toBeNull();
    chmodSync(base, 0o777);
    expect(chosen()).toBeNull();
  });

  test('is not used when it is a link', () => {
    mkdirSync(join(base, 'other'));
    symlinkSync('other', join(base, 'passthru'));
    expect(chosen()).toBeNull();
    expect(readdirSync(join(base, 'other'))).toEqual([]);
  });

  test('is not used when it cannot be made', () => {
    expect(compileCacheFolder(BUILT, { XDG_CACHE_HOME: join(base, 'absent', 'deeper') })).toBeNull();
    expect(compileCacheFolder(BUILT, { XDG_CACHE_HOME: '/proc' })).toBeNull();
  });
});
