import { nearest, showValue } from './problems.ts';
import type { Setting } from './setting.ts';

/** The settings found in the environment. */
interface EnvironmentSettings {
  /** The settings that are set, with their values as the file would have them. */
  values: Map<Setting, unknown>;
  /** One for each `PASSTHRU_` variable that is not a setting. */
  problems: string[];
}

const PREFIX = 'PASSTHRU_';
const withoutPrefix = (variable: string) => variable.slice(PREFIX.length);

/** Variables of the client. */
const CLIENT_VARIABLES = new Set([
  'PASSTHRU_SERVER',
  'PASSTHRU_CONTEXT',
  'PASSTHRU_CA_FILE',
  'PASSTHRU_TOKEN',
  'PASSTHRU_USER',
  'PASSTHRU_PASSWORD',
  'PASSTHRU_RESERVATION_KEY',
]);

/** Variables that Kubernetes sets for a Service named "passthru". */
const KUBERNETES_VARIABLE = /^PASSTHRU_(SERVICE_HOST|SERVICE_PORT(_.+)?|PORT(_\d+_(TCP|UDP|SCTP)(_.+)?)?)$/;

/** Reads `settings` from environment variables. An empty variable counts as not set. */
export function readEnvironment(variables: NodeJS.ProcessEnv, settings: readonly Setting[]): EnvironmentSettings {
  const byVariable = new Map(settings.map((setting) => [setting.variable, setting]));
  const found: EnvironmentSettings = { values: new Map(), problems: [] };
  for (const [variable, text] of Object.entries(variables)) {
    if (!variable.startsWith(PREFIX) || text === undefined || text === '') continue;
    if (CLIENT_VARIABLES.has(variable) || KUBERNETES_VARIABLE.test(variable)) continue;
    const setting = byVariable.get(variable);
    if (setting !== undefined) found.values.set(setting, parseText(text, setting.kind));
    else {
      const names = [...byVariable.keys()].map(withoutPrefix);
      const meant = nearest(withoutPrefix(variable), names);
      const advice = meant === null ? 'docs/configuration.md lists all' : `did you mean ${PREFIX}${meant}?`;
      found.problems.push(`${variable}: unknown setting (value: ${showValue(variable, text)}); ${advice}`);
    }
  }
  return found;
}

/** Returns the value that `text` would be in the file; `text` itself when invalid, which the schema then reports. */
function parseText(text: string, kind: Setting['kind']): unknown {
  if (kind === 'integer') return /^-?\d{1,15}$/.test(text) ? Number(text) : text;
  if (kind === 'list' && !text.trimStart().startsWith('[')) return text.split(',').map((item) => item.trim());
  if (kind === 'map' && !text.trimStart().startsWith('{')) return parsePairs(text);
  if (kind === 'text' || kind === 'duration') return text;
  try {
    return JSON.parse(text);
  } catch {
    return text;
  }
}

/** Parses `alice=reader,bob=admin` into an object. Names may contain `=`, as those of certificates do. */
function parsePairs(text: string): unknown {
  const pairs = text.split(',').map((pair) => /^\s*(.+)=([^=]*?)\s*$/.exec(pair));
  return pairs.includes(null) ? text : Object.fromEntries(pairs.map((pair) => [pair![1], pair![2]]));
}
