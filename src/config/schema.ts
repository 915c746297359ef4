// The configuration: its keys, their checks, and the files and variables that set them.
import { hostname } from 'node:os';
import { isAbsolute, join, resolve } from 'node:path';
import { z } from 'zod';
import { isJsonObject } from '../core/json.ts';
import { parseListenAddress } from '../net/listenAddress.ts';
import { authKeys, checkAuth, tlsKeys } from './authSettings.ts';
import { checkEvents, eventKeys } from './eventSettings.ts';
import { destinationKeys, limitKeys } from './limitSettings.ts';
import { secretsKeys } from './secretsSettings.ts';
import {
  booleanSetting,
  choiceSetting,
  durationSetting,
  integerSetting,
  listSetting,
  listSettings,
  optionalTextSetting,
  textSetting,
} from './setting.ts';
import { checkWorkers, workersKey } from './workerSettings.ts';

/** An address to listen on. */
const ADDRESS = {
  allowed: 'HOST:PORT, with an IPv6 address in brackets',
  /** Its shape; `parseListenAddress` checks the rest. */
  pattern: '^(\\[[0-9A-Fa-f:.]+\\]|[A-Za-z0-9.-]+):[0-9]{1,5}$',
  isAllowed: (text: string) => parseListenAddress(text) !== null,
};

/**
 * Every key of the configuration: the one source of the file format, the environment variables, the error messages,
 * docs/configuration.md and schema/passthru.schema.json. Keys that Ironic has too keep Ironic's names.
 */
export const configKeys = z.strictObject({
  listen: textSetting('127.0.0.1:6385', {
    description: 'The address to listen on; gRPC, gRPC-Web, Connect and REST share the port. Port 0 picks a free port.',
    ...ADDRESS,
  }),
  store: textSetting('sqlite:./passthru.db', {
    description:
      'Where nodes, reservations and jobs are stored: a file, created if missing, or a PostgreSQL database; see "PostgreSQL".',
    allowed: 'sqlite:PATH, "sqlite::memory:" (nothing is kept), or postgres://USER@HOST/DATABASE',
    pattern: '^(sqlite:.|postgres(ql)?://)',
    isAllowed: isStore,
  }),
  workers: workersKey,
  nodes_file: optionalTextSetting({
    description: 'A file of nodes to enrol at startup; see "The nodes file".',
    allowed: 'the path of a YAML file',
  }),
  auth: authKeys.prefault({}),
  tls: tlsKeys.prefault({}),
  secrets: secretsKeys.prefault({}),
  destinations: destinationKeys.prefault({}),
  limits: limitKeys.prefault({}),
  events: eventKeys(ADDRESS).prefault({}),
  node_locked_retry_attempts: integerSetting(
    { initial: 3, least: 0, most: 1000 },
    'How often a call without its own lock wait tries to lock a node before it is refused.',
  ),
  node_locked_retry_interval: durationSetting(
    { initial: '1s', least: '0s', most: '1h' },
    'The time between two attempts. A lock released by the same process is taken at once.',
  ),
  lock_wait_max: durationSetting(
    { initial: '60s', least: '0s', most: '1d' },
    'The longest wait for a locked node that a call may request (`lock_wait`, `Passthru-Lock-Wait`).',
  ),
  lock_duration_max: durationSetting(
    { initial: '1d', least: '1s', most: '3650d' },
    'The longest duration of a lock that a caller may set (`LockNode`, `node lock --for`). A lock without a duration is held until it is unlocked.',
  ),
  node_lock_lease: durationSetting(
    { initial: '30s', least: '1s', most: '1h' },
    'How long a replica may lose contact with the shared store before its jobs fail as lost; its nodes are released after the longest timeout of a request to a node it called (60 s by default). On SQLite, which has a single process, the next start releases them at once.',
  ),
  job_retention_time: durationSetting(
    { initial: '30d', least: '1d', most: '3650d' },
    'How long finished jobs are kept.',
  ),
  job_retention_count: integerSetting(
    { initial: 100_000, least: 0, most: 10_000_000 },
    'The maximum number of finished jobs kept; the oldest are removed first. Repeating a call by its idempotency key after its job was removed returns 404.',
  ),
  recorder: choiceSetting('failures', ['off', 'failures', 'all'], {
    description:
      'Whether the transcript of a call is kept, which shows what the driver and the machine exchanged, without secrets: never, when the call fails or is cancelled, or always. A call may ask for another (`Passthru-Recorder`, `recording`, `--record`). Transcripts are kept as long as finished jobs.',
  }),
  workers_pool_size: integerSetting(
    { initial: 100, least: 1, most: 10_000 },
    'The maximum number of asynchronous methods running at once; one more gets 503 or RESOURCE_EXHAUSTED.',
  ),
  host: textSetting(hostname, {
    description: "The name of this process in reservations and in Ironic's list of conductors.",
    allowed: '1 to 255 visible ASCII characters',
    pattern: '^[!-~]{1,255}$',
    defaultText: "the host's name",
    isAllowed: (text) => /^[\x21-\x7e]{1,255}$/.test(text),
  }),
  log_level: choiceSetting('info', ['fatal', 'error', 'warn', 'info', 'debug', 'trace', 'silent'], {
    description: 'The minimum level of the log, which goes to standard error as one JSON object per line.',
  }),
  audit_log: choiceSetting('on', ['on', 'off'], {
    description:
      'Whether each call, node change, cancellation and refused request is logged, whatever `log_level` is; see observability.md.',
  }),
  metrics: z
    .strictObject({
      listen: optionalTextSetting({
        description:
          'A separate address that serves `GET /metrics` without authentication; on loopback, only for requests whose Host is this machine. When not set, the main address serves it for the role reader.',
        ...ADDRESS,
      }),
    })
    .prefault({}),
  tracing: z
    .strictObject({
      otlp_endpoint: optionalTextSetting({
        description:
          'An OTLP/HTTP collector that receives traces; `/v1/traces` is appended if missing. Tracing is off when not set.',
        allowed: 'an http:// or https:// URL without credentials, such as http://127.0.0.1:4318',
        pattern: '^https?://[^@]+$',
        isAllowed: isEndpoint,
      }),
      sample_percent: integerSetting(
        { initial: 100, least: 0, most: 100 },
        'The percentage of traces started here that are sent. The sampling decision of a trace that a caller began is kept.',
      ),
    })
    .prefault({}),
  cors_origins: listSetting({
    description: 'The web origins whose pages may call the service from a browser.',
    allowed: 'a list of origins such as https://console.example, or * for all',
    pattern: '^(\\*|https?://[^/?#]+)$',
    isAllowed: isOrigin,
  }),
  console: booleanSetting(
    'Whether the address serves the console, a web page for operators, at `/console/`; see console.md.',
    true,
  ),
  shutdown_grace: durationSetting(
    { initial: '10s', least: '0s', most: '1h' },
    'How long running calls may take to finish at shutdown before they are aborted.',
  ),
  redfish: z
    .strictObject({
      auth_type: choiceSetting('auto', ['auto', 'session', 'basic'], {
        description:
          'How to log in to BMCs of nodes without `redfish_auth_type`. `auto` uses a session, or HTTP Basic if the BMC has no sessions.',
      }),
      connection_attempts: integerSetting(
        { initial: 5, least: 1, most: 100 },
        'How often to try a BMC that is unreachable.',
      ),
      connection_retry_interval: durationSetting(
        { initial: '4s', least: '0s', most: '1h' },
        'The time between two attempts.',
      ),
      request_timeout: durationSetting(
        { initial: '60s', least: '100ms', most: '1h' },
        'The time limit for one request to a BMC.',
      ),
      ca_folder: textSetting('/etc/ssl', {
        description:
          'The folder that the path in `redfish_verify_ca` of a node must be in, wherever links lead. Nodes may also have the certificates themselves there, in PEM.',
        allowed: 'the path of a folder',
      }),
      fence_header: choiceSetting('off', ['off', 'on'], {
        description:
          'Whether requests to BMCs carry the headers `X-Passthru-Node` and `X-Passthru-Fence` (the number of the reservation). For tests with simulated BMCs.',
      }),
    })
    .prefault({}),
  fake: z
    .strictObject({
      vendor_delay: durationSetting(
        { initial: '0s', least: '0s', most: '1h' },
        'How long methods of the driver `fake-hardware` take.',
      ),
    })
    .prefault({}),
  drivers: listSetting({
    description: 'Modules that add hardware types; see docs/drivers.md.',
    allowed: 'a list of paths or package names',
  }),
});

/** Checks across keys run even when single keys are invalid, so that every problem is reported at once. */
const when = ({ value }: { value: unknown }) => isJsonObject(value);

/** The keys and the checks across them. */
export const configSchema = configKeys
  .refine(isLockWaitBounded, {
    path: ['node_locked_retry_attempts'],
    when,
    error: ({ input }) => {
      const { node_locked_retry_interval: interval } = input as Config;
      const most = Math.floor(LONGEST_LOCK_WAIT / interval) + 1;
      return `at most ${most} with node_locked_retry_interval ${interval / 1000}s: the attempts may take 1d in all`;
    },
  })
  .superRefine(checkAuth, { when })
  .superRefine(checkEvents, { when })
  .superRefine(checkWorkers, { when });

/** The validated configuration. Durations are in ms; paths are absolute. */
export type Config = z.output<typeof configKeys>;

/** The settings in the order of the documentation. */
export const SETTINGS = listSettings(configKeys);

/** Returns `config` with relative paths resolved from `directory`. */
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
    events: {
      ...config.events,
      tls: { cert_file: optional(config.events.tls.cert_file), key_file: optional(config.events.tls.key_file) },
      webhook: { ...config.events.webhook, secret_file: optional(config.events.webhook.secret_file) },
    },
    secrets: { ...config.secrets, key_file: optional(config.secrets.key_file) },
    redfish: { ...config.redfish, ca_folder: resolve(directory, config.redfish.ca_folder) },
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

function isStore(text: string): boolean {
  return /^sqlite:./.test(text) || (/^postgres(ql)?:\/\//.test(text) && URL.canParse(text));
}

/** Credentials belong in OTEL_EXPORTER_OTLP_HEADERS, since the URL is logged. */
function isEndpoint(text: string): boolean {
  if (!URL.canParse(text)) return false;
  const { protocol, username, password } = new URL(text);
  return /^https?:$/.test(protocol) && username === '' && password === '';
}

function isOrigin(text: string): boolean {
  return text === '*' || (/^https?:\/\//.test(text) && URL.canParse(text) && new URL(text).origin === text);
}
