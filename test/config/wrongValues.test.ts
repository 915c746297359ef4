import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { loadConfig } from '../../src/config/load.ts';
import { ConfigError } from '../../src/config/problems.ts';
import { SETTINGS } from '../../src/config/schema.ts';
import { isSecretName } from '../../src/core/secretNames.ts';

let directory: string;
beforeAll(() => {
  directory = mkdtempSync(join(tmpdir(), 'passthru-wrong-'));
});
afterAll(() => rmSync(directory, { recursive: true }));

/** Returns the problems that prevent the start. */
function problemsOf(content: object, environment: NodeJS.ProcessEnv = {}): string[] {
  const file = join(directory, 'passthru.yaml');
  // JSON is YAML.
  writeFileSync(file, JSON.stringify(content));
  try {
    loadConfig({ file, environment });
    return [];
  } catch (error) {
    if (error instanceof ConfigError) return error.problems.map((problem) => problem.replace(`${file}: `, ''));
    throw error;
  }
}

/** For a setting whose variable accepts any text; an empty one counts as not set. */
const ANY_TEXT = null;

/** For each setting a value that the file may not have, and a text that its variable may not have. */
const WRONG: Readonly<Record<string, [value: unknown, text: string | typeof ANY_TEXT]>> = {
  listen: ['example', '6385'],
  store: ['mysql://h/db', 'passthru.db'],
  workers: [0, 'many'],
  nodes_file: ['', ANY_TEXT],
  'auth.type': ['digest', 'basic'],
  'auth.http_basic_auth_user_file': [true, ANY_TEXT],
  'auth.roles': [['ann'], 'ann'],
  'auth.default_role': ['everyone', 'superuser'],
  'auth.rules': [{ role: 'admin' }, 'redfish=admin'],
  'auth.keystone.auth_url': ['k.example:5000', 'k.example'],
  'auth.keystone.www_authenticate_uri': ['ftp://k.example', 'k.example'],
  'auth.keystone.username': [7, ANY_TEXT],
  'auth.keystone.password': ['', ANY_TEXT],
  'auth.keystone.user_domain_name': ['', ANY_TEXT],
  'auth.keystone.project_name': ['', ANY_TEXT],
  'auth.keystone.project_domain_name': ['', ANY_TEXT],
  'auth.keystone.token_cache_time': ['2h', 'long'],
  'auth.keystone.projects': [3, '["a", 1]'],
  'auth.keystone.roles': [['member'], 'member'],
  'auth.jwt.jwks_url': ['http://i.example/keys', 'i.example'],
  'auth.jwt.jwks_file': ['', ANY_TEXT],
  'auth.jwt.issuer': ['', ANY_TEXT],
  'auth.jwt.audience': [{ a: 1 }, '["a", 1]'],
  'auth.jwt.algorithms': ['HS256', 'none'],
  'auth.jwt.clock_tolerance': ['11m', '-1'],
  'auth.jwt.name_claim': ['', ANY_TEXT],
  'auth.jwt.role_claim': [1, ANY_TEXT],
  'tls.cert_file': ['', ANY_TEXT],
  'tls.key_file': ['', ANY_TEXT],
  'tls.client_ca_file': ['', ANY_TEXT],
  'secrets.key_file': ['', ANY_TEXT],
  'secrets.encryption_keys': ['short', 'short'],
  'secrets.plain': ['yes', 'yes'],
  'destinations.allow': ['10.0.0.0/8', '10.0.0/8'],
  'destinations.deny': [3, 'bmc.example'],
  'limits.connections': [0, 'many'],
  'limits.connections_per_peer': [0, '1.5'],
  'limits.calls_per_caller': [0, '-1'],
  'limits.jobs_per_caller': [0, 'x'],
  'limits.jobs_per_node': [10_001, '-1'],
  'limits.watches_per_caller': ['1', 'x'],
  'limits.receive_timeout': ['0s', 'soon'],
  'limits.connection_max_age': ['1s', 'old'],
  'events.listen': ['6386', 'events'],
  'events.url': ['https://user@events.example', 'events.example'],
  'events.tls.cert_file': ['', ANY_TEXT],
  'events.tls.key_file': ['', ANY_TEXT],
  'events.verify_sender': ['on', 'always'],
  'events.verify_interval': ['0s', 'often'],
  'events.test_interval': ['366d', 'never'],
  'events.test_timeout': ['0s', 'short'],
  'events.webhook.url': ['https://user@receiver.example', 'ftp://receiver.example'],
  'events.webhook.secret_file': ['', ANY_TEXT],
  'events.webhook.batch': [501, 'many'],
  'events.webhook.skip_after': ['366d', 'never'],
  'events.rate': [0, 'x'],
  'events.total_rate': [0, '-1'],
  'events.connections': [9, 'many'],
  'events.keep_time': ['1s', 'old'],
  'events.keep_count': [-1, 'all'],
  node_locked_retry_attempts: [1.5, '1001'],
  node_locked_retry_interval: ['1 s', '2h'],
  lock_wait_max: ['2d', 'x'],
  lock_duration_max: ['0s', 'x'],
  node_lock_lease: [0, '2h'],
  job_retention_time: ['1h', '1y'],
  job_retention_count: [-1, 'all'],
  recorder: ['on', 'failure'],
  workers_pool_size: ['7', '0'],
  host: ['a b', 'ä'],
  log_level: ['loud', 'INFO'],
  audit_log: [true, 'yes'],
  'metrics.listen': ['9385', 'metrics'],
  'tracing.otlp_endpoint': ['grpc://collector:4317', 'collector'],
  'tracing.sample_percent': [101, '-1'],
  cors_origins: ['https://a.example', 'a.example'],
  console: ['yes', 'perhaps'],
  shutdown_grace: [[1], 'x'],
  'redfish.auth_type': ['digest', 'none'],
  'redfish.connection_attempts': [0, '101'],
  'redfish.connection_retry_interval': [-1, 'x'],
  'redfish.request_timeout': ['1ms', 'x'],
  'redfish.ca_folder': [true, ANY_TEXT],
  'redfish.fence_header': [true, 'yes'],
  'fake.vendor_delay': [true, 'x'],
  drivers: ['./driver.js', '[""]'],
};

test('every setting is in the table', () => {
  expect(Object.keys(WRONG)).toEqual(SETTINGS.map(({ key }) => key));
});

describe('the start is refused with the key, the value and what is allowed:', () => {
  test.each(SETTINGS.map((setting) => [setting.key, setting] as const))('%s', (key, { path, variable, allowed }) => {
    const [value, text] = WRONG[key]!;
    const content = path.reduceRight<unknown>((inner, part) => ({ [part]: inner }), value) as object;
    const shown = isSecretName(path.at(-1)!) ? '******' : JSON.stringify(value);
    expect(problemsOf(content)).toContainEqual(notAllowed(key, shown, allowed));
    if (text === ANY_TEXT) {
      expect(problemsOf({}, { [variable]: 'any text' }).filter((problem) => problem.startsWith(variable))).toEqual([]);
    } else {
      expect(problemsOf({}, { [variable]: text })).toContainEqual(notAllowed(variable, '.*', allowed));
    }
  });
});

/** Matches the whole message, also about one item of a list; `shown` is the value, `.*` for any. */
function notAllowed(name: string, shown: string, allowed: string) {
  const literal = (text: string) => text.replaceAll(/[.*+?^${}()|[\]\\]/g, '\\$&');
  const value = shown === '.*' ? shown : literal(shown);
  return expect.stringMatching(
    new RegExp(`^${literal(name)}(?:\\[\\d+\\])?: ${value} is not allowed; allowed: ${literal(allowed)}$`),
  );
}
