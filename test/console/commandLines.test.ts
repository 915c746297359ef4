import { execFileSync, spawnSync } from 'node:child_process';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { commandLine, type LineOptions, PROGRAMS, shellQuote } from '../../web/src/calls/commandLines.ts';
import { needs } from '../needs.ts';

const CALL: LineOptions = {
  origin: 'http://10.0.0.1:6385',
  scheme: null,
  target: { kind: 'node', name: 'rack-1', uuid: '11111111-1111-4111-8111-111111111111' },
  method: 'create_subscription',
  httpMethod: 'POST',
  arguments: { Destination: 'https://listener.example/events' },
  argumentsSchema: { type: 'object', properties: { Destination: { type: 'string' } } },
  attach: false,
};

/** Without the files of whoever runs the tests. */
const OWN_FILES_ONLY: Readonly<Record<string, string>> = { bash: '--norc', zsh: '-f' };

/** Returns the words that a shell makes of a line, with each program replaced by one that prints its arguments. */
function wordsOf(line: string, shell = 'bash', environment: Record<string, string> = {}): string[] {
  const programs = PROGRAMS.map((name) => `${name}() { printf '%s\\0' "$@"; }`).join('; ');
  const env = { PATH: process.env.PATH, LC_ALL: 'C.UTF-8', ...environment };
  return execFileSync(shell, [OWN_FILES_ONLY[shell]!, '-c', `${programs}; ${line}`], { env, encoding: 'utf8' })
    .split('\0')
    .slice(0, -1);
}

describe('the lines for a shell', () => {
  test('make the call that the form shows', () => {
    const lines = Object.fromEntries(PROGRAMS.map((program) => [program, commandLine(program, CALL)]));
    expect(lines).toEqual({
      curl: `curl -sS -X POST -H 'X-OpenStack-Ironic-API-Version: 1.82' -H 'Content-Type: application/json' -d '{"Destination":"https://listener.example/events"}' 'http://10.0.0.1:6385/v1/nodes/rack-1/vendor_passthru?method=create_subscription'`,
      baremetal:
        'baremetal --os-auth-type none --os-endpoint http://10.0.0.1:6385 node passthru call --http-method POST --arg Destination=https://listener.example/events rack-1 create_subscription',
      grpcurl: `grpcurl -plaintext -d '{"node":"rack-1","method":"create_subscription","arguments":{"Destination":"https://listener.example/events"},"http_method":"POST"}' 10.0.0.1:6385 passthru.v1.PassthruService/CallNodeMethod`,
      passthru:
        'passthru --server http://10.0.0.1:6385 node passthru call --http-method POST --arg Destination=https://listener.example/events rack-1 create_subscription',
    });
  });

  for (const shell of ['bash', 'zsh']) {
    const missing = spawnSync(shell, ['-c', 'true']).error === undefined ? null : shell;
    test(`keep any text as it is, in ${shell}`, needs(missing), () => {
      const letters = [
        "'",
        '"',
        '$',
        '`',
        '\\',
        '!',
        '\n',
        '\t',
        '\u001b',
        ' ',
        '*',
        '~',
        '#',
        '=',
        '-',
        'é',
        '\u202e',
        '😀',
      ];
      const text = fc.oneof(
        fc.string({ unit: fc.constantFrom(...letters), maxLength: 12 }),
        fc.string({ unit: 'binary', maxLength: 12 }).filter((one) => !one.includes('\0') && one.isWellFormed()),
      );
      fc.assert(
        fc.property(fc.array(text, { minLength: 1, maxLength: 8 }), (words) => {
          expect(wordsOf(`curl ${words.map(shellQuote).join(' ')}`, shell)).toEqual(words);
        }),
        { numRuns: 40 },
      );
    });
  }

  test('show every character that they hold: none hides or turns what a reader sees', () => {
    const hostile = 'a\u202eb\u001b[2Kc\u0007\u2028d\u0085e\ufefff';
    const target = { ...CALL.target, name: hostile };
    const given = { ...CALL, target, method: hostile, arguments: { Destination: hostile, [hostile]: hostile } };
    for (const program of PROGRAMS) expect(commandLine(program, given)).not.toMatch(/[\p{Cc}\p{Cf}\p{Zl}\p{Zp}]/u);
  });

  test('send any arguments as they are', () => {
    fc.assert(
      fc.property(fc.dictionary(fc.string(), fc.jsonValue(), { maxKeys: 5 }), (given) => {
        const args = JSON.parse(JSON.stringify(given));
        const call = { ...CALL, arguments: args };
        const line = commandLine('grpcurl', call);
        const words = wordsOf(line!);
        // Secrets by name are replaced; compare what is none.
        const sent = JSON.parse(words[words.indexOf('-d') + 1]!);
        for (const [name, value] of Object.entries(sent.arguments ?? {}))
          if (!JSON.stringify(value).includes('<secret>')) expect(value).toEqual(args[name]);
        expect(Object.keys(sent.arguments ?? {})).toEqual(Object.keys(args));
      }),
      { numRuns: 30 },
    );
  });

  test('contain no secret and no credentials, but where to take them from', () => {
    const secret = 'hunter2';
    const call = {
      ...CALL,
      arguments: { address: 'a', password: secret, credentials: { username: secret, n: [secret] } },
    };
    for (const scheme of [null, 'basic', 'keystone', 'bearer', 'certificate'] as const) {
      for (const program of PROGRAMS) {
        const line = commandLine(program, { ...call, scheme });
        expect(line ?? '').not.toContain(secret);
      }
    }
    const bearer = commandLine('curl', { ...CALL, scheme: 'bearer' })!;
    expect(wordsOf(bearer, 'bash', { PASSTHRU_TOKEN: 'a.b c' })).toContain('Authorization: Bearer a.b c');
    const basic = commandLine('grpcurl', { ...CALL, scheme: 'basic' })!;
    const environment = { PASSTHRU_USER: 'ann', PASSTHRU_PASSWORD: 'p w' };
    expect(wordsOf(basic, 'bash', environment)).toContain(
      `Authorization: Basic ${Buffer.from('ann:p w').toString('base64')}`,
    );
    expect(commandLine('baremetal', { ...CALL, scheme: 'bearer' })).toBeNull();
  });

  test('write arguments as each program reads them', () => {
    const argumentsSchema = {
      properties: { n: { type: 'integer' }, list: { type: 'array' }, either: { type: ['string', 'number'] }, text: {} },
    };
    const line = (program: 'passthru' | 'baremetal', args: LineOptions['arguments']) =>
      commandLine(program, { ...CALL, argumentsSchema, arguments: args });
    expect(wordsOf(line('passthru', { n: 5, list: ['a'], text: '@file' })!)).toEqual(
      expect.arrayContaining(['n=5', 'list=["a"]', 'text=@@file']),
    );
    // The command would send a text.
    expect(line('passthru', { either: 5 })).toBeNull();
    expect(wordsOf(line('passthru', { either: '5' })!)).toContain('either=5');
    // Ironic's client reads a text that is JSON as JSON.
    expect(wordsOf(line('baremetal', { text: '5', n: 5 })!)).toEqual(expect.arrayContaining(['text="5"', 'n=5']));
    expect(line('baremetal', { 'a=b': 'c' })).toBeNull();
    expect(wordsOf(commandLine('passthru', { ...CALL, target: { ...CALL.target, name: '-x' } })!).slice(-3)).toEqual([
      '--',
      '-x',
      'create_subscription',
    ]);
  });

  test("call the methods of a driver, but by Ironic's client, which cannot print what they return", () => {
    const call = { ...CALL, target: { kind: 'driver', name: 'redfish' }, method: 'discover' } as const;
    const lines = PROGRAMS.map((program) => commandLine(program, call));
    expect(lines).toEqual([
      expect.stringContaining('/v1/drivers/redfish/vendor_passthru?method=discover'),
      null,
      expect.stringMatching(/"driver":"redfish".* passthru\.v1\.PassthruService\/CallDriverMethod$/),
      expect.stringMatching(/ driver passthru call .* redfish discover$/),
    ]);
  });

  test('put the texts of a GET into the query, and other values into the body', () => {
    const get = { ...CALL, httpMethod: 'GET', target: { ...CALL.target, name: 'a b' }, method: 'm' };
    expect(wordsOf(commandLine('curl', { ...get, arguments: { id: 'x&y=z' } })!).at(-1)).toBe(
      'http://10.0.0.1:6385/v1/nodes/a%20b/vendor_passthru?method=m&id=x%26y%3Dz',
    );
    expect(wordsOf(commandLine('curl', { ...get, arguments: { id: 5 } })!)).toContain('{"id":5}');
    expect(commandLine('curl', { ...get, attach: true })).toContain('-o attachment');
    // REST refuses NUL.
    for (const program of ['curl', 'baremetal'] as const)
      expect(commandLine(program, { ...CALL, arguments: { list: [{ '\0': 'x' }] } })).toBeNull();
    // Ironic's client sends no arguments with these verbs.
    for (const httpMethod of ['GET', 'DELETE']) {
      const call = { ...get, httpMethod };
      expect(wordsOf(commandLine('baremetal', { ...call, arguments: { id: 'x&y' } })!).at(-1)).toBe('m?id=x%26y');
      expect(commandLine('baremetal', { ...call, arguments: { id: 5 } })).toBeNull();
    }
  });
});
