import { readFileSync } from 'node:fs';
import type { Command } from 'commander';
import { maskText } from '../core/secrets.ts';
import { contextPath, readContexts } from './contextFile.ts';
import type { Context } from './contextSchema.ts';
import { usageError } from './exitStatus.ts';
import { readText } from './keyValues.ts';

/** The service that a command talks to, and what it proves who asks with. */
export interface Server {
  /** Scheme and authority, without a slash at the end. */
  url: string;
  /** The headers of every request, names in lower case. */
  headers: Readonly<Record<string, string>>;
  /** PEM texts; what is absent is Node's default. */
  tls: { ca?: string[]; cert?: string; key?: string };
  /** What a person is told to give when it is wanting. */
  advice: {
    /** What names the authorities that its certificate may be of. */
    authorities: string;
    /** What says who asks. */
    signOn: string;
    /** A sentence, with what ends the one before, on what names another address; empty when there is but one. */
    address: string;
  };
}

/** What the program's own options and their environment variables say. */
export interface ServerOptions {
  server: string;
  context?: string;
  token?: string;
  user?: string;
  passwordFile?: string;
  caFile?: string;
  certFile?: string;
  keyFile?: string;
}

/**
 * The server of `command`: `--server`, else `--context`, else PASSTHRU_SERVER, else PASSTHRU_CONTEXT, else the current
 * context, else this machine's. Without a context none of its credentials are sent: they are for its own server.
 * @throws CommandFailure when the command line or the client's configuration is wrong
 */
export async function serverOf(command: Command): Promise<Server> {
  const options = command.optsWithGlobals<ServerOptions>();
  const context = await chooseContext(command, options);
  const caFile = options.caFile ?? context?.ca_file;
  return {
    url: serverUrl(context?.server ?? options.server),
    headers: credentials(options, context),
    tls: {
      ...(caFile === undefined ? {} : { ca: [readAuthorities('--ca-file', caFile)] }),
      ...certificate(options, context),
    },
    advice: ADVICE,
  };
}

const ADVICE: Server['advice'] = {
  authorities: '--ca-file, or NODE_EXTRA_CA_CERTS,',
  signOn: '--token, --user with PASSTHRU_PASSWORD, or a context (`passthru context set`) says who you are.',
  address: '. Is the service running? --server, PASSTHRU_SERVER or a context names another.',
};

/** A URL of a server, checked, without slashes or Ironic's `/v1` at its end. `option` is what gave it. */
export function serverUrl(server: string, option = '--server'): string {
  if (!/^https?:\/\//.test(server) || !URL.canParse(server)) {
    const wrong = maskText(server);
    throw usageError(`${option}: "${wrong}" is no http:// or https:// URL, such as https://host.example:6385`);
  }
  const { username, password } = new URL(server);
  // It would be sent to nobody, and stand in every message.
  if (username !== '' || password !== '') throw usageError(`${option}: the URL of a server has no user in it`);
  return server.replace(/\/+$/, '').replace(/\/v1$/, '');
}

/**
 * The authorities in the PEM file `path`, which `option` names.
 * @throws CommandFailure when it cannot be read, or holds no certificate
 */
export function readAuthorities(option: string, path: string): string {
  const text = readFile(option, path);
  if (text.includes('-----BEGIN CERTIFICATE-----')) return text;
  throw usageError(`${option}: ${path} holds no certificate in PEM`);
}

/** The header of HTTP Basic (RFC 7617). */
export function basicCredentials(user: string, password: string): string {
  return `Basic ${Buffer.from(`${user}:${password}`).toString('base64')}`;
}

async function chooseContext(command: Command, { context: named }: ServerOptions): Promise<Context | null> {
  const source = (option: string) => command.getOptionValueSourceWithGlobals(option);
  if (source('server') === 'cli') {
    if (source('context') === 'cli') throw usageError('--server and --context: give one of them');
    return null;
  }
  if (source('server') === 'env' && source('context') !== 'cli') return null;
  const { current, contexts } = await readContexts();
  const name = named ?? current;
  if (name === undefined) return null;
  if (Object.hasOwn(contexts, name)) return contexts[name]!;
  const known = Object.keys(contexts).sort().join(', ') || 'none';
  throw usageError(`there is no context ${name} in ${contextPath()}; contexts: ${known}`);
}

function credentials({ token, user, passwordFile }: ServerOptions, context: Context | null): Record<string, string> {
  if (token !== undefined && user !== undefined) throw usageError('--token and --user: one of them says who calls');
  if (token !== undefined) return tokenHeaders('--token', token);
  if (user !== undefined) {
    const password =
      passwordFile === undefined
        ? process.env.PASSTHRU_PASSWORD
        : readFile('--password-file', passwordFile).replace(/\r?\n$/, '');
    return basicHeaders(user, password, '--password-file or PASSTHRU_PASSWORD');
  }
  if (context?.token !== undefined) return tokenHeaders('token', context.token);
  if (context?.user !== undefined) {
    const { password } = context;
    return basicHeaders(context.user, password && readText('password', password), 'password');
  }
  return {};
}

/** A service with `jwt` reads the one header, one with `keystone` the other. */
function tokenHeaders(option: string, text: string): Record<string, string> {
  const token = readText(option, text);
  if (!/^[\x21-\x7e]+$/.test(token)) throw usageError(`${option}: it is no token: it has blanks, or more than ASCII`);
  return { authorization: `Bearer ${token}`, 'x-auth-token': token };
}

function basicHeaders(user: string, password: string | undefined, where: string): Record<string, string> {
  if (password === undefined || password === '') throw usageError(`there is no password for ${user}: set ${where}`);
  if (user.includes(':')) throw usageError('--user: a user of HTTP Basic has no colon in its name');
  return { authorization: basicCredentials(user, password) };
}

/** The certificate that proves who asks: that of the options, else that of the context. */
function certificate({ certFile, keyFile }: ServerOptions, context: Context | null): { cert?: string; key?: string } {
  if ((certFile === undefined) !== (keyFile === undefined)) {
    throw usageError('--cert-file and --key-file: neither does without the other');
  }
  if (certFile !== undefined && keyFile !== undefined) {
    return { cert: readFile('--cert-file', certFile), key: readFile('--key-file', keyFile) };
  }
  return {
    ...(context?.cert_file === undefined ? {} : { cert: readFile('cert_file', context.cert_file) }),
    ...(context?.key_file === undefined ? {} : { key: readFile('key_file', context.key_file) }),
  };
}

function readFile(option: string, path: string): string {
  try {
    return readFileSync(path, 'utf8');
  } catch (error) {
    throw usageError(`${option}: ${path} cannot be read: ${(error as NodeJS.ErrnoException).code}`);
  }
}
