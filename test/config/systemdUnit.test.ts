import { spawnSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { loadConfig } from '../../src/config/load.ts';
import { needs } from '../needs.ts';

const unit = readFileSync(new URL('../../examples/deploy/passthru.service', import.meta.url), 'utf8');

/** Returns the values of a directive, in order. */
function valuesOf(name: string): string[] {
  return [...unit.matchAll(new RegExp(`^${name}=(.*)$`, 'gm'))].map(([, value]) => value!);
}

test('the unit supervises the service itself, waits for its shutdown, and keeps its store in the state directory', () => {
  expect(valuesOf('ExecStart')).toEqual(['/usr/bin/passthru serve --config /etc/passthru/passthru.yaml']);
  expect(valuesOf('ExecStartPre')).toEqual(['/usr/bin/passthru serve --config /etc/passthru/passthru.yaml --check']);
  expect(valuesOf('StateDirectory')).toEqual(['passthru']);
  const environment = Object.fromEntries(valuesOf('Environment').map((line) => line.split(/=(.*)/s).slice(0, 2)));
  const config = loadConfig({ file: null, environment });
  expect(config.store).toBe('sqlite:/var/lib/passthru/passthru.db');
  expect(config.secrets.key_file).toMatch(/%d\/secrets\.key$/);
  // The log-outs at BMCs take up to 15 s; docs/operating.md.
  expect(Number(valuesOf('TimeoutStopSec')[0]) * 1000).toBeGreaterThanOrEqual(config.shutdown_grace + 15_000);
});

const hasSystemd = spawnSync('systemd-analyze', ['--version']).status === 0;

test('systemd accepts the unit', needs(hasSystemd ? null : 'systemd-analyze (Debian: systemd)'), () => {
  const folder = mkdtempSync(join(tmpdir(), 'passthru-unit-'));
  try {
    const file = join(folder, 'passthru.service');
    // The command need not be installed here.
    writeFileSync(file, unit.replaceAll('/usr/bin/passthru', process.execPath));
    // Warnings, such as for an unknown directive, go to standard error with status 0.
    const { status, stderr } = spawnSync('systemd-analyze', ['verify', '--man=no', file], { encoding: 'utf8' });
    expect(stderr.split('\n').filter((line) => line.includes('passthru.service'))).toEqual([]);
    expect(status).toBe(0);
  } finally {
    rmSync(folder, { recursive: true });
  }
});
