import type { Command } from 'commander';
import { nearest } from '../config/problems.ts';
import { maskText } from '../core/secrets.ts';
import { type Context, contextPath, readContexts } from './contextFile.ts';
import { usageError } from './exitStatus.ts';
import { readFile, readSecretFile, readText } from './keyValues.ts';
import { prompt } from './print/prompt.ts';

/** A server and the credentials for it. */
export interface Server {
  /** Scheme and authority, without a trailing slash. */
  url: string;
  /** The headers of every request, with lower-case names. */
  headers: Readonly<Record<string, string>>;
  /** PEM texts; Node's defaults apply when absent. */
  tls: { ca?: string[]; cert?: string; key?: string };
  /** Hints shown when something is missing. */
  advice: {
    /** How to specify CAs. */
    authorities: string;
    /** How to specify credentials. */
    credentials: string;
    /** How to specify another address, with leading punctuation; may be empty. */
    address: string;
    /** What it is expected to be, such as `an Ironic`. */
    api: string;
  };
  /** How long each request may take, in ms; the defaults apply when absent. */
  timeout?: number;
}

/** The server when none is given. */
export const DEFAULT_SERVER = 'http://127.0.0.1:6385';

/** The global options, from the command line or the environment. */
export interface ServerOptions {
  server: string;
  context?: string;
  token?: string;
  user?: string;
  passwordFile?: string;
  caFile?: string;
  certFile?: string;
  keyFile?: string;
  /** In ms. */
  timeout?: number;
}

/**
 * Returns the server of `command`: `--server`, else `--context`, else PASSTHRU_SERVER, else PASSTHRU_CONTEXT, else the
 * current context, else localhost. The credentials of a context are sent to its own server only.
 * @throws CommandFailure when the command line or the client's configuration is invalid
 */
export async function serverOf(command: Command): Promise<Server> {
  const options = command.optsWithGlobals<ServerOptions>();
  const context = await chooseContext(command, options);
  const caFile = options.caFile ?? context?.ca_file;
  return {
    url: serverUrl(context?.server ?? options.server),
    headers: await credentials(options, context),
    tls: {
      ...(caFile === undefined ? {} : { ca: [readAuthorities('--ca-file', caFile)] }),
      ...certificate(options, context),
    },
    advice: ADVICE,
    timeout: options.timeout,
  };
}

const ADVICE: Server['advice'] = {
  authorities: '--ca-file or NODE_EXTRA_CA_CERTS',
  credentials: 'Give credentials by --token, --user with PASSTHRU_PASSWORD, or a context (`passthru context set`).',
  address: '. Is the service running? Set its address by --server, PASSTHRU_SERVER or a context.',
  api: 'a passthru service',
};

/** Checks the URL of a server, given by `option`; returns it without trailing slashes and Ironic's `/v1`. */
export function serverUrl(server: string, option = '--server'): string {
  if (!/^https?:\/\//.test(server) || !URL.canParse(server)) {
    throw usageError(
      `${option}: "${maskText(server)}" is not an http:// or https:// URL such as https://host.example:6385`,
    );
  }
  const { username, password } = new URL(server);
  // It would not be sent, but be repeated in every message.
  if (username !== '' || password !== '') throw usageError(`${option}: the URL must not contain credentials`);
  return server.replace(/\/+$/, '').replace(/\/v1$/, '');
}

/**
 * Reads the CA bundle `path`, given by `option`.
 * @throws CommandFailure when it cannot be read or contains no certificate
 */
export function readAuthorities(option: string, path: string): string {
  const text = readFile(option, path);
  if (text.includes('-----BEGIN CERTIFICATE-----')) return text;
  throw usageError(`${option}: ${path} contains no PEM certificate`);
}

/** Returns the Authorization header of HTTP Basic (RFC 7617). */
export function basicCredentials(user: string, password: string): string {
  return `Basic ${Buffer.from(`${user}:${password}`).toString('base64')}`;
}

/** Returns the context of `command`; null when it uses none. */
async function chooseContext(command: Command, options: ServerOptions): Promise<Context | null> {
  return (await findContext(command, options))?.context ?? null;
}

/**
 * Returns the context of `command` and its name; null when it uses none.
 * @throws CommandFailure when the one that it names does not exist
 */
export async function findContext(
  command: Command,
  { context: named }: Pick<ServerOptions, 'context'>,
): Promise<{ name: string; context: Context } | null> {
  const source = (option: string) => command.getOptionValueSourceWithGlobals(option);
  if (source('server') === 'cli') {
    if (source('context') === 'cli') throw usageError('--server and --context: only one of them is allowed');
    return null;
  }
  if (source('server') === 'env' && source('context') !== 'cli') return null;
  const { current, contexts } = await readContexts();
  const name = named ?? current;
  if (name === undefined) return null;
  if (Object.hasOwn(contexts, name)) return { name, context: contexts[name]! };
  throw unknownContext(name, Object.keys(contexts));
}

async function credentials(
  { token, user, passwordFile }: ServerOptions,
  context: Context | null,
): Promise<Record<string, string>> {
  if (token !== undefined && user !== undefined) throw usageError('--token and --user: only one of them is allowed');
  if (token !== undefined) return tokenHeaders('--token', token);
  if (user !== undefined) {
    const password =
      passwordFile === undefined ? process.env.PASSTHRU_PASSWORD : readSecretFile('--password-file', passwordFile);
    return basicHeaders(user, password || (await askPassword(user)), '--password-file or PASSTHRU_PASSWORD');
  }
  if (context?.token !== undefined) return tokenHeaders('token', context.token);
  if (context?.user !== undefined) {
    const { password } = context;
    const stored = password === undefined ? await askPassword(context.user) : readText('password', password);
    return basicHeaders(context.user, stored, 'it by passthru context set --password @FILE');
  }
  return {};
}

/** Prompts for the password of `user`; undefined without a terminal. */
async function askPassword(user: string): Promise<string | undefined> {
  return (await prompt(`Password of ${user}: `)) ?? undefined;
}

/** Returns both token headers: a service with `jwt` reads the one, with `keystone` the other. */
function tokenHeaders(option: string, text: string): Record<string, string> {
  const token = readToken(option, text);
  return { authorization: `Bearer ${token}`, 'x-auth-token': token };
}

/** Reads the token `text`, or `@FILE`, given by `option`. */
export function readToken(option: string, text: string): string {
  const token = readText(option, text);
  if (/^[\x21-\x7e]+$/.test(token)) return token;
  throw usageError(`${option}: not a token; it contains blanks or non-ASCII characters`);
}

function basicHeaders(user: string, password: string | undefined, where: string): Record<string, string> {
  if (password === undefined || password === '') throw usageError(`no password for user ${user}; set ${where}`);
  if (user.includes(':')) throw usageError('--user: must not contain a colon');
  return { authorization: basicCredentials(user, password) };
}

/** Reads the client certificate and its key, from the options or else from the context. */
function certificate({ certFile, keyFile }: ServerOptions, context: Context | null): { cert?: string; key?: string } {
  if ((certFile === undefined) !== (keyFile === undefined)) {
    throw usageError('--cert-file and --key-file: both are required');
  }
  if (certFile !== undefined && keyFile !== undefined) {
    return { cert: readFile('--cert-file', certFile), key: readFile('--key-file', keyFile) };
  }
  return {
    ...(context?.cert_file === undefined ? {} : { cert: readFile('cert_file', context.cert_file) }),
    ...(context?.key_file === undefined ? {} : { key: readFile('key_file', context.key_file) }),
  };
}

/** Returns the error for a context that does not exist, with those that do. */
export function unknownContext(name: string, names: readonly string[]) {
  const meant = nearest(name, names);
  const guess = meant === null ? '; contexts' : `; did you mean ${meant}? Contexts`;
  return usageError(`unknown context ${name}${guess} in ${contextPath()}: ${names.toSorted().join(', ') || 'none'}`);
}
