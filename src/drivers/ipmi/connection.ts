import { isIP } from 'node:net';
import { pythonText } from '../../core/arguments.ts';
import { invalidArgument, type PassthruError } from '../../core/errors.ts';
import type { Json } from '../../core/json.ts';
import type { Node } from '../../core/node.ts';

/** How ipmitool reaches a node's BMC. */
export interface IpmiConnection {
  /** An IP address or a host name. */
  address: string;
  /** The options before the command on ipmitool's command line. Contain no secret. */
  options: string[];
  /** The secrets, as ipmitool reads them from its environment. */
  secrets: { IPMITOOL_PASSWORD: string; IPMI_KGKEY?: string };
}

/** The keys of driver_info that the driver reads, under Ironic's names. */
export const IPMI_PROPERTIES: Readonly<Record<string, string>> = {
  ipmi_address: 'IP address or host name of the BMC. Required.',
  ipmi_port: "The BMC's UDP port; 623 when absent. Optional.",
  ipmi_username: 'User name, at most 16 bytes; the NULL user when absent. Optional.',
  ipmi_password: 'Password, at most 20 bytes (16 with IPMI 1.5); empty when absent. Optional.',
  ipmi_hex_kg_key: 'Kg key of IPMI 2.0 in hexadecimal, printable ASCII characters only. Optional.',
  ipmi_priv_level: 'Privilege level: ADMINISTRATOR (the default), OPERATOR, USER or CALLBACK. Optional.',
  ipmi_protocol_version: 'IPMI version: "2.0" (the default) or "1.5". Optional.',
  ipmi_cipher_suite: 'Number of the cipher suite; 17 or 3. ipmitool chooses when absent. Optional.',
  ipmi_bridging: 'How requests are bridged: "no" (the default), "single" or "dual". Optional.',
  ipmi_local_address: 'Local IPMB address for bridged requests. Optional.',
  ipmi_target_channel: 'Destination channel of bridged requests. Required with "single" and "dual" bridging.',
  ipmi_target_address: 'Destination address of bridged requests. Required with "single" and "dual" bridging.',
  ipmi_transit_channel: 'Transit channel of bridged requests. Required with "dual" bridging.',
  ipmi_transit_address: 'Transit address of bridged requests. Required with "dual" bridging.',
};

/** Hexadecimal, or decimal without a leading zero, which ipmitool would read as octal. */
const BYTE = /^(?:0x[0-9a-f]{1,2}|0|[1-9][0-9]{0,2})$/i;
const PRIVILEGE_LEVELS = ['ADMINISTRATOR', 'CALLBACK', 'OPERATOR', 'USER'];
const PROTOCOL_VERSIONS = ['2.0', '1.5'];
/** RFC 1123, 2.1, plus the underscore that some sites use. No label begins with a hyphen. */
const HOST_NAME =
  /^(?=.{1,253}$)[a-z0-9_](?:[a-z0-9_-]{0,61}[a-z0-9_])?(?:\.[a-z0-9_](?:[a-z0-9_-]{0,61}[a-z0-9_])?)*\.?$/i;
/** Control characters: invalid in user names and passwords, and NUL cannot be on a command line. */
// biome-ignore lint/suspicious/noControlCharactersInRegex: the pattern is meant to match them
const CONTROL = /[\u0000-\u001f\u007f]/;

/**
 * Reads a node's driver_info. Errors use Ironic's wording where it makes the same check.
 * @throws kind `invalid_argument` that names the key and never contains a secret's value
 */
export function readIpmiConnection(node: Node): IpmiConnection {
  const info = node.driverInfo;
  const address = readAddress(node);
  // YAML's 2.0 is the number 2 here.
  const version = info.ipmi_protocol_version === 2 ? '2.0' : (textOf(info.ipmi_protocol_version) ?? '2.0');
  if (!PROTOCOL_VERSIONS.includes(version)) {
    const allowed = `the valid value can be one of ${PROTOCOL_VERSIONS.join(', ')}`;
    throw fault('ipmi_protocol_version', `Invalid IPMI protocol version value ${version}, ${allowed}`);
  }
  const level = textOf(info.ipmi_priv_level) ?? 'ADMINISTRATOR';
  if (!PRIVILEGE_LEVELS.includes(level)) {
    const allowed = `the valid value can be one of ${PRIVILEGE_LEVELS.join(', ')}`;
    throw fault('ipmi_priv_level', `Invalid privilege level value:${level}, ${allowed}`);
  }

  const options = ['-I', version === '2.0' ? 'lanplus' : 'lan', '-H', address, '-L', level];
  const port = readPort(info.ipmi_port);
  if (port !== null) options.push('-p', String(port));
  const username = readUsername(info.ipmi_username);
  if (username !== null) options.push('-U', username);
  const cipherSuite = readCipherSuite(info.ipmi_cipher_suite, version);
  if (cipherSuite !== null) options.push('-C', String(cipherSuite));
  options.push(...readBridging(node));

  const secrets: IpmiConnection['secrets'] = { IPMITOOL_PASSWORD: readPassword(info.ipmi_password, version) };
  options.push('-E');
  const kgKey = readKgKey(info.ipmi_hex_kg_key);
  if (kgKey !== null) {
    secrets.IPMI_KGKEY = kgKey;
    options.push('-K');
  }
  return { address, options, secrets };
}

function readAddress(node: Node): string {
  const address = node.driverInfo.ipmi_address;
  if (address === undefined || address === null || address === '') {
    throw fault('ipmi_address', "Missing the following IPMI credentials in node's driver_info: ['ipmi_address'].");
  }
  if (typeof address === 'string' && (isIP(address) !== 0 || HOST_NAME.test(address))) return address;
  const problem = `Invalid IPMI address "${pythonText(address)}" for node ${node.uuid}.`;
  throw fault('ipmi_address', `${problem} Must be a valid IP address or hostname.`);
}

function readPort(value: Json | undefined): number | null {
  const text = textOf(value);
  if (text === null) return null;
  const port = /^\d{1,5}$/.test(text) ? Number(text) : 0;
  if (port >= 1 && port <= 65535) return port;
  throw fault('ipmi_port', `ipmi_port "${text}" is not a valid port.`);
}

function readUsername(value: Json | undefined): string | null {
  const username = textOf(value);
  if (username === null || username === '') return null;
  // A name that begins with a hyphen could be taken for an option.
  if (username.startsWith('-') || CONTROL.test(username)) {
    throw fault('ipmi_username', 'ipmi_username must not begin with "-" or contain control characters');
  }
  if (Buffer.byteLength(username) > 16) throw fault('ipmi_username', 'ipmi_username must be at most 16 bytes long');
  return username;
}

function readPassword(value: Json | undefined, version: string): string {
  const password = textOf(value) ?? '';
  if (CONTROL.test(password)) throw fault('ipmi_password', 'ipmi_password must not contain control characters');
  const longest = version === '2.0' ? 20 : 16;
  if (Buffer.byteLength(password) <= longest) return password;
  throw fault('ipmi_password', `ipmi_password must be at most ${longest} bytes long with IPMI ${version}`);
}

/** Reads the Kg key as characters: ipmitool takes only those from its environment, and hexadecimal on its command line. */
function readKgKey(value: Json | undefined): string | null {
  const hex = textOf(value);
  if (hex === null || hex === '') return null;
  if (hex.length % 2 !== 0) throw fault('ipmi_hex_kg_key', 'Number of ipmi_hex_kg_key characters is not even');
  if (!/^[0-9a-f]{2,40}$/i.test(hex)) {
    throw fault('ipmi_hex_kg_key', 'ipmi_hex_kg_key must be at most 20 bytes in hexadecimal');
  }
  const key = Buffer.from(hex, 'hex');
  if (key.every((byte) => byte >= 0x20 && byte < 0x7f)) return key.toString('latin1');
  const why = 'ipmitool takes others only on its command line, which every user of this machine can read';
  throw fault('ipmi_hex_kg_key', `ipmi_hex_kg_key must consist of printable ASCII characters (0x20 to 0x7e): ${why}`);
}

function readCipherSuite(value: Json | undefined, version: string): number | null {
  const text = textOf(value);
  if (text === null) return null;
  const suite = parseByte(text);
  if (suite === null) throw fault('ipmi_cipher_suite', `Invalid cipher suite ${text}, expected a number`);
  if (version === '1.5') throw fault('ipmi_cipher_suite', 'Cipher suites cannot be used with IPMI 1.5');
  return suite;
}

function readBridging(node: Node): string[] {
  const info = node.driverInfo;
  const type = textOf(info.ipmi_bridging) ?? 'no';
  if (type === 'no') return [];
  if (type !== 'single' && type !== 'dual') {
    const allowed = "the valid value can be one of: ['single', 'dual', 'no']";
    throw fault('ipmi_bridging', `Invalid value for ipmi_bridging: ${type}, ${allowed}`);
  }
  const required = ['ipmi_target_channel', 'ipmi_target_address'];
  if (type === 'dual') required.push('ipmi_transit_channel', 'ipmi_transit_address');
  const missing = required.filter((key) => textOf(info[key]) === null);
  if (missing.length > 0) throw fault('ipmi_bridging', `${pythonText(missing)} not provided`);

  const options: string[] = [];
  for (const [key, option] of [
    ['ipmi_local_address', '-m'],
    ['ipmi_transit_channel', '-B'],
    ['ipmi_transit_address', '-T'],
    ['ipmi_target_channel', '-b'],
    ['ipmi_target_address', '-t'],
  ] as const) {
    const text = textOf(info[key]);
    if (text === null || (type === 'single' && key.startsWith('ipmi_transit'))) continue;
    if (parseByte(text) === null) throw fault(key, `${key} "${text}" is not a byte (0 to 255, or 0x00 to 0xff)`);
    options.push(option, text);
  }
  return options;
}

/** Parses a byte, `0x00` to `0xff` or 0 to 255. Returns null when `text` is neither. */
export function parseByte(text: string): number | null {
  return BYTE.test(text) && Number(text) <= 0xff ? Number(text) : null;
}

/** Returns a value as text; null when absent. YAML files may have ports and versions as numbers. */
function textOf(value: Json | undefined): string | null {
  if (value === null || value === undefined) return null;
  return typeof value === 'string' ? value : pythonText(value);
}

function fault(key: string, description: string): PassthruError {
  return invalidArgument(`driver_info.${key}`, description);
}
