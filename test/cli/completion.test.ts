import { spawnSync } from 'node:child_process';
import { chmodSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, describe, expect, test, vi } from 'vitest';
import { tellSkipped } from '../real/pythonEnvironment.ts';
import { passthru, ROOT, type Served, serve, start } from './run.ts';

// Each command is a process of its own, which takes its time on a busy machine.
vi.setConfig({ testTimeout: 60_000, hookTimeout: 60_000 });

const DRIVER = fileURLToPath(new URL('./benchDriver.ts', import.meta.url));

const directory = mkdtempSync(join(tmpdir(), 'passthru-completion-'));
let served: Served;

beforeAll(async () => {
  const nodes = [
    { name: 'bench-1', driver: 'bench' },
    { name: 'bench-2', driver: 'bench' },
    { name: 'other', driver: 'fake-hardware' },
    { uuid: 'abcdef00-1111-4111-8111-111111111111', driver: 'fake-hardware' },
  ];
  writeFileSync(join(directory, 'nodes.yaml'), JSON.stringify({ nodes }));
  served = await serve([], { PASSTHRU_NODES_FILE: join(directory, 'nodes.yaml'), PASSTHRU_DRIVERS: DRIVER });
  // The command as it is found when it is installed.
  mkdirSync(join(directory, 'bin'));
  const command = join(directory, 'bin', 'passthru');
  writeFileSync(command, `#!/bin/sh\nexec '${process.execPath}' '${join(ROOT, 'src', 'main.js')}' "$@"\n`);
  chmodSync(command, 0o755);
});
afterAll(async () => {
  await served.stop();
  rmSync(directory, { recursive: true });
});

/** What the last of `words` could be. */
async function candidates(words: readonly string[], environment: NodeJS.ProcessEnv = {}): Promise<string[]> {
  const { status, stdout, stderr } = await passthru(['__complete', ...words], {
    PASSTHRU_SERVER: served.url,
    ...environment,
  });
  expect({ status, stderr }).toEqual({ status: 0, stderr: '' });
  return stdout.split('\n').flatMap((line) => (line === '' ? [] : [line.split('\t')[0]!]));
}

describe('what a word could be', () => {
  test.each([
    [['no'], ['node']],
    [['node', 'pass'], ['passthru']],
    [
      ['node', 'show', ''],
      ['bench-1', 'bench-2', 'other', 'abcdef00-1111-4111-8111-111111111111'],
    ],
    [
      ['node', 'delete', 'bench-1', 'bench-'],
      ['bench-1', 'bench-2'],
    ],
    [
      ['node', 'passthru', 'call', 'bench-1', ''],
      ['echo', 'hold', 'report'],
    ],
    [['node', 'passthru', 'call', 'bench-1', 'hold', '--arg', ''], ['word=']],
    [['node', 'passthru', 'call', '--arg', 'word=x', 'bench-1', 'ho'], ['hold']],
    [['driver', 'passthru', 'call', 'ben'], ['bench']],
    [['driver', 'passthru', 'call', 'bench', ''], ['release']],
    [
      ['node', 'list', '-f', ''],
      ['table', 'json', 'yaml', 'value'],
    ],
    [['node', 'list', '--driver', 'fake'], ['fake-hardware']],
    [['node', 'list', '--se'], ['--server']],
    [['completion', 'z'], ['zsh']],
  ])('%j: %j', async (words, found) => {
    expect(await candidates(words)).toEqual(found);
  });

  test('--server on the line is the one that is asked', async () => {
    const words = ['--server', served.url, 'node', 'show', 'oth'];
    expect(await candidates(words, { PASSTHRU_SERVER: 'http://127.0.0.1:1' })).toEqual(['other']);
  });

  test('nothing, and silence, when the service is not there', async () => {
    expect(await candidates(['node', 'show', ''], { PASSTHRU_SERVER: 'http://127.0.0.1:1' })).toEqual([]);
  });
});

/** What makes a shell say what `line` could go on with, a candidate a line; the script is in the file `$1`. */
const SHELLS: Readonly<Record<string, { flags: string[]; program(line: string): string }>> = {
  bash: {
    flags: ['--norc', '--noprofile', '-c'],
    // As readline sets it up: words are split at blanks, = and :.
    program: (line) => `compopt() { :; }
source "$1"
COMP_LINE='${line}' COMP_POINT=\${#COMP_LINE}
COMP_WORDS=(${line.replaceAll('=', ' = ').replaceAll(':', ' : ')}${line.endsWith(' ') ? " ''" : ''})
COMP_CWORD=$((\${#COMP_WORDS[@]} - 1))
_passthru
printf '%s\\n' "\${COMPREPLY[@]}"`,
  },
  fish: { flags: ['--no-config', '-c'], program: (line) => `source $argv[2]; complete -C '${line}'` },
  zsh: {
    flags: ['-f', '-c'],
    // What compsys would show, taken from where the script hands it on.
    program: (line) => `compdef() { :; }
_describe() { local entry; for entry in "\${(@P)2}"; do print -r -- "\${entry%%:*}"; done; }
_files() { :; }
source "$1"
words=(${line}${line.endsWith(' ') ? " ''" : ''}) CURRENT=\${#words}
_passthru`,
  },
};

describe.each(Object.keys(SHELLS))('in %s', (shell) => {
  const isHere = spawnSync(shell, ['--version']).status === 0;
  if (!isHere) tellSkipped(`completion in ${shell}`, 'it is not here');

  test.skipIf(!isHere).each([
    ['passthru node passthru call ben', ['bench-1', 'bench-2']],
    ['passthru node passthru call bench-1 ', ['echo', 'hold', 'report']],
    ['passthru node passthru call bench-1 hold --arg wo', ['word=']],
    ['passthru node passthru call bench-1 hold --arg word=x --wa', ['--watch']],
  ])('%s', async (line, found) => {
    const script = join(directory, `script.${shell}`);
    writeFileSync(script, (await passthru(['completion', shell])).stdout);
    const { flags, program } = SHELLS[shell]!;
    const { status, stdout, stderr } = await start(shell, [...flags, program(line), shell, script], {
      PASSTHRU_SERVER: served.url,
      XDG_CONFIG_HOME: '/nonexistent',
      PATH: `${join(directory, 'bin')}:${process.env.PATH}`,
    }).ended;
    expect({ status, stderr }).toEqual({ status: 0, stderr: '' });
    expect(stdout.split('\n').flatMap((text) => (text === '' ? [] : [text.split('\t')[0]]))).toEqual(found);
  });
});
