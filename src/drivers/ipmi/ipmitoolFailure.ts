import type { ErrorKind } from '../../core/errors.ts';

/** The reason for a failed command, as printed by ipmitool. */
interface IpmitoolFailure {
  kind: ErrorKind;
  /** The end of a sentence that begins with "The BMC at ADDRESS". */
  what: string;
}

/** One message of ipmitool; `read` may use the groups of the pattern. */
interface Rule {
  pattern: RegExp;
  read(match: RegExpExecArray): IpmitoolFailure;
}

/** Completion codes (IPMI 2.0, table 5-2) of a BMC that could not, rather than would not. */
const FAILED_CODES = new Set(['Node busy', 'Out of space', 'Command response could not be provided']);
FAILED_CODES.add('BMC initialization in progress').add('Unspecified error');

/**
 * The messages of ipmitool 1.8.18 and 1.8.19 with `-v`; the first match decides. ipmitool exits with status 1 for any
 * failure, so its text is the only source. It is the same in every locale, and parsed in this file alone.
 */
const RULES: readonly Rule[] = [
  says(/Address lookup for .* failed/, 'bmc_unreachable', 'is unreachable: its address could not be resolved'),
  says(/Could not open socket/, 'bmc_unreachable', 'is unreachable: no connection could be opened'),
  // Opening a session: RMCP+ (lanplus), then IPMI 1.5 (lan).
  says(/RAKP 2 HMAC is invalid/, 'bmc_refused', 'and the service do not have the same password for this user'),
  says(/RAKP 4 message has invalid integrity/, 'bmc_refused', 'and the service do not have the same Kg key'),
  refuses(/RAKP [24] message indicates an error : (.+)/),
  refuses(/Error in open session response message : (.+)/),
  says(/Unsupported cipher suite ID/, 'bmc_refused', 'cannot be queried: ipmitool does not support the cipher suite'),
  refuses(/(Invalid user name|NULL user name not enabled)/),
  refuses(/(Authentication type \S+ not supported|No supported authtypes found)/),
  refuses(/Activate Session error:\s+(.+)/),
  says(/Activate Session command failed/, 'bmc_refused', 'did not open a session; check the password'),
  refuses(/(Set Session Privilege Level to \S+ failed(?:: .+)?)/),
  says(/no response from RAKP [13] message/, 'bmc_unreachable', 'stopped responding while the session was opened'),
  says(/Unable to establish .* session/, 'bmc_unreachable', 'did not respond'),
  // The command itself.
  completes(/Unable to send RAW command \(.*rsp=(0x[0-9a-f]+)\): (.+)/),
  completes(/MC reset command failed()?: (.+)/),
  says(
    /Unable to send RAW command|MC reset command failed/,
    'outcome_unknown',
    'did not respond; the command may have been carried out',
  ),
];

/** Reads the standard error of a failed ipmitool. Returns null when the message is unknown. */
export function readFailure(stderr: string): IpmitoolFailure | null {
  for (const { pattern, read } of RULES) {
    const match = pattern.exec(stderr);
    if (match !== null) return read(match);
  }
  return null;
}

/** Returns the output of ipmitool without the bytes sent, for the log; at most 2000 characters. */
export function withoutBytes(stderr: string): string {
  const lines = stderr.split('\n').filter((line) => !/^(?:\s*[0-9a-f]{2})+\s*$/i.test(line) && !line.includes('"'));
  return lines.join('\n').slice(0, 2000).trim();
}

function says(pattern: RegExp, kind: ErrorKind, what: string): Rule {
  return { pattern, read: () => ({ kind, what }) };
}

function refuses(pattern: RegExp): Rule {
  return { pattern, read: (match) => ({ kind: 'bmc_refused', what: `refused the session: ${match[1]?.trim()}` }) };
}

/** Reads a completion code: its number, where ipmitool prints it, and its meaning. */
function completes(pattern: RegExp): Rule {
  return {
    pattern,
    read([, code, text = '']) {
      const meaning = text.trim();
      const what = `responded ${code === undefined ? meaning : `${code} (${meaning})`}`;
      if (meaning === 'Timeout') return { kind: 'bmc_timeout', what };
      return { kind: FAILED_CODES.has(meaning) ? 'bmc_failed' : 'bmc_refused', what };
    },
  };
}
