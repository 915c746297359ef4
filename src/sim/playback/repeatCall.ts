import { isJsonObject, type Json } from '../../core/json.ts';
import { MASK } from '../../core/secrets.ts';
import type { Transcript } from './transcriptFile.ts';

/** How the printed commands name the node. */
const NODE = 'bmc-1';

/** Returns the text that says what is played back, how to repeat the call at `url`, and how it ended. */
export function describeReplay(transcript: Transcript, url: string, secure: boolean): string {
  const { method, start_time: start, exchanges, outcome } = transcript;
  const limits = limitsOf(transcript).map((limit) => `\nThe replay may end otherwise: ${limit}.`);
  return [
    `\n${method} of ${start}, exchanges: ${exchanges.length}${limits.join('')}`,
    ...(transcript.node_uuid === null ? [] : [`To enrol:\n  ${enrolCommand(transcript, url, secure)}`]),
    `To repeat the call:\n  ${callCommand(transcript, url, secure)}`,
    `It ended: ${outcome.state}${outcome.error === null ? '' : `: ${outcome.error}`}`,
  ].join('\n\n');
}

function enrolCommand({ driver, context }: Transcript, url: string, secure: boolean): string {
  const { root, system, auth_type: authType, login } = context;
  const info = [
    `redfish_address=${url}${root.replace(/\/$/, '') === '/redfish/v1' ? '' : root}`,
    ...(system === null ? [] : [`redfish_system_id=${system}`]),
    ...(login === 'none' ? [] : ['redfish_username=u', 'redfish_password=p']),
    ...(authType === 'auto' ? [] : [`redfish_auth_type=${authType}`]),
    ...(secure ? ['redfish_verify_ca=false'] : []),
  ];
  return [
    `passthru node create --driver ${quoted(driver)} --name ${NODE}`,
    ...info.map((item) => `--driver-info ${quoted(item)}`),
  ].join(' \\\n    ');
}

function callCommand({ node_uuid: node, driver, method, ...call }: Transcript, url: string, secure: boolean): string {
  const target = node === null ? `driver passthru call ${quoted(driver)}` : `node passthru call ${NODE}`;
  const own: { [name: string]: Json } = node === null ? { address: url, ...(secure ? { verify_ca: false } : {}) } : {};
  const args = Object.entries({ ...call.arguments, ...own }).map(([name, value]) => {
    const text = typeof value === 'string' ? value : JSON.stringify(value);
    // The command takes @ at the beginning for the name of a file.
    const given = text.replace(/^@/, '@@');
    return `--arg ${quoted(`${name}=${value === MASK ? placeholder(name) : given}`)}`;
  });
  return [`passthru ${target} ${quoted(method)}`, ...args].join(' \\\n    ');
}

/** A mask within a text stays, as what the BMC returned has it there too; a whole one is refused as a value. */
function placeholder(name: string): string {
  return name === 'HttpHeaders' ? '[{"Name":"SECRET"}]' : 'SECRET';
}

/** Quotes for a POSIX shell where that is needed. */
function quoted(text: string): string {
  return /^[\w@%+=:,./-]+$/.test(text) ? text : `'${text.replaceAll("'", "'\\''")}'`;
}

/** Returns what a replay cannot show exactly; empty when it can show all. */
function limitsOf({ exchanges, omitted, arguments: args }: Transcript): string[] {
  const truncated = exchanges.filter(({ response }) => response?.truncated).length;
  return [
    ...(omitted > 0
      ? [`exchanges that were not recorded, because the transcript would have been too large: ${omitted}`]
      : []),
    ...(truncated > 0 ? [`large responses that were recorded in part: ${truncated}`] : []),
    ...(isMasked(args) ? ['the arguments had secrets, which are not recorded (SECRET below)'] : []),
  ];
}

function isMasked(value: unknown): boolean {
  if (typeof value === 'string') return value.includes(MASK);
  if (Array.isArray(value)) return value.some(isMasked);
  return isJsonObject(value) && Object.values(value).some(isMasked);
}
