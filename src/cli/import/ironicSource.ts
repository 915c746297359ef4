import { type Command, Option } from 'commander';
import type { JsonObject } from '../../core/json.ts';
import { CommandFailure, EXIT_STATUS, usageError } from '../exitStatus.ts';
import { readText } from '../keyValues.ts';
import { exchangeJson } from '../rest.ts';
import { basicCredentials, readAuthorities, type Server, serverUrl } from '../server.ts';

/** Where nodes are imported from, and who asks there: the options, and the variables, of OpenStack's clients. */
export interface SourceOptions {
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
    .requiredOption('--from <url>', "Ironic's address")
    .addOption(
      option('--os-cacert <file>', "the authorities that Ironic's and Keystone's certificates may be of", 'OS_CACERT'),
    )
    .addOption(option('--os-token <token>', 'a token that Ironic takes, or @FILE', 'OS_TOKEN'))
    .addOption(option('--os-username <name>', "the user, of Keystone or of Ironic's HTTP Basic", 'OS_USERNAME'))
    .addOption(option('--os-password <text>', 'the password of that user, or @FILE', 'OS_PASSWORD'))
    .addOption(option('--os-auth-url <url>', 'Keystone; without it the user is one of HTTP Basic', 'OS_AUTH_URL'))
    .addOption(
      option('--os-user-domain-name <name>', 'the domain of the user', 'OS_USER_DOMAIN_NAME').default('Default'),
    )
    .addOption(
      option(
        '--os-project-name <name>',
        "the project of the token; else Keystone's scope is system",
        'OS_PROJECT_NAME',
      ),
    )
    .addOption(
      option('--os-project-domain-name <name>', 'the domain of the project', 'OS_PROJECT_DOMAIN_NAME').default(
        'Default',
      ),
    );
}

/**
 * The Ironic of `command`, with a token of Keystone's where a user signs on there.
 * @throws CommandFailure when the options are wrong, or Keystone cannot be reached or refuses
 */
export async function openSource(command: Command): Promise<Server> {
  const options = command.opts<SourceOptions>();
  const { from, osToken, osUsername, osAuthUrl } = options;
  const tls = options.osCacert === undefined ? {} : { ca: [readAuthorities('--os-cacert', options.osCacert)] };
  const source = { url: serverUrl(from, '--from'), headers: {}, tls, advice: ADVICE };
  const given = (option: keyof SourceOptions) => command.getOptionValueSource(option) === 'cli';
  if (osToken !== undefined && (given('osToken') || !given('osUsername'))) {
    return { ...source, headers: { 'x-auth-token': tokenOf(readText('--os-token', osToken)) } };
  }
  if (osUsername === undefined) return source;

  if (options.osPassword === undefined) throw usageError('--os-username: --os-password or OS_PASSWORD is wanted too');
  // What stands in the environment is the password itself, whatever it begins with.
  const password = given('osPassword') ? readText('--os-password', options.osPassword) : options.osPassword;
  if (osAuthUrl === undefined) return { ...source, headers: { authorization: basicCredentials(osUsername, password) } };
  // As in openrc files, with `/v3` or without.
  const keystone = { ...source, url: serverUrl(osAuthUrl, '--os-auth-url').replace(/\/v3$/, '') };
  return { ...source, headers: { 'x-auth-token': await signOn(keystone, osUsername, password, options) } };
}

const ADVICE: Server['advice'] = {
  authorities: '--os-cacert, or NODE_EXTRA_CA_CERTS,',
  signOn: '--os-token, or --os-username with OS_PASSWORD, and --os-auth-url for Keystone, say who asks there.',
  address: '',
};

/** A token of Keystone's Identity API v3 for a user's password (POST /v3/auth/tokens). */
async function signOn(keystone: Server, name: string, password: string, options: SourceOptions): Promise<string> {
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
  throw new CommandFailure(EXIT_STATUS.failed, `${keystone.url} answers no token: is it a Keystone?`);
}

function tokenOf(text: string): string {
  if (/^[\x21-\x7e]+$/.test(text)) return text;
  throw usageError('--os-token: it is no token: it has blanks, or more than ASCII');
}
