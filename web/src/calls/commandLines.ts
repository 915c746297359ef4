// Calls: the form of a vendor method, its outcome, and the same call in other programs.
import type { JsonObject, JsonValue } from '@bufbuild/protobuf';
import { isSecretName } from '../../../src/core/secretNames.ts';
import { isObject, memberOf, resolve, typesOf } from '../schemaForm/schema.ts';
import type { Scheme } from '../session/credentials.ts';

/** A call as every program has to make it. */
export interface LineOptions {
  /** Where the service is, for example `https://passthru.example`. */
  origin: string;
  /** How it asks its callers to authenticate; null when it does not. */
  scheme: Scheme | null;
  node: string;
  method: string;
  httpMethod: string;
  arguments: JsonObject;
  argumentsSchema: JsonObject;
  /** Whether the method returns bytes. */
  attach: boolean;
}

export const PROGRAMS = ['curl', 'baremetal', 'grpcurl', 'passthru'] as const;
export type Program = (typeof PROGRAMS)[number];

/** What stands for secrets, which do not belong into the history of a shell. */
const PLACEHOLDER = '<secret>';
/** The newest version of Ironic's API that the service knows, which every line for REST names. */
const API_VERSION = 'X-OpenStack-Ironic-API-Version: 1.82';
/** Where the `passthru` command looks without `--server`. */
const DEFAULT_SERVER = 'http://127.0.0.1:6385';
/** Where an attachment is written to: to a terminal its bytes would be commands. */
const ATTACHMENT = 'attachment';

/**
 * Returns the line of a shell (bash, zsh) that makes the call with `program`; null when the program cannot express its
 * arguments or credentials. Secrets among the arguments are replaced, and credentials are read from the environment.
 */
export function commandLine(program: Program, options: LineOptions): string | null {
  const words = WORDS[program]({ ...options, arguments: withoutSecrets(options.arguments) });
  // No argument of a program can hold NUL.
  if (words === null || words.some((word) => typeof word === 'string' && word.includes('\0'))) return null;
  return words.map((word) => (typeof word === 'string' ? shellQuote(word) : word.source)).join(' ');
}

/** A word of a line: a text to quote, or source that the shell evaluates. */
type Word = string | { source: string };

const WORDS: Readonly<Record<Program, (options: LineOptions) => Word[] | null>> = {
  curl: curlWords,
  baremetal: baremetalWords,
  grpcurl: grpcurlWords,
  passthru: passthruWords,
};

function curlWords({ origin, scheme, node, method, httpMethod, arguments: args, attach }: LineOptions): Word[] {
  const url = `${origin}/v1/nodes/${encodeURIComponent(node)}/vendor_passthru?method=${encodeURIComponent(method)}`;
  const words: Word[] = ['curl', '-sS', '-X', httpMethod, '-H', API_VERSION, ...CURL_CREDENTIALS[scheme ?? 'none']];
  if (attach) words.push('-o', ATTACHMENT);
  const entries = Object.entries(args);
  if (entries.length === 0) return [...words, url];
  const takesQuery = httpMethod === 'GET' || httpMethod === 'DELETE';
  // In a query every argument is a text.
  if (takesQuery && !('method' in args) && entries.every(([, value]) => typeof value === 'string')) {
    const query = entries.map(([name, value]) => `&${encodeURIComponent(name)}=${encodeURIComponent(String(value))}`);
    return [...words, `${url}${query.join('')}`];
  }
  return [...words, '-H', 'Content-Type: application/json', '-d', visibleJson(args), url];
}

const CURL_CREDENTIALS: Readonly<Record<Scheme | 'none', Word[]>> = {
  none: [],
  // curl asks for the password.
  basic: ['-u', { source: '"$PASSTHRU_USER"' }],
  keystone: ['-H', { source: '"X-Auth-Token: $OS_TOKEN"' }],
  bearer: ['-H', { source: '"Authorization: Bearer $PASSTHRU_TOKEN"' }],
  certificate: ['--cert', 'client.pem', '--key', 'client-key.pem'],
};

function baremetalWords({ origin, scheme, node, method, httpMethod, arguments: args }: LineOptions): Word[] | null {
  const credentials = BAREMETAL_CREDENTIALS[scheme ?? 'none'];
  const pairs = pairsOf(args, (value) => {
    // Ironic's client reads JSON where it can, and else takes the text as it is.
    if (typeof value !== 'string' || isJson(value)) return visibleJson(value);
    return value;
  });
  if (credentials === null || pairs === null) return null;
  return [
    'baremetal',
    ...credentials,
    '--os-endpoint',
    origin,
    ...['node', 'passthru', 'call', '--http-method', httpMethod, ...pairs, ...positional(node, method)],
  ];
}

const BAREMETAL_CREDENTIALS: Readonly<Record<Scheme | 'none', Word[] | null>> = {
  none: ['--os-auth-type', 'none'],
  basic: [
    ...['--os-auth-type', 'http_basic', '--os-username', { source: '"$OS_USERNAME"' }],
    ...['--os-password', { source: '"$OS_PASSWORD"' }],
  ],
  keystone: ['--os-auth-type', 'admin_token', '--os-token', { source: '"$OS_TOKEN"' }],
  bearer: null,
  certificate: ['--os-auth-type', 'none', '--os-cert', 'client.pem', '--os-key', 'client-key.pem'],
};

function grpcurlWords({ origin, scheme, node, method, httpMethod, arguments: args }: LineOptions): Word[] {
  const { protocol, host, port, hostname } = new URL(origin);
  const request = {
    node,
    method,
    ...(Object.keys(args).length === 0 ? {} : { arguments: args }),
    http_method: httpMethod,
  };
  return [
    'grpcurl',
    ...(protocol === 'http:' ? ['-plaintext'] : []),
    ...GRPCURL_CREDENTIALS[scheme ?? 'none'],
    '-d',
    visibleJson(request),
    port === '' ? `${hostname}:${protocol === 'http:' ? 80 : 443}` : host,
    'passthru.v1.PassthruService/CallNodeMethod',
  ];
}

const GRPCURL_CREDENTIALS: Readonly<Record<Scheme | 'none', Word[]>> = {
  none: [],
  basic: [
    '-H',
    { source: '"Authorization: Basic $(printf %s "$PASSTHRU_USER:$PASSTHRU_PASSWORD" | base64 | tr -d \'\\n\')"' },
  ],
  keystone: ['-H', { source: '"X-Auth-Token: $OS_TOKEN"' }],
  bearer: ['-H', { source: '"Authorization: Bearer $PASSTHRU_TOKEN"' }],
  certificate: ['-cert', 'client.pem', '-key', 'client-key.pem'],
};

function passthruWords(options: LineOptions): Word[] | null {
  const { origin, scheme, node, method, httpMethod, arguments: args, argumentsSchema, attach } = options;
  const pairs = pairsOf(args, (value, name) => {
    if (typeof value === 'string') return value.startsWith('@') ? `@${value}` : value;
    // Where a text is allowed, the command sends a text.
    const property = resolve(
      isObject(argumentsSchema.properties) ? memberOf(argumentsSchema.properties, name) : {},
      argumentsSchema,
    );
    const types = typesOf(property);
    return types.length === 0 || types.includes('string') ? null : visibleJson(value);
  });
  if (pairs === null) return null;
  return [
    'passthru',
    ...(origin === DEFAULT_SERVER ? [] : ['--server', origin]),
    // Tokens and passwords are read from PASSTHRU_TOKEN and PASSTHRU_PASSWORD.
    ...(scheme === 'basic' ? ['--user', { source: '"$PASSTHRU_USER"' }] : []),
    ...(scheme === 'certificate' ? ['--cert-file', 'client.pem', '--key-file', 'client-key.pem'] : []),
    ...['node', 'passthru', 'call', '--http-method', httpMethod, ...pairs],
    ...(attach ? ['--output', ATTACHMENT] : []),
    ...positional(node, method),
  ];
}

function positional(...words: string[]): string[] {
  return words.some((word) => word.startsWith('-')) ? ['--', ...words] : words;
}

/** Returns `--arg NAME=VALUE` for each argument; null when one cannot be written so. */
function pairsOf(args: JsonObject, write: (value: JsonValue, name: string) => string | null): string[] | null {
  const words: string[] = [];
  for (const [name, value] of Object.entries(args)) {
    const text = write(value, name);
    if (text === null || name === '' || name.includes('=')) return null;
    words.push('--arg', `${name}=${text}`);
  }
  return words;
}

function isJson(text: string): boolean {
  try {
    JSON.parse(text);
    return true;
  } catch {
    return false;
  }
}

/** Returns `value` without what is secret by its name, with all that it contains. */
function withoutSecrets<T extends JsonValue>(value: T, isSecret = false): T {
  if (isObject(value)) {
    const members = Object.entries(value).map(([name, member]) => [
      name,
      withoutSecrets(member, isSecret || isSecretName(name)),
    ]);
    return Object.fromEntries(members);
  }
  if (Array.isArray(value)) return value.map((item) => withoutSecrets(item, isSecret)) as T;
  return (isSecret && value !== null ? PLACEHOLDER : value) as T;
}

/** Characters that a line would not show, or show in another order than they are in; halves of surrogate pairs as well. */
const INVISIBLE = /[\p{Cc}\p{Cf}\p{Zl}\p{Zp}\p{Cs}]/gu;

function visibleJson(value: JsonValue): string {
  return JSON.stringify(value).replace(INVISIBLE, (character) =>
    Array.from({ length: character.length }, (_, index) => unicodeEscape(character.charCodeAt(index))).join(''),
  );
}

function unicodeEscape(code: number): string {
  return `\\u${code.toString(16).padStart(4, '0')}`;
}

/** Returns a word of bash and zsh whose value is `text`. What the line would not show is written as an escape. */
export function shellQuote(text: string): string {
  if (/^[\w/:.,+-][\w/:=.,@+-]*$/.test(text)) return text;
  if (text.search(INVISIBLE) === -1) return `'${text.replaceAll("'", "'\\''")}'`;
  const escaped = text
    .replaceAll('\\', '\\\\')
    .replaceAll("'", "\\'")
    .replace(INVISIBLE, (character) => {
      const code = character.codePointAt(0)!;
      // Bytes, so that the meaning does not hang on the locale of the shell.
      if (code < 0x80) return `\\x${code.toString(16).padStart(2, '0')}`;
      return Array.from(new TextEncoder().encode(character), (byte) => `\\x${byte.toString(16)}`).join('');
    });
  return `$'${escaped}'`;
}
