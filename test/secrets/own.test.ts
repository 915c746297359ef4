import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test, vi } from 'vitest';
import { passthru, serve, startPassthru } from '../cli/run.ts';
import { found, MARKERS } from './markers.ts';

// Each service is a process, which is slow to start on a busy machine.
vi.setConfig({ testTimeout: 120_000 });

let directory: string;
beforeAll(() => {
  directory = mkdtempSync(join(tmpdir(), 'passthru-own-'));
});
afterAll(() => rmSync(directory, { recursive: true }));

describe("the service's own secrets are hidden when it", () => {
  const settings = { PASSTHRU_STORE: 'sqlite::memory:', PASSTHRU_LISTEN: '127.0.0.1:0', PASSTHRU_LOG_LEVEL: 'trace' };
  const plain = { PASSTHRU_SECRETS_PLAIN: 'true' };

  test('cannot reach Keystone', async () => {
    const service = await serve([], {
      ...settings,
      PASSTHRU_AUTH_TYPE: 'keystone',
      PASSTHRU_AUTH_KEYSTONE_AUTH_URL: 'http://127.0.0.1:9',
      PASSTHRU_AUTH_KEYSTONE_USERNAME: 'passthru',
      PASSTHRU_AUTH_KEYSTONE_PASSWORD: MARKERS.keystone,
    });
    const response = await fetch(`${service.url}/v1/nodes`, { headers: { 'x-auth-token': MARKERS.bearer } });
    const text = `${JSON.stringify([...response.headers])} ${await response.text()}`;
    expect(response.status).toBe(503);
    const { stdout, stderr } = await service.stop();
    expect(stderr).toContain('Keystone check failed');
    expect(found(text + stdout + stderr)).toEqual([]);
  });

  test.each<[what: string, settings: NodeJS.ProcessEnv]>([
    ['cannot reach PostgreSQL', { ...plain, PASSTHRU_STORE: `postgres://u:${MARKERS.postgres}@127.0.0.1:9/db` }],
    ['is given a bad URL', { ...plain, PASSTHRU_STORE: `postgres://u:${MARKERS.postgres}@127.0.0.1:9/db?sslmod=x` }],
    ['is given another bad URL', { ...plain, PASSTHRU_STORE: `postgres://u:${MARKERS.postgres}/@127.0.0.1:x/db` }],
    ['is given a bad key', { PASSTHRU_SECRETS_ENCRYPTION_KEYS: MARKERS.keyFile }],
    ['is given a misspelt variable', { PASSTHRU_AUTH_KEYSTONE_PASSWORT: MARKERS.keystone }],
  ])('%s', async (_what, more) => {
    const { status, stdout, stderr } = await passthru(['serve'], { ...settings, ...more });
    expect(status).toBe(1);
    expect(found(stdout + stderr)).toEqual([]);
  });

  test.each([
    { auth: { type: 'keystone', keystone: { passwort: MARKERS.keystone, password: [MARKERS.keystone] } } },
    { secrets: { encryption_keys: [MARKERS.keyFile], encryption_key: MARKERS.keyFile } },
    { nodes_file: 'nodes-wrong.yaml' },
    { secrets: { key_file: 'wrong.key' } },
  ])('is given the file %o', async (config) => {
    writeFileSync(join(directory, 'wrong.key'), MARKERS.keyFile);
    const nodes = [{ name: 'x', driver: 'redfish', driver_info: MARKERS.body, password: MARKERS.body }];
    writeFileSync(join(directory, 'nodes-wrong.yaml'), JSON.stringify({ nodes }));
    writeFileSync(join(directory, 'wrong.yaml'), JSON.stringify(config));
    const command = startPassthru(['serve', '--config', join(directory, 'wrong.yaml')], settings);
    const { status, stdout, stderr } = await command.ended;
    expect(status).toBe(1);
    expect(found(stdout + stderr)).toEqual([]);
  });
});
