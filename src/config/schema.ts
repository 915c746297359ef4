import { hostname } from 'node:os';
import { isAbsolute, join } from 'node:path';
import { z } from 'zod';
import { isJsonObject } from '../core/json.ts';
import { isLoopback, parseListenAddress } from '../net/listenAddress.ts';
import { authFaults } from './authFaults.ts';
import { authKeys, tlsKeys } from './authSettings.ts';
import { destinationKeys, limitKeys } from './limitSettings.ts';
import { auditLogKey, metricsKeys, tracingKeys } from './observabilitySettings.ts';
import { secretsKeys } from './secretsSettings.ts';
import {
  choiceSetting,
  durationSetting,
  integerSetting,
  listSetting,
  listSettings,
  optionalTextSetting,
  textSetting,
} from './setting.ts';

/**
 * Every key of the configuration. The file, the environment, the messages and docs/configuration.md are all made of
 * this. Keys keep Ironic's names where Ironic has the same one.
 */
const keys = z.strictObject({
  listen: textSetting('127.0.0.1:6385', (text) => parseListenAddress(text) !== null, {
    description: 'Where the service listens; gRPC, gRPC-Web, Connect and REST share the port. Port 0 takes a free one.',
    allowed: 'HOST:PORT, with an IPv6 address in brackets',
  }),
  store: textSetting('sqlite:./passthru.db', isStore, {
    description:
      'Where nodes, reservations and jobs are kept: a file, which is made when it is not there, or a PostgreSQL database; see "PostgreSQL".',
    allowed: 'sqlite:PATH, "sqlite::memory:" to keep nothing, or postgres://USER@HOST/DATABASE',
  }),
  nodes_file: optionalTextSetting({
    description: 'A file of nodes to enrol at the start; see "The nodes file".',
    allowed: 'the path of a YAML file',
  }),
  auth: authKeys.prefault({}),
  tls: tlsKeys.prefault({}),
  secrets: secretsKeys.prefault({}),
  destinations: destinationKeys.prefault({}),
  limits: limitKeys.prefault({}),
  node_locked_retry_attempts: integerSetting(
    3,
    0,
    1000,
    'How often a call that gives no wait of its own tries to lock a node before it is refused.',
  ),
  node_locked_retry_interval: durationSetting(
    '1s',
    '0s',
    '1h',
    'The time between two of these tries. A lock that is freed in this process is taken at once.',
  ),
  lock_wait_max: durationSetting(
    '60s',
    '0s',
    '1d',
    'The longest time that a call may ask to wait for a locked node (`lock_wait`, `Passthru-Lock-Wait`).',
  ),
  node_lock_lease: durationSetting(
    '30s',
    '1s',
    '1h',
    'How long a process that shares its store with others may be out of touch before what it runs counts as lost: its jobs fail then, and its nodes are released after the longest timeout of a request to a node it called (60 s by default). On SQLite, which one process has alone, the next start frees them at once.',
  ),
  job_retention_time: durationSetting('30d', '1d', '3650d', 'How long an ended job is kept.'),
  job_retention_count: integerSetting(
    100_000,
    0,
    10_000_000,
    'How many ended jobs are kept at most; the oldest go first. A repeat of a call whose job is gone, with its idempotency key, is answered with 404.',
  ),
  workers_pool_size: integerSetting(
    100,
    1,
    10_000,
    'How many asynchronous methods run at a time; one more is answered with 503 and RESOURCE_EXHAUSTED.',
  ),
  host: textSetting(hostname, (text) => /^[\x21-\x7e]{1,255}$/.test(text), {
    description: "The name that reservations of this process, and Ironic's list of conductors, show.",
    allowed: '1 to 255 visible ASCII characters',
    defaultText: "the host's name",
  }),
  log_level: choiceSetting('info', ['fatal', 'error', 'warn', 'info', 'debug', 'trace', 'silent'], {
    description: 'What is logged to standard error, as one JSON object a line: this level and those above it.',
  }),
  audit_log: auditLogKey,
  metrics: metricsKeys.prefault({}),
  tracing: tracingKeys.prefault({}),
  cors_origins: listSetting(isOrigin, {
    description: 'The origins whose pages may call the service from a browser.',
    allowed: 'a list of origins such as https://console.example, or * for all',
  }),
  shutdown_grace: durationSetting(
    '10s',
    '0s',
    '1h',
    'How long a stopping service lets running calls end before it aborts them.',
  ),
  redfish: z
    .strictObject({
      auth_type: choiceSetting('auto', ['auto', 'session', 'basic'], {
        description:
          'How the service signs on to a BMC whose node does not say `redfish_auth_type`. `auto` is a session, or Basic where the BMC has no sessions.',
      }),
      connection_attempts: integerSetting(5, 1, 100, 'How often a BMC that cannot be reached is tried.'),
      connection_retry_interval: durationSetting('4s', '0s', '1h', 'The time between two of these tries.'),
      request_timeout: durationSetting('60s', '100ms', '1h', 'How long a BMC may take to answer one request.'),
      fence_header: choiceSetting('off', ['off', 'on'], {
        description:
          'Whether requests to BMCs carry the headers `X-Passthru-Node` and `X-Passthru-Fence`, the number of the reservation that they are sent under. For tests with simulated BMCs.',
      }),
    })
    .prefault({}),
  fake: z
    .strictObject({
      vendor_delay: durationSetting('0s', '0s', '1h', 'How long a method of the `fake-hardware` driver takes.'),
    })
    .prefault({}),
  drivers: listSetting((text) => text !== '', {
    description: 'Modules that add hardware types; see examples/.',
    allowed: 'a list of paths or package names',
  }),
});

/** Checks across keys run even when single keys are invalid, so that every problem is reported at once. */
const when = ({ value }: { value: unknown }) => isJsonObject(value);

/** `keys`, and what holds between them. */
export const configSchema = keys
  .refine(isGuarded, {
    path: ['listen'],
    when,
    error: 'while auth.type is none, which believes everybody, a loopback address such as 127.0.0.1:6385',
  })
  .refine(({ metrics, auth }) => areFiguresGuarded(metrics?.listen, auth?.type), {
    path: ['metrics', 'listen'],
    when,
    error: 'while auth.type is none, which believes everybody, a loopback address such as 127.0.0.1:9385',
  })
  .refine(isLockWaitBounded, {
    path: ['node_locked_retry_attempts'],
    when,
    error: ({ input }) => {
      const { node_locked_retry_interval: interval } = input as Config;
      const most = Math.floor(LONGEST_LOCK_WAIT / interval) + 1;
      return `at most ${most} with node_locked_retry_interval ${interval / 1000}s: the attempts may take 1d in all`;
    },
  })
  .superRefine(
    (value, context) => {
      for (const { path, message } of authFaults(value)) context.addIssue({ code: 'custom', path, message });
    },
    { when },
  );

/** The configuration, whole and checked. Durations are milliseconds; paths are absolute. */
export type Config = z.output<typeof keys>;

/** Every setting, in the order of the documentation. */
export const SETTINGS = listSettings(keys);

/** `config` with its relative paths made absolute from `directory`. */
export function resolvePaths(config: Config, directory: string): Config {
  const absolute = (path: string) => (isAbsolute(path) ? path : join(directory, path));
  const optional = (path: string | null) => (path === null ? null : absolute(path));
  const file = /^sqlite:([^:].*)$/s.exec(config.store)?.[1];
  return {
    ...config,
    store: file === undefined ? config.store : `sqlite:${absolute(file)}`,
    nodes_file: optional(config.nodes_file),
    auth: {
      ...config.auth,
      http_basic_auth_user_file: optional(config.auth.http_basic_auth_user_file),
      jwt: { ...config.auth.jwt, jwks_file: optional(config.auth.jwt.jwks_file) },
    },
    tls: {
      cert_file: optional(config.tls.cert_file),
      key_file: optional(config.tls.key_file),
      client_ca_file: optional(config.tls.client_ca_file),
    },
    secrets: { ...config.secrets, key_file: optional(config.secrets.key_file) },
    drivers: config.drivers.map((module) => (module.startsWith('.') ? absolute(module) : module)),
  };
}

/** The longest time that the attempts to lock a node may take in all, in ms. */
const LONGEST_LOCK_WAIT = 24 * 60 * 60 * 1000;

/** Whether the wait for a locked node is one that a timer can hold; true when one of the two keys is invalid itself. */
function isLockWaitBounded({ node_locked_retry_attempts: attempts, node_locked_retry_interval: interval }: Config) {
  if (typeof attempts !== 'number' || typeof interval !== 'number') return true;
  return (attempts - 1) * interval <= LONGEST_LOCK_WAIT;
}

/** Whether only this machine can reach a service that believes everybody. */
function isGuarded({ listen, auth }: Config): boolean {
  const address = typeof listen === 'string' ? parseListenAddress(listen) : null;
  return address === null || auth?.type !== 'none' || isLoopback(address.host);
}

/** As `isGuarded`, of the figures' own address. */
function areFiguresGuarded(listen: unknown, type: unknown): boolean {
  const address = typeof listen === 'string' ? parseListenAddress(listen) : null;
  return address === null || type !== 'none' || isLoopback(address.host);
}

function isStore(text: string): boolean {
  return /^sqlite:./.test(text) || (/^postgres(ql)?:\/\//.test(text) && URL.canParse(text));
}

function isOrigin(text: string): boolean {
  return text === '*' || (/^https?:\/\//.test(text) && URL.canParse(text) && new URL(text).origin === text);
}
