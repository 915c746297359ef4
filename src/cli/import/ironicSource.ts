import { type Command, Option } from 'commander';
import type { JsonObject } from '../../core/json.ts';
import { CommandFailure, EXIT_STATUS, usageError } from '../exitStatus.ts';
import { readText } from '../keyValues.ts';
import { prompt } from '../print/prompt.ts';
import { exchangeJson } from '../rest.ts';
import { basicCredentials, readAuthorities, readToken, type Server, serverUrl } from '../server.ts';

/** The Ironic to import from and the credentials for it: the options and variables of OpenStack's clients. */
interface SourceOptions {
  from: string;
  osCacert?: string;
  osToken?: string;
  osUsername?: string;
  osPassword?: string;
  osAuthUrl?: string;
  osUserDomainName: string;
  osProjectName?: string;
  osProjectDomainName: string;
}

export function addSourceOptions(command: Command): Command {
  const option = (flags: string, about: string, variable: string) => new Option(flags, about).env(variable);
  return command
    .requiredOption('--from <url>', 'URL of Ironic')
    .addOption(option('--os-cacert <file>', 'CA bundle for verifying Ironic and Keystone (PEM)', 'OS_CACERT'))
    .addOption(option('--os-token <token>', 'authentication token, or @FILE', 'OS_TOKEN'))
    .addOption(option('--os-username <name>', "user of Keystone or of Ironic's HTTP Basic", 'OS_USERNAME'))
    .addOption(option('--os-password <text>', 'password of the user, or @FILE', 'OS_PASSWORD'))
    .addOption(option('--os-auth-url <url>', 'URL of Keystone (default: HTTP Basic)', 'OS_AUTH_URL'))
    .addOption(option('--os-user-domain-name <name>', 'domain of the user', 'OS_USER_DOMAIN_NAME').default('Default'))
    .addOption(
      option('--os-project-name <name>', 'project to scope the token to (default: system scope)', 'OS_PROJECT_NAME'),
    )
    .addOption(
      option('--os-project-domain-name <name>', 'domain of the project', 'OS_PROJECT_DOMAIN_NAME').default('Default'),
    );
}

/**
 * Returns the Ironic of `command`, after requesting a token from Keystone if given a user there.
 * @throws CommandFailure when the options are invalid, or Keystone is unreachable or refuses
 */
export async function openSource(command: Command): Promise<Server> {
  const options = command.opts<SourceOptions>();
  const { from, osToken, osUsername, osAuthUrl } = options;
  const tls = options.osCacert === undefined ? {} : { ca: [readAuthorities('--os-cacert', options.osCacert)] };
  const source = { url: serverUrl(from, '--from'), headers: {}, tls, advice: ADVICE };
  const isGiven = (option: keyof SourceOptions) => command.getOptionValueSource(option) === 'cli';
  if (osToken !== undefined && (isGiven('osToken') || !isGiven('osUsername'))) {
    return { ...source, headers: { 'x-auth-token': readToken('--os-token', osToken) } };
  }
  if (osUsername === undefined) return source;

  const given = options.osPassword ?? (await prompt(`Password of ${osUsername} at ${keystoneOrIronic(options)}: `));
  if (!given) throw usageError('--os-username: requires --os-password or OS_PASSWORD');
  // In the environment, and typed, it is the password itself, even with a leading @.
  const password = isGiven('osPassword') ? readText('--os-password', given) : given;
  if (osAuthUrl === undefined) return { ...source, headers: { authorization: basicCredentials(osUsername, password) } };
  // openrc files have it with or without `/v3`.
  const keystone = {
    ...source,
    url: serverUrl(osAuthUrl, '--os-auth-url').replace(/\/v3$/, ''),
    advice: { ...ADVICE, api: 'a Keystone' },
  };
  return { ...source, headers: { 'x-auth-token': await requestToken(keystone, osUsername, password, options) } };
}

function keystoneOrIronic({ osAuthUrl, from }: SourceOptions): string {
  return serverUrl(osAuthUrl ?? from, osAuthUrl === undefined ? '--from' : '--os-auth-url');
}

const ADVICE: Server['advice'] = {
  authorities: '--os-cacert or NODE_EXTRA_CA_CERTS',
  credentials: 'Give credentials by --os-token, or --os-username with OS_PASSWORD (and --os-auth-url for Keystone).',
  address: '',
  api: 'an Ironic',
};

/** Requests a token of Keystone's Identity API v3 for a password (POST /v3/auth/tokens). */
async function requestToken(keystone: Server, name: string, password: string, options: SourceOptions): Promise<string> {
  const { osProjectName: project, osUserDomainName, osProjectDomainName } = options;
  const user = { name, domain: { name: osUserDomainName }, password };
  const scope: JsonObject =
    project === undefined
      ? { system: { all: true } }
      : { project: { name: project, domain: { name: osProjectDomainName } } };
  const body = { auth: { identity: { methods: ['password'], password: { user } }, scope } };
  const { headers } = await exchangeJson(keystone, 'POST', '/v3/auth/tokens?nocatalog', { body });
  const token = headers['x-subject-token'];
  if (typeof token === 'string') return token;
  throw new CommandFailure(EXIT_STATUS.failed, `${keystone.url} returned no token; is this the URL of a Keystone?`);
}
