import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { hostname, tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { loadConfig } from '../../src/config/load.ts';
import { ConfigError } from '../../src/config/problems.ts';
import { SETTINGS } from '../../src/config/schema.ts';

let directory: string;
beforeAll(() => {
  directory = mkdtempSync(join(tmpdir(), 'passthru-config-'));
});
afterAll(() => rmSync(directory, { recursive: true }));

/** Returns the problems of a configuration, without the name of its file. */
function problemsOf(yaml: string, environment: NodeJS.ProcessEnv = {}): string[] {
  const file = writeConfig(yaml);
  try {
    loadConfig({ file, environment });
  } catch (error) {
    if (error instanceof ConfigError) return error.problems.map((problem) => problem.replace(`${file}: `, ''));
    throw error;
  }
  return [];
}

function writeConfig(yaml: string): string {
  const file = join(directory, 'passthru.yaml');
  writeFileSync(file, yaml);
  return file;
}

const DURATION = 'such as 500ms, 1s, 2m; a plain number is in seconds';

describe('an invalid configuration reports the key, the value and what is allowed', () => {
  test.each<[yaml: string, problem: string]>([
    ['listen: 6385', 'listen: 6385 is not allowed; allowed: HOST:PORT, with an IPv6 address in brackets'],
    [
      'listen: 127.0.0.1:65536',
      'listen: "127.0.0.1:65536" is not allowed; allowed: HOST:PORT, with an IPv6 address in brackets',
    ],
    ['listen: "::1:6385"', 'listen: "::1:6385" is not allowed; allowed: HOST:PORT, with an IPv6 address in brackets'],
    [
      'metrics: { listen: 9385 }',
      'metrics.listen: 9385 is not allowed; allowed: HOST:PORT, with an IPv6 address in brackets',
    ],
    [
      'metrics: { listen: "0.0.0.0:9385" }',
      'metrics.listen: "0.0.0.0:9385" is not allowed; allowed: a loopback address such as 127.0.0.1:9385 while auth.type is none (no authentication)',
    ],
    [
      'tracing: { otlp_endpoint: "grpc://collector:4317" }',
      'tracing.otlp_endpoint: "grpc://collector:4317" is not allowed; allowed: an http:// or https:// URL without credentials, such as http://127.0.0.1:4318',
    ],
    [
      'tracing: { otlp_endpoint: "https://me:hunter2@collector" }',
      'tracing.otlp_endpoint: "https://me:******@collector" is not allowed; allowed: an http:// or https:// URL without credentials, such as http://127.0.0.1:4318',
    ],
    [
      'listen: 0.0.0.0:6385',
      'listen: "0.0.0.0:6385" is not allowed; allowed: a loopback address such as 127.0.0.1:6385 while auth.type is none (no authentication)',
    ],
    [
      'store: mysql://h/db',
      'store: "mysql://h/db" is not allowed; allowed: sqlite:PATH, "sqlite::memory:" (nothing is kept), or postgres://USER@HOST/DATABASE',
    ],
    ['nodes_file: 3', 'nodes_file: 3 is not allowed; allowed: the path of a YAML file'],
    ['nodes_file:', 'nodes_file: null is not allowed; allowed: the path of a YAML file'],
    ['nodes_file: ""', 'nodes_file: "" is not allowed; allowed: the path of a YAML file'],
    [
      'metrics: { listen: "" }',
      'metrics.listen: "" is not allowed; allowed: HOST:PORT, with an IPv6 address in brackets',
    ],
    [
      'auth: none',
      'auth: "none" is not allowed; allowed: a mapping with the keys type, http_basic_auth_user_file, roles, default_role, rules, keystone, jwt',
    ],
    [
      'node_locked_retry_attempts: 1.5',
      'node_locked_retry_attempts: 1.5 is not allowed; allowed: a whole number from 0 to 1000',
    ],
    [
      'node_locked_retry_interval: 1 s',
      `node_locked_retry_interval: "1 s" is not allowed; allowed: a duration from 0s to 1h, ${DURATION}`,
    ],
    [
      'node_locked_retry_interval: -1',
      `node_locked_retry_interval: -1 is not allowed; allowed: a duration from 0s to 1h, ${DURATION}`,
    ],
    // setTimeout would overflow, and the wait would end at once.
    [
      'node_locked_retry_attempts: 1000\nnode_locked_retry_interval: 1h',
      'node_locked_retry_attempts: 1000 is not allowed; allowed: at most 25 with node_locked_retry_interval 3600s: the attempts may take 1d in all',
    ],
    [
      'node_locked_retry_attempts: 26\nnode_locked_retry_interval: 60m',
      'node_locked_retry_attempts: 26 is not allowed; allowed: at most 25 with node_locked_retry_interval 3600s: the attempts may take 1d in all',
    ],
    [
      'node_locked_retry_attempts: 1000\nnode_locked_retry_interval: 87',
      'node_locked_retry_attempts: 1000 is not allowed; allowed: at most 994 with node_locked_retry_interval 87s: the attempts may take 1d in all',
    ],
    ['lock_wait_max: 2d', `lock_wait_max: "2d" is not allowed; allowed: a duration from 0s to 1d, ${DURATION}`],
    ['node_lock_lease: 0', `node_lock_lease: 0 is not allowed; allowed: a duration from 1s to 1h, ${DURATION}`],
    ['workers: 0', 'workers: 0 is not allowed; allowed: a whole number from 1 to 128'],
    [
      'workers: 3',
      'workers: 3 is not allowed; allowed: 1 with store "sqlite:./passthru.db", because one process owns a SQLite database; for more set store to postgres://USER@HOST/DATABASE',
    ],
    [
      'workers: 2\nstore: "sqlite::memory:"',
      'workers: 2 is not allowed; allowed: 1 with store "sqlite::memory:", because one process owns a SQLite database; for more set store to postgres://USER@HOST/DATABASE',
    ],
    ['workers_pool_size: 0', 'workers_pool_size: 0 is not allowed; allowed: a whole number from 1 to 10000'],
    ['workers_pool_size: "7"', 'workers_pool_size: "7" is not allowed; allowed: a whole number from 1 to 10000'],
    ...['10.0.0.0/33', '10.0.0/8', 'bmc.example', 'fe80::1%eth0', '10.0.0.0/', '::/129'].map(
      (network): [string, string] => [
        `destinations: { deny: [10.0.0.0/8, "${network}"] }`,
        `destinations.deny[1]: "${network}" is not allowed; allowed: a list of networks such as 10.0.0.0/8 or fd00::/8, or of single addresses`,
      ],
    ),
    ['host: a b', 'host: "a b" is not allowed; allowed: 1 to 255 visible ASCII characters'],
    ['log_level: loud', 'log_level: "loud" is not allowed; allowed: fatal, error, warn, info, debug, trace, silent'],
    [
      'cors_origins: [https://a.example, https://b.example/]',
      'cors_origins[1]: "https://b.example/" is not allowed; allowed: a list of origins such as https://console.example, or * for all',
    ],
    [
      'cors_origins: https://a.example',
      'cors_origins: "https://a.example" is not allowed; allowed: a list of origins such as https://console.example, or * for all',
    ],
    ['shutdown_grace: [1]', `shutdown_grace: [1] is not allowed; allowed: a duration from 0s to 1h, ${DURATION}`],
    ['redfish: { auth_type: digest }', 'redfish.auth_type: "digest" is not allowed; allowed: auto, session, basic'],
    [
      'redfish: { connection_attempts: 0 }',
      'redfish.connection_attempts: 0 is not allowed; allowed: a whole number from 1 to 100',
    ],
    [
      'redfish: { request_timeout: 0 }',
      `redfish.request_timeout: 0 is not allowed; allowed: a duration from 100ms to 1h, ${DURATION}`,
    ],
    [
      'fake: { vendor_delay: true }',
      `fake.vendor_delay: true is not allowed; allowed: a duration from 0s to 1h, ${DURATION}`,
    ],
    ['drivers: [""]', 'drivers[0]: "" is not allowed; allowed: a list of paths or package names'],
    ['log_levl: info', 'log_levl: unknown key (value: "info"); did you mean log_level?'],
    ['request_timeout: 3', 'request_timeout: unknown key (value: 3); did you mean redfish.request_timeout?'],
    ['redfish: { request_timout: 3 }', 'redfish.request_timout: unknown key (value: 3); did you mean request_timeout?'],
    ['fake: { colour: red }', 'fake.colour: unknown key (value: "red"); allowed: vendor_delay'],
  ])('%s', (yaml, problem) => {
    expect(problemsOf(yaml)).toEqual([problem]);
  });

  test.each([
    'node_locked_retry_attempts: 25\nnode_locked_retry_interval: 1h',
    'node_locked_retry_attempts: 1000\nnode_locked_retry_interval: 86s',
    'node_locked_retry_attempts: 0\nnode_locked_retry_interval: 1h',
    'node_locked_retry_interval: 1h',
  ])('%j stays within a day', (yaml) => {
    expect(problemsOf(yaml)).toEqual([]);
  });

  test('several workers are allowed on PostgreSQL, and an invalid store or number is one problem', () => {
    expect(problemsOf('workers: 128\nstore: postgres://u@h/db')).toEqual([]);
    for (const yaml of ['workers: 3\nstore: mysql://h/db', 'workers: 129\nstore: postgres://u@h/db', 'workers: "3"']) {
      expect(problemsOf(yaml), yaml).toHaveLength(1);
    }
  });

  test('a key such as __proto__ is unknown like any other', () => {
    expect(problemsOf('__proto__: { listen: x }')[0]).toMatch(/^__proto__: unknown key/);
    expect(problemsOf('constructor: 1')[0]).toMatch(/^constructor: unknown key/);
  });

  test('every problem is reported at once', () => {
    const problems = problemsOf('listen: 0.0.0.0:1\nlog_level: loud\nfoo: 1\nworkers_pool_size: x', {
      PASSTHRU_HOST: 'a b',
    });
    expect(problems.map((problem) => problem.split(':')[0])).toEqual(
      expect.arrayContaining(['listen', 'log_level', 'foo', 'workers_pool_size', 'PASSTHRU_HOST']),
    );
    expect(problems).toHaveLength(5);
  });

  test('a secret is not repeated', () => {
    const problems = problemsOf(
      'redfish: { password: hunter2 }\napi_token: hunter2\nstore: postgres://u:p/hunter2@?@h/db?password=hunter2&a=b',
    ).join('\n');
    expect(problems).toContain('redfish.password: unknown key (value: ******)');
    expect(problems).toContain('postgres://u:******@h/db?password=******&a=b');
    expect(problems).not.toContain('hunter2');
  });

  test.each([
    ['a: b: hunter2', 'line 1: invalid YAML'],
    ['listen: localhost:1\nlisten: localhost:2', 'line 2: duplicate key'],
    ['[]', 'must be a mapping of keys to values'],
  ])('%j is reported without repeating the file', (yaml, problem) => {
    expect(problemsOf(yaml)).toEqual([problem]);
  });

  test('a missing file is named', () => {
    const file = join(directory, 'absent.yaml');
    expect(() => loadConfig({ file, environment: {} })).toThrow(`${file}: cannot be read: no such file`);
  });
});

describe('the environment', () => {
  test('sets every key, and takes precedence over the file', () => {
    const examples: Record<string, [text: string, value: unknown]> = {
      PASSTHRU_LISTEN: ['[::1]:7000', '[::1]:7000'],
      PASSTHRU_STORE: ['postgres://u@h/db', 'postgres://u@h/db'],
      PASSTHRU_WORKERS: ['3', 3],
      PASSTHRU_NODES_FILE: ['/etc/nodes.yaml', '/etc/nodes.yaml'],
      PASSTHRU_AUTH_TYPE: ['http_basic', 'http_basic'],
      PASSTHRU_AUTH_HTTP_BASIC_AUTH_USER_FILE: ['/etc/users', '/etc/users'],
      PASSTHRU_AUTH_ROLES: ['ann=reader, CN=b=operator', { ann: 'reader', 'CN=b': 'operator' }],
      PASSTHRU_AUTH_DEFAULT_ROLE: ['reader', 'reader'],
      PASSTHRU_AUTH_RULES: [
        '[{"driver": "redfish", "role": "admin"}]',
        [{ driver: 'redfish', method: null, role: 'admin' }],
      ],
      PASSTHRU_AUTH_KEYSTONE_AUTH_URL: ['https://k.example:5000', 'https://k.example:5000'],
      PASSTHRU_AUTH_KEYSTONE_WWW_AUTHENTICATE_URI: ['https://p.example', 'https://p.example'],
      PASSTHRU_AUTH_KEYSTONE_USERNAME: ['passthru', 'passthru'],
      PASSTHRU_AUTH_KEYSTONE_PASSWORD: ['123', '123'],
      PASSTHRU_AUTH_KEYSTONE_USER_DOMAIN_NAME: ['Services', 'Services'],
      PASSTHRU_AUTH_KEYSTONE_PROJECT_NAME: ['service', 'service'],
      PASSTHRU_AUTH_KEYSTONE_PROJECT_DOMAIN_NAME: ['Services', 'Services'],
      PASSTHRU_AUTH_KEYSTONE_TOKEN_CACHE_TIME: ['0', 0],
      PASSTHRU_AUTH_KEYSTONE_PROJECTS: ['infra@Default', ['infra@Default']],
      PASSTHRU_AUTH_KEYSTONE_ROLES: ['member=operator,service=none', { member: 'operator', service: 'none' }],
      PASSTHRU_AUTH_JWT_JWKS_URL: ['https://i.example/keys', 'https://i.example/keys'],
      PASSTHRU_AUTH_JWT_JWKS_FILE: ['/etc/keys.json', '/etc/keys.json'],
      PASSTHRU_AUTH_JWT_ISSUER: ['https://i.example', 'https://i.example'],
      PASSTHRU_AUTH_JWT_AUDIENCE: ['a,b', ['a', 'b']],
      PASSTHRU_AUTH_JWT_ALGORITHMS: ['ES256', ['ES256']],
      PASSTHRU_AUTH_JWT_CLOCK_TOLERANCE: ['1s', 1000],
      PASSTHRU_AUTH_JWT_NAME_CLAIM: ['email', 'email'],
      PASSTHRU_AUTH_JWT_ROLE_CLAIM: ['realm_access.roles', 'realm_access.roles'],
      PASSTHRU_TLS_CERT_FILE: ['/etc/cert.pem', '/etc/cert.pem'],
      PASSTHRU_TLS_KEY_FILE: ['/etc/key.pem', '/etc/key.pem'],
      PASSTHRU_TLS_CLIENT_CA_FILE: ['/etc/ca.pem', '/etc/ca.pem'],
      PASSTHRU_SECRETS_KEY_FILE: ['/etc/secrets.key', '/etc/secrets.key'],
      PASSTHRU_SECRETS_ENCRYPTION_KEYS: ['0123456789abcdef'.repeat(4), '0123456789abcdef'.repeat(4)],
      PASSTHRU_SECRETS_PLAIN: ['true', true],
      PASSTHRU_DESTINATIONS_ALLOW: ['10.1.0.0/16, fd00::1', ['10.1.0.0/16', 'fd00::1']],
      PASSTHRU_DESTINATIONS_DENY: ['["0.0.0.0/0", "::/0"]', ['0.0.0.0/0', '::/0']],
      PASSTHRU_LIMITS_CONNECTIONS: ['100', 100],
      PASSTHRU_LIMITS_CONNECTIONS_PER_PEER: ['50', 50],
      PASSTHRU_LIMITS_CALLS_PER_CALLER: ['7', 7],
      PASSTHRU_LIMITS_JOBS_PER_CALLER: ['50', 50],
      PASSTHRU_LIMITS_JOBS_PER_NODE: ['5', 5],
      PASSTHRU_LIMITS_WATCHES_PER_CALLER: ['8', 8],
      PASSTHRU_LIMITS_RECEIVE_TIMEOUT: ['30s', 30_000],
      PASSTHRU_LIMITS_CONNECTION_MAX_AGE: ['2h', 7_200_000],
      PASSTHRU_EVENTS_LISTEN: ['127.0.0.1:6386', '127.0.0.1:6386'],
      PASSTHRU_EVENTS_URL: ['https://events.example/in', 'https://events.example/in'],
      PASSTHRU_EVENTS_TLS_CERT_FILE: ['/etc/events.crt', '/etc/events.crt'],
      PASSTHRU_EVENTS_TLS_KEY_FILE: ['/etc/events.key', '/etc/events.key'],
      PASSTHRU_EVENTS_VERIFY_SENDER: ['refuse', 'refuse'],
      PASSTHRU_EVENTS_VERIFY_INTERVAL: ['10m', 600_000],
      PASSTHRU_EVENTS_TEST_INTERVAL: ['0s', 0],
      PASSTHRU_EVENTS_TEST_TIMEOUT: ['5s', 5000],
      PASSTHRU_EVENTS_WEBHOOK_URL: ['https://receiver.example/in?key=1', 'https://receiver.example/in?key=1'],
      PASSTHRU_EVENTS_WEBHOOK_SECRET_FILE: ['/etc/webhook.secret', '/etc/webhook.secret'],
      PASSTHRU_EVENTS_WEBHOOK_BATCH: ['100', 100],
      PASSTHRU_EVENTS_WEBHOOK_SKIP_AFTER: ['0s', 0],
      PASSTHRU_EVENTS_RATE: ['50', 50],
      PASSTHRU_EVENTS_TOTAL_RATE: ['500', 500],
      PASSTHRU_EVENTS_CONNECTIONS: ['300', 300],
      PASSTHRU_EVENTS_KEEP_TIME: ['7d', 604_800_000],
      PASSTHRU_EVENTS_KEEP_COUNT: ['1000', 1000],
      PASSTHRU_NODE_LOCKED_RETRY_ATTEMPTS: ['7', 7],
      PASSTHRU_NODE_LOCKED_RETRY_INTERVAL: ['250ms', 250],
      PASSTHRU_LOCK_WAIT_MAX: ['5m', 300_000],
      PASSTHRU_LOCK_DURATION_MAX: ['2h', 7_200_000],
      PASSTHRU_NODE_LOCK_LEASE: ['10', 10_000],
      PASSTHRU_JOB_RETENTION_TIME: ['7d', 604_800_000],
      PASSTHRU_JOB_RETENTION_COUNT: ['5', 5],
      PASSTHRU_RECORDER: ['all', 'all'],
      PASSTHRU_WORKERS_POOL_SIZE: ['8', 8],
      PASSTHRU_HOST: ['replica-2', 'replica-2'],
      PASSTHRU_LOG_LEVEL: ['debug', 'debug'],
      PASSTHRU_AUDIT_LOG: ['off', 'off'],
      PASSTHRU_METRICS_LISTEN: ['[::1]:9385', '[::1]:9385'],
      PASSTHRU_TRACING_OTLP_ENDPOINT: ['http://127.0.0.1:4318', 'http://127.0.0.1:4318'],
      PASSTHRU_TRACING_SAMPLE_PERCENT: ['5', 5],
      PASSTHRU_CORS_ORIGINS: [
        'https://a.example, https://b.example:8443',
        ['https://a.example', 'https://b.example:8443'],
      ],
      PASSTHRU_CONSOLE: ['true', true],
      PASSTHRU_SHUTDOWN_GRACE: ['0', 0],
      PASSTHRU_REDFISH_AUTH_TYPE: ['basic', 'basic'],
      PASSTHRU_REDFISH_CONNECTION_ATTEMPTS: ['1', 1],
      PASSTHRU_REDFISH_CONNECTION_RETRY_INTERVAL: ['1s', 1000],
      PASSTHRU_REDFISH_REQUEST_TIMEOUT: ['1m', 60_000],
      PASSTHRU_REDFISH_CA_FOLDER: ['/cas', '/cas'],
      PASSTHRU_REDFISH_FENCE_HEADER: ['on', 'on'],
      PASSTHRU_FAKE_VENDOR_DELAY: ['2s', 2000],
      PASSTHRU_DRIVERS: ['["/a.js", "package"]', ['/a.js', 'package']],
    };
    expect(Object.keys(examples)).toEqual(SETTINGS.map(({ variable }) => variable));
    const environment = Object.fromEntries(Object.entries(examples).map(([name, [text]]) => [name, text]));
    const file = writeConfig('log_level: warn\nredfish: { auth_type: session }');
    const config = loadConfig({ file, environment });
    for (const { path, variable } of SETTINGS) {
      const value = path.reduce<unknown>((group, part) => (group as Record<string, unknown>)[part], config);
      expect([variable, value]).toEqual([variable, examples[variable]![1]]);
    }
    // As which workers get it.
    expect(JSON.parse(JSON.stringify(config))).toEqual(config);
  });

  test.each([
    [
      'PASSTHRU_WORKERS_POOL_SIZE',
      'many',
      'PASSTHRU_WORKERS_POOL_SIZE: "many" is not allowed; allowed: a whole number from 1 to 10000',
    ],
    [
      'PASSTHRU_LOG_LEVL',
      'info',
      'PASSTHRU_LOG_LEVL: unknown setting (value: "info"); did you mean PASSTHRU_LOG_LEVEL?',
    ],
    ['PASSTHRU_FOO', 'x', 'PASSTHRU_FOO: unknown setting (value: "x"); docs/configuration.md lists all'],
    ['PASSTHRU_REDFISH_PASSWORD', 'hunter2', /^PASSTHRU_REDFISH_PASSWORD: unknown setting \(value: \*{6}\); /],
  ])('%s=%s is refused', (variable, text, problem) => {
    expect(problemsOf('', { [variable]: text })).toEqual([
      typeof problem === 'string' ? problem : expect.stringMatching(problem),
    ]);
  });

  test('ignores variables of the client, and those that Kubernetes sets for a Service named passthru', () => {
    const environment = {
      PASSTHRU_SERVER: 'http://127.0.0.1:6385',
      PASSTHRU_SERVICE_HOST: '10.0.0.1',
      PASSTHRU_SERVICE_PORT: '6385',
      PASSTHRU_SERVICE_PORT_GRPC: '6385',
      PASSTHRU_PORT: 'tcp://10.0.0.1:6385',
      PASSTHRU_PORT_6385_TCP_ADDR: '10.0.0.1',
      PASSTHRU_LOG_LEVEL: '',
    };
    expect(loadConfig({ file: null, environment }).log_level).toBe('info');
  });
});

test('without a file every key has its default', () => {
  expect(loadConfig({ file: null, environment: {} })).toEqual({
    listen: '127.0.0.1:6385',
    store: `sqlite:${join(process.cwd(), 'passthru.db')}`,
    nodes_file: null,
    auth: {
      type: 'none',
      http_basic_auth_user_file: null,
      roles: {},
      default_role: 'none',
      rules: [],
      keystone: {
        auth_url: null,
        www_authenticate_uri: null,
        username: null,
        password: null,
        user_domain_name: 'Default',
        project_name: null,
        project_domain_name: 'Default',
        token_cache_time: 300_000,
        projects: [],
        roles: {},
      },
      jwt: {
        jwks_url: null,
        jwks_file: null,
        issuer: null,
        audience: [],
        algorithms: ['RS256', 'PS256', 'ES256', 'EdDSA'],
        clock_tolerance: 30_000,
        name_claim: 'sub',
        role_claim: 'roles',
      },
    },
    tls: { cert_file: null, key_file: null, client_ca_file: null },
    secrets: { key_file: null, encryption_keys: null, plain: false },
    destinations: { allow: [], deny: [] },
    events: {
      listen: null,
      url: null,
      tls: { cert_file: null, key_file: null },
      verify_sender: 'warn',
      verify_interval: 300_000,
      test_interval: 86_400_000,
      test_timeout: 30_000,
      webhook: { url: null, secret_file: null, batch: 1, skip_after: 3_600_000 },
      rate: 100,
      total_rate: 5000,
      connections: 1000,
      keep_time: 2_592_000_000,
      keep_count: 1_000_000,
    },
    node_locked_retry_attempts: 3,
    node_locked_retry_interval: 1000,
    limits: {
      connections: 4000,
      connections_per_peer: 1000,
      calls_per_caller: 1000,
      jobs_per_caller: 75,
      jobs_per_node: 10,
      watches_per_caller: 1000,
      receive_timeout: 60_000,
      connection_max_age: 3_600_000,
    },
    lock_wait_max: 60_000,
    lock_duration_max: 86_400_000,
    node_lock_lease: 30_000,
    job_retention_time: 30 * 86_400_000,
    job_retention_count: 100_000,
    recorder: 'failures',
    workers: 1,
    workers_pool_size: 100,
    host: hostname(),
    log_level: 'info',
    audit_log: 'on',
    metrics: { listen: null },
    tracing: { otlp_endpoint: null, sample_percent: 100 },
    cors_origins: [],
    console: true,
    shutdown_grace: 10_000,
    redfish: {
      auth_type: 'auto',
      connection_attempts: 5,
      connection_retry_interval: 4000,
      request_timeout: 60_000,
      ca_folder: '/etc/ssl',
      fence_header: 'off',
    },
    fake: { vendor_delay: 0 },
    drivers: [],
  });
});

test("relative paths are resolved from the file's directory; packages and :memory: are not paths", () => {
  const file = writeConfig('store: sqlite:./data/p.db\nnodes_file: nodes.yaml\ndrivers: [./d.js, /x/d.js, pkg]');
  expect(loadConfig({ file, environment: {} })).toMatchObject({
    store: `sqlite:${join(directory, 'data/p.db')}`,
    nodes_file: join(directory, 'nodes.yaml'),
    drivers: [join(directory, 'd.js'), '/x/d.js', 'pkg'],
  });
  expect(loadConfig({ file: writeConfig('store: "sqlite::memory:"'), environment: {} }).store).toBe('sqlite::memory:');
});

test('an empty file gives the defaults', () => {
  expect(problemsOf('')).toEqual([]);
  expect(problemsOf('# nothing yet\n')).toEqual([]);
});
