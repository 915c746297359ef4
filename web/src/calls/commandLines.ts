// Calls: the form of a vendor method, its outcome, and the same call in other programs.
import type { JsonObject, JsonValue } from '@bufbuild/protobuf';
import { typesOf } from '../../../src/core/argumentTypes.ts';
import { isSecretName } from '../../../src/core/secretNames.ts';
import { isObject, memberOf } from '../schemaForm/schema.ts';
import type { Scheme } from '../session/credentials.ts';
import type { Target } from './target.ts';

/** A call as every program has to make it. */
export interface LineOptions {
  /** Where the service is, for example `https://passthru.example`. */
  origin: string;
  /** How it asks its callers to authenticate; null when it does not. */
  scheme: Scheme | null;
  target: Target;
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
  // No argument of a program can hold NUL, or half of a character.
  if (words === null || words.some((word) => typeof word === 'string' && (word.includes('\0') || !word.isWellFormed())))
    return null;
  return words.map((word) => (typeof word === 'string' ? shellQuote(word) : word.source)).join(' ');
}

/** What a line takes from the environment, and whether its program asks for the password. */
export interface LineCredentials {
  variables: readonly string[];
  asksPassword: boolean;
}

/** Returns what the line of `program` needs to authenticate. */
export function lineCredentials(program: Program, scheme: Scheme | null): LineCredentials {
  const { variables = [], asksPassword = false } = CREDENTIALS[program][scheme ?? 'none'] ?? {};
  return { variables, asksPassword };
}

/** A word of a line: a text to quote, or source that the shell evaluates. */
type Word = string | { source: string };

/** How a program authenticates. */
interface Credentials extends Partial<LineCredentials> {
  words: readonly Word[];
}

/** Null for a scheme that the program does not know. Where a program reads a variable by itself, no other user sees its value. */
const CREDENTIALS: Readonly<Record<Program, Readonly<Record<Scheme | 'none', Credentials | null>>>> = {
  curl: {
    none: { words: [] },
    basic: { words: ['-u', { source: '"$PASSTHRU_USER"' }], variables: ['PASSTHRU_USER'], asksPassword: true },
    keystone: { words: ['-H', { source: '"X-Auth-Token: $OS_TOKEN"' }], variables: ['OS_TOKEN'] },
    bearer: { words: ['-H', { source: '"Authorization: Bearer $PASSTHRU_TOKEN"' }], variables: ['PASSTHRU_TOKEN'] },
    certificate: { words: ['--cert', 'client.pem', '--key', 'client-key.pem'] },
  },
  baremetal: {
    none: { words: ['--os-auth-type', 'none'] },
    basic: { words: ['--os-auth-type', 'http_basic'], variables: ['OS_USERNAME', 'OS_PASSWORD'] },
    keystone: { words: ['--os-auth-type', 'admin_token'], variables: ['OS_TOKEN'] },
    bearer: null,
    certificate: { words: ['--os-auth-type', 'none', '--os-cert', 'client.pem', '--os-key', 'client-key.pem'] },
  },
  grpcurl: {
    none: { words: [] },
    basic: {
      words: [
        '-H',
        { source: '"Authorization: Basic $(printf %s "$PASSTHRU_USER:$PASSTHRU_PASSWORD" | base64 | tr -d \'\\n\')"' },
      ],
      variables: ['PASSTHRU_USER', 'PASSTHRU_PASSWORD'],
    },
    keystone: { words: ['-H', { source: '"X-Auth-Token: $OS_TOKEN"' }], variables: ['OS_TOKEN'] },
    bearer: { words: ['-H', { source: '"Authorization: Bearer $PASSTHRU_TOKEN"' }], variables: ['PASSTHRU_TOKEN'] },
    certificate: { words: ['-cert', 'client.pem', '-key', 'client-key.pem'] },
  },
  passthru: {
    none: { words: [] },
    basic: {
      words: ['--user', { source: '"$PASSTHRU_USER"' }],
      variables: ['PASSTHRU_USER', 'PASSTHRU_PASSWORD'],
    },
    keystone: { words: [], variables: ['PASSTHRU_TOKEN'] },
    bearer: { words: [], variables: ['PASSTHRU_TOKEN'] },
    certificate: { words: ['--cert-file', 'client.pem', '--key-file', 'client-key.pem'] },
  },
};

const WORDS: Readonly<Record<Program, (options: LineOptions) => Word[] | null>> = {
  curl: curlWords,
  baremetal: baremetalWords,
  grpcurl: grpcurlWords,
  passthru: passthruWords,
};

function curlWords({
  origin,
  scheme,
  target,
  method,
  httpMethod,
  arguments: args,
  attach,
}: LineOptions): Word[] | null {
  const credentials = CREDENTIALS.curl[scheme ?? 'none'];
  if (credentials === null || !isTakenByRest(args)) return null;
  const path = `/v1/${target.kind}s/${encodeURIComponent(target.name)}/vendor_passthru`;
  const url = `${origin}${path}?method=${encodeURIComponent(method)}`;
  const words: Word[] = ['curl', '-sS', '-X', httpMethod, '-H', API_VERSION, ...credentials.words];
  if (attach) words.push('-o', ATTACHMENT);
  if (Object.keys(args).length === 0) return [...words, url];
  const query = takesQuery(httpMethod) && !Object.hasOwn(args, 'method') ? queryOf(args) : null;
  if (query !== null) return [...words, `${url}&${query}`];
  return [...words, '-H', 'Content-Type: application/json', '-d', visibleJson(args), url];
}

function baremetalWords({ origin, scheme, target, method, httpMethod, arguments: args }: LineOptions): Word[] | null {
  const credentials = CREDENTIALS.baremetal[scheme ?? 'none'];
  // Ironic's client cannot print the result of a driver's method: it calls, then fails.
  if (credentials === null || target.kind === 'driver' || !isTakenByRest(args)) return null;
  const words = [
    ...['baremetal', ...credentials.words, '--os-endpoint', origin],
    ...['node', 'passthru', 'call', '--http-method', httpMethod],
  ];
  if (takesQuery(httpMethod) && Object.keys(args).length > 0) {
    // Ironic's client leaves their arguments out. What it takes for the method becomes the end of the address.
    const query = queryOf(args);
    return query === null ? null : [...words, ...positional(target.name, `${method}?${query}`)];
  }
  // Ironic's client reads JSON where it can, and else takes the text as it is.
  const pairs = pairsOf(args, (value) => (typeof value === 'string' && !mayBeJson(value) ? value : visibleJson(value)));
  return pairs === null ? null : [...words, ...pairs, ...positional(target.name, method)];
}

function grpcurlWords({ origin, scheme, target, method, httpMethod, arguments: args }: LineOptions): Word[] | null {
  const credentials = CREDENTIALS.grpcurl[scheme ?? 'none'];
  if (credentials === null) return null;
  const { protocol, host, port, hostname } = new URL(origin);
  const request = {
    [target.kind]: target.name,
    method,
    ...(Object.keys(args).length === 0 ? {} : { arguments: args }),
    http_method: httpMethod,
  };
  return [
    'grpcurl',
    ...(protocol === 'http:' ? ['-plaintext'] : []),
    ...credentials.words,
    '-d',
    visibleJson(request),
    port === '' ? `${hostname}:${protocol === 'http:' ? 80 : 443}` : host,
    `passthru.v1.PassthruService/${target.kind === 'node' ? 'CallNodeMethod' : 'CallDriverMethod'}`,
  ];
}

function passthruWords(options: LineOptions): Word[] | null {
  const { origin, scheme, target, method, httpMethod, arguments: args, argumentsSchema, attach } = options;
  const credentials = CREDENTIALS.passthru[scheme ?? 'none'];
  const properties = isObject(argumentsSchema.properties) ? argumentsSchema.properties : {};
  const pairs = pairsOf(args, (value, name) => {
    if (typeof value === 'string') return value.startsWith('@') ? `@${value}` : value;
    // Where a text is allowed, the command sends a text.
    const types = typesOf(memberOf(properties, name));
    if (types.length === 0 || types.includes('string')) return null;
    const text = visibleJson(value);
    // It refuses whole numbers that may have been rounded.
    return /^-?\d+$/.test(text) && !Number.isSafeInteger(value) ? null : text;
  });
  if (credentials === null || pairs === null) return null;
  return [
    'passthru',
    ...(origin === DEFAULT_SERVER ? [] : ['--server', origin]),
    ...credentials.words,
    ...[target.kind, 'passthru', 'call', '--http-method', httpMethod, ...pairs],
    ...(attach ? ['--output', ATTACHMENT] : []),
    ...positional(target.name, method),
  ];
}

/** Whether REST takes every text in a value: it refuses NUL and halves of characters. */
function isTakenByRest(value: JsonValue): boolean {
  if (typeof value === 'string') return !value.includes('\0') && value.isWellFormed();
  if (typeof value !== 'object' || value === null) return true;
  return Object.entries(value).flat().every(isTakenByRest);
}

/** Whether the arguments of a call with this verb may stand in the query of its address. */
function takesQuery(httpMethod: string): boolean {
  return httpMethod === 'GET' || httpMethod === 'DELETE';
}

/** Returns the arguments as a query; null when one is no text: in a query every argument is. */
function queryOf(args: JsonObject): string | null {
  const entries = Object.entries(args);
  if (!entries.flat().every((part) => typeof part === 'string' && part.isWellFormed())) return null;
  return entries.map(([name, value]) => `${encodeURIComponent(name)}=${encodeURIComponent(String(value))}`).join('&');
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
    // Apart from the option, a name that begins with - would be taken for another one.
    if (name.startsWith('-')) words.push(`--arg=${name}=${text}`);
    else words.push('--arg', `${name}=${text}`);
  }
  return words;
}

/** Whether Python may read a text as JSON, which has more numbers there than in the standard. */
function mayBeJson(text: string): boolean {
  return /^\s*(?:[[{"\d-]|(?:true|false|null|NaN|Infinity)\s*$)/.test(text);
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
