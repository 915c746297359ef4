import { isIPv6 } from 'node:net';
import { resolve } from 'node:path';
import type { SecureVersion } from 'node:tls';
import { looseBoolean } from '../../core/arguments.ts';
import { type FieldViolation, PassthruError } from '../../core/errors.ts';
import type { Json, JsonObject } from '../../core/json.ts';
import type { Node } from '../../core/node.ts';
import type { Destinations } from '../../net/destinations.ts';
import {
  type Authorities,
  AuthoritiesError,
  type AuthType,
  ciphersFault,
  isPem,
  isWithin,
  type Patience,
  pathFault,
  pemFault,
  type RedfishTarget,
  tlsContexts,
} from '../../redfish/index.ts';

/** The service's settings, which a node may override in its driver_info. */
export interface RedfishSettings extends Patience {
  authType: AuthType;
  /** Maximum number of connection attempts. */
  connectionAttempts: number;
  /** The time between two attempts, in ms. */
  connectionRetryIntervalMs: number;
  /** Time limit of one request to a BMC, in ms. */
  requestTimeoutMs: number;
  /** Whether requests carry the fence of their reservation, for the simulated BMCs of tests. Default false. */
  fenceHeader?: boolean;
  /** The folder, an absolute path, that paths of `redfish_verify_ca` must be in; null: none is allowed. Default null. */
  caFolder?: string | null;
  /** Where subscriptions and `discover` may lead. Default: anywhere. */
  destinations?: Destinations;
}

/** The BMC and system that driver_info describes. */
export interface NodeBmc {
  target: RedfishTarget;
  /** Path of the ComputerSystem; null to use the BMC's only one. */
  systemPath: string | null;
}

/** An invalid value; `description` follows its key in an error. */
class Fault {
  readonly description: string;
  constructor(description: string) {
    this.description = description;
  }
}

/**
 * Reads a node's driver_info.
 * @throws kind `invalid_argument` with every invalid key; a missing address is worded as Ironic does (recorded: "redfish_address missing")
 */
export function readDriverInfo(node: Node, settings: RedfishSettings): NodeBmc {
  const address = node.driverInfo.redfish_address;
  if (address === undefined || address === null || address === '') {
    const message = `Missing the following Redfish properties in node ${node.uuid} driver_info: ['redfish_address']`;
    const violations = [{ field: 'driver_info.redfish_address', description: 'must be given' }];
    throw new PassthruError('invalid_argument', message, { violations });
  }
  return readBmc(node.driverInfo, settings, {
    field: (key) => `driver_info.${key}`,
    message: (faults) => `Invalid Redfish properties in node ${node.uuid} driver_info: ${faults}`,
  });
}

/** Returns a `readDriverInfo` for calls, which reads each object of driver_info once. */
export function driverInfoReader(settings: RedfishSettings): (node: Node) => NodeBmc {
  const read = new WeakMap<JsonObject, NodeBmc>();
  return (node) => {
    let bmc = read.get(node.driverInfo);
    if (bmc === undefined) {
      bmc = readDriverInfo(node, settings);
      read.set(node.driverInfo, bmc);
    }
    return bmc;
  };
}

/**
 * Reads Ironic's keys of `info`.
 * @param wording makes a violation's field of a key, and the message of all faults
 * @throws kind `invalid_argument` with every invalid key
 */
export function readBmc(
  info: JsonObject,
  settings: RedfishSettings,
  wording: { field(key: string): string; message(faults: string): string },
): NodeBmc {
  const violations: FieldViolation[] = [];
  const sentences: string[] = [];
  const read = <T>(key: string, parse: (value: Json) => T | Fault, fallback: T): T => {
    const value = info[key];
    if (value === undefined || value === null || value === '') return fallback;
    const parsed = parse(value);
    if (!(parsed instanceof Fault)) return parsed;
    violations.push({ field: wording.field(key), description: parsed.description });
    sentences.push(`${key} ${parsed.description}`);
    return fallback;
  };

  const { origin, root } = read('redfish_address', parseAddress, { origin: '', root: '' });
  const bmc: NodeBmc = {
    target: {
      origin,
      root,
      account: {
        username: read('redfish_username', parseText, null),
        password: read('redfish_password', parseText, ''),
        authType: read('redfish_auth_type', parseAuthType, settings.authType),
      },
      connection: {
        tls: {
          verifyCa: read<boolean | Authorities>(
            'redfish_verify_ca',
            (value) => parseVerifyCa(value, settings.caFolder ?? null),
            true,
          ),
          minimumVersion: read<SecureVersion | null>('redfish_tls_minimum_version', parseTlsVersion, null),
          ciphers: read<string | null>('redfish_tls_ciphers', parseCiphers, null),
        },
        keepAlive: read('redfish_keep_alive', parseBoolean, true),
      },
      limits: {
        timeoutMs: read('redfish_request_timeout', parseSeconds, settings.requestTimeoutMs),
        connectionAttempts: read('redfish_connection_attempts', parseAttempts, settings.connectionAttempts),
        connectionRetryIntervalMs: settings.connectionRetryIntervalMs,
        patienceMs: settings.patienceMs,
        pause: settings.pause,
      },
    },
    systemPath: read<string | null>('redfish_system_id', parseSystemId, null),
  };
  if (violations.length > 0) {
    throw new PassthruError('invalid_argument', wording.message(sentences.join('; ')), { violations });
  }
  return bmc;
}

/** The service root of an address without a path. */
const ROOT = '/redfish/v1/';

function parseAddress(value: Json): { origin: string; root: string } | Fault {
  if (typeof value !== 'string') return new Fault('must be a string');
  if (/\s/.test(value)) return new Fault(NO_URL);
  const [, scheme = 'https:', authority = '', rest = ''] =
    /^([a-z][a-z0-9+.-]*:(?=\/\/))?(?:\/\/)?([^/?#]*)(.*)$/i.exec(value)!;
  const host = withBrackets(authority);
  if (host instanceof Fault) return host;
  const text = `${scheme}//${host}${rest}`;
  if (authority === '' || !URL.canParse(text)) return new Fault(NO_URL);
  const { protocol, username, password, search, hash, origin, pathname } = new URL(text);
  if (protocol !== 'https:' && protocol !== 'http:') return new Fault('must begin with https:// or http://');
  if (username !== '' || password !== '') {
    return new Fault('must not contain credentials; use redfish_username and redfish_password');
  }
  if (search !== '' || hash !== '') return new Fault('must not contain a query or a fragment');
  return { origin, root: pathname === '/' ? ROOT : pathname };
}

const NO_URL = 'must be a URL, such as https://bmc.example';

/**
 * Puts an IPv6 address without brackets into them, with which a URL has one form of it. What is an address stays one: digits
 * after a compressed address are a part of it; a ninth group is a port.
 */
function withBrackets(authority: string): string | Fault {
  const isBare = authority.split(':').length > 2 && !/[[\]@]/.test(authority);
  if ((isBare || authority.startsWith('[')) && authority.includes('%')) {
    return new Fault('must not contain the zone of an IPv6 address (%…); use an address that is valid without one');
  }
  if (!isBare) return authority;
  if (isIPv6(authority)) return `[${authority}]`;
  const [, address = '', port = ''] = /^((?:[^:]*:){7}[^:]*):(\d{1,5})$/.exec(authority) ?? [];
  if (isIPv6(address) && !address.includes('::')) return `[${address}]:${port}`;
  return new Fault('is no IPv6 address; with a port it is written in brackets, such as https://[fd00::17]:8443');
}

/** Reads a string, or a number: Ironic's client sends one for `--driver-info redfish_password=1234`. */
function parseText(value: Json): string | Fault {
  if (typeof value === 'string') return value;
  return typeof value === 'number' ? String(value) : new Fault('must be a string');
}

function parseAuthType(value: Json): AuthType | Fault {
  const type = typeof value === 'string' ? value.toLowerCase() : value;
  return type === 'auto' || type === 'session' || type === 'basic'
    ? type
    : new Fault('must be one of auto, session, basic');
}

function parseBoolean(value: Json): boolean | Fault {
  const parsed = looseBoolean().safeParse(value);
  return parsed.success ? parsed.data : new Fault('must be a boolean: true or false');
}

/** Reads no file: by its name alone, a path tells nothing about this machine. */
function parseVerifyCa(value: Json, folder: string | null): boolean | Authorities | Fault {
  const flag = parseBoolean(value);
  if (!(flag instanceof Fault)) return flag;
  if (typeof value === 'string' && isPem(value)) {
    const fault = pemFault(value);
    return fault === null ? { pem: value } : new Fault(fault);
  }
  if (folder === null) return new Fault('must be true, false, or CA certificates in PEM; a path is not possible here');
  const fault = new Fault(
    `must be true, false, CA certificates in PEM, or the path of a CA file or folder in ${folder}, the folder that redfish.ca_folder of the configuration allows`,
  );
  if (typeof value !== 'string' || value.includes('\0') || value.length > MAX_PATH_LENGTH) return fault;
  return isWithin(resolve(folder, value), folder) ? { path: value, within: folder } : fault;
}

/** As on Linux. */
const MAX_PATH_LENGTH = 4096;

/**
 * Checks the CA files of a node, where it has any: a promise then.
 * @throws kind `invalid_argument`
 */
export function checkAuthorities(node: Node, { target }: NodeBmc): Promise<void> | undefined {
  const options = tlsContexts.connectOptions(target.connection.tls);
  if (!(options instanceof Promise)) return undefined;
  return options.then(
    () => undefined,
    (error: unknown) => {
      // What is wrong with the certificates themselves is told when they are used.
      if (!(error instanceof AuthoritiesError)) return;
      const field = 'driver_info.redfish_verify_ca';
      const fault = error.message;
      const message = `Invalid Redfish properties in node ${node.uuid} driver_info: ${fault}`;
      throw new PassthruError('invalid_argument', message, { violations: [{ field, description: fault }] });
    },
  );
}

function parseTlsVersion(value: Json): SecureVersion | Fault {
  const version = TLS_VERSIONS.get(
    String(value)
      .toLowerCase()
      .replace(/^tls[ v_]*/, '')
      .replace('_', '.'),
  );
  return version ?? new Fault('must be one of 1.0, 1.1, 1.2, 1.3');
}

const TLS_VERSIONS = new Map<string, SecureVersion>([
  ['1', 'TLSv1'],
  ['1.0', 'TLSv1'],
  ['1.1', 'TLSv1.1'],
  ['1.2', 'TLSv1.2'],
  ['1.3', 'TLSv1.3'],
]);

function parseCiphers(value: Json): string | Fault {
  if (typeof value !== 'string') return new Fault('must be a string');
  const fault = ciphersFault(value);
  return fault === null ? value : new Fault(`must be a cipher list in OpenSSL's format: ${fault}`);
}

function parseSeconds(value: Json): number | Fault {
  const seconds = Number(value);
  const valid = typeof value !== 'boolean' && seconds >= 0.1 && seconds <= 3600;
  return valid ? Math.round(seconds * 1000) : new Fault('must be a number of seconds from 0.1 to 3600');
}

function parseAttempts(value: Json): number | Fault {
  const attempts = Number(value);
  const valid = typeof value !== 'boolean' && Number.isInteger(attempts) && attempts >= 1 && attempts <= 100;
  return valid ? attempts : new Fault('must be a whole number from 1 to 100');
}

function parseSystemId(value: Json): string | Fault {
  if (typeof value !== 'string') return new Fault('must be a path, such as /redfish/v1/Systems/1');
  const fault = pathFault(value);
  return fault === null ? value : new Fault(`must be a path, such as /redfish/v1/Systems/1: ${fault}`);
}
