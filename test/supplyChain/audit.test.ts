import { once } from 'node:events';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { start } from '../cli/run.ts';

const SCRIPT = fileURLToPath(new URL('../../.ci/audit.mjs', import.meta.url));
const lock = JSON.parse(readFileSync(new URL('../../package-lock.json', import.meta.url), 'utf8'));
const { version } = lock.packages['node_modules/undici'];

const advisory = (severity: string) => ({
  undici: [{ id: 1, url: 'https://advisories.example/1', title: 'It leaks', severity, vulnerable_versions: '*' }],
});

let registry: Server;
let cache: string;
beforeEach(() => {
  // npm caches what it derives from an advisory.
  cache = mkdtempSync(join(tmpdir(), 'passthru-audit-'));
});
afterEach(() => {
  registry.close();
  rmSync(cache, { recursive: true });
});

/** Runs `npm run audit` with a registry that serves these advisories; null for one that serves none. */
async function audit(advisories: object | null) {
  registry = createServer((request, response) => {
    if (request.method === 'POST' && advisories === null) response.writeHead(405).end();
    else if (request.method === 'POST') response.end(JSON.stringify(advisories));
    // npm fetches the versions of a package that has an advisory.
    else response.end(JSON.stringify({ name: 'undici', versions: { [version]: { name: 'undici', version } } }));
  }).listen(0, '127.0.0.1');
  await once(registry, 'listening');
  const url = `http://127.0.0.1:${(registry.address() as AddressInfo).port}/`;
  return await start(process.execPath, [SCRIPT], {
    npm_config_registry: url,
    npm_config_fetch_retries: '0',
    npm_config_cache: cache,
  }).ended;
}

test.each([{}, advisory('low')])(
  'the audit passes without an advisory, or with one of level low: %j',
  async (advisories) => {
    const { status, stdout, stderr } = await audit(advisories);
    expect([status, stderr]).toEqual([0, '']);
    expect(stdout).toContain('no advisory of level moderate or above');
  },
  60_000,
);

test.each(['moderate', 'critical'])(
  'the audit fails for an advisory of level %s, and names it',
  async (severity) => {
    const { status, stderr } = await audit(advisory(severity));
    expect(status).toBe(1);
    expect(stderr).toContain(`audit: undici * (${severity}): It leaks https://advisories.example/1`);
  },
  60_000,
);

test('reports that the audit was skipped when the registry is unreachable', async () => {
  const { status, stderr } = await audit(null);
  expect(status).toBe(2);
  expect(stderr).toMatch(/^audit: NOT CHECKED, the registry serves no advisories: 405 Method Not Allowed/);
}, 60_000);
