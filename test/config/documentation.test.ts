import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { describe, expect, test } from 'vitest';
import { parse } from 'yaml';
import { z } from 'zod';
import { generateConfigFiles } from '../../schema/generate.ts';
import { loadConfig } from '../../src/config/load.ts';
import { configSchema, SETTINGS } from '../../src/config/schema.ts';

const read = (path: string) => readFileSync(new URL(`../../${path}`, import.meta.url), 'utf8');

describe("generated from the configuration's keys, and fresh (npm run generate:config):", () => {
  test.each(Object.entries(generateConfigFiles()))('%s', (path, content) => {
    expect(read(path)).toBe(content);
  });
});

const page = read('docs/configuration.md');

test('docs/configuration.md lists every key and its variable', () => {
  for (const { key, variable } of SETTINGS) expect(page).toContain(`| \`${key}\`<br>\`${variable}\` |`);
});

test('the file shown in docs/configuration.md is a valid configuration', () => {
  const [, yaml] = /```yaml\n(?:#.*\n)*(listen[\s\S]*?)```/.exec(page)!;
  expect(configSchema.safeParse(parse(yaml!))).toMatchObject({ success: true });
});

const example = read('examples/passthru.yaml');
/** The example with its commented-out keys enabled. */
const complete = example.replace(/^( *)#(?=[a-z])/gm, '$1');

describe('examples/passthru.yaml', () => {
  test('is the configuration that applies without a file', () => {
    const file = fileURLToPath(new URL('../../examples/passthru.yaml', import.meta.url));
    const { store: _, ...config } = loadConfig({ file, environment: {} });
    const { store: __, ...defaults } = loadConfig({ file: null, environment: {} });
    expect(config).toEqual(defaults);
  });

  test('has every key', () => {
    const content = parse(complete);
    const missing = SETTINGS.filter(({ path }) => path.reduce((group, part) => group?.[part], content) === undefined);
    expect(missing.map(({ key }) => key)).toEqual([]);
  });

  test('contains no key that would be accepted as a secret', () => {
    expect(configSchema.safeParse(parse(complete)).error?.issues.map(({ path }) => path.join('.'))).toContain(
      'secrets.encryption_keys',
    );
  });
});

describe('schema/passthru.schema.json', () => {
  const schema = JSON.parse(read('schema/passthru.schema.json'));
  const validator = z.fromJSONSchema(schema);
  const isValid = (content: unknown) => validator.safeParse(content).success;

  test('describes every key', () => {
    const undescribed = SETTINGS.filter(({ path, description }) => {
      const found = path.reduce((group, part) => group?.properties?.[part], schema);
      return !found?.description?.startsWith(description);
    });
    expect(undescribed.map(({ key }) => key)).toEqual([]);
  });

  test('accepts the examples', () => {
    const shown = [...page.matchAll(/```yaml\n((?:#.*\n)*listen[\s\S]*?)```/g)].map(([, yaml]) => yaml!);
    const guarded = /```yaml\n(listen[\s\S]*?)```/.exec(read('docs/authentication.md'))![1]!;
    for (const yaml of [read('examples/config.yaml'), example, complete, guarded, ...shown]) {
      expect(validator.safeParse(parse(yaml))).toMatchObject({ success: true });
    }
  });

  test.each([
    { listen: '6385' },
    { listen: '::1:6385' },
    { store: 'mysql://h/db' },
    { shutdown_grace: '10 s' },
    { shutdown_grace: -1 },
    { shutdown_grace: null },
    { workers_pool_size: 0 },
    { workers_pool_size: '7' },
    { log_level: 'loud' },
    { log_levl: 'info' },
    { redfish: { request_timout: '3s' } },
    { auth: 'none' },
    { auth: { roles: { ann: 'root' } } },
    { auth: { rules: [{ driver: 'redfish', role: 'root' }] } },
    { auth: { rules: [{ drivr: 'redfish', role: 'admin' }] } },
    { auth: { jwt: { algorithms: ['HS256'] } } },
    { auth: { jwt: { audience: '' } } },
    { destinations: { deny: ['bmc.example'] } },
    { cors_origins: ['https://b.example/'] },
    { tracing: { otlp_endpoint: 'http://me:hunter2@collector' } },
    { drivers: [''] },
    { tls: { cert_file: '' } },
  ])('rejects %j', (content) => {
    expect(isValid(content)).toBe(false);
    expect(configSchema.safeParse(content).success).toBe(false);
  });

  test.each([
    { shutdown_grace: 0.5 },
    { shutdown_grace: '1.5m' },
    { listen: '[::1]:0' },
    { auth: { jwt: { audience: 'a' } } },
    { destinations: { allow: ['fd00::/8', '10.1.2.3'] } },
    {},
  ])('accepts %j', (content) => {
    expect(isValid(content)).toBe(true);
    expect(configSchema.safeParse(content).success).toBe(true);
  });
});
