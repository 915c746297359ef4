import { spawnSync } from 'node:child_process';
import { chmodSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, describe, expect, test, vi } from 'vitest';
import { needs } from '../needs.ts';
import { passthru, ROOT, type Served, serve } from './run.ts';
import { hasTerminal, openTerminal } from './terminal.ts';

// Each command is a process, which is slow to start on a busy machine.
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
  // The command as if it were installed; it prints what it would run, except for `__complete`.
  mkdirSync(join(directory, 'bin'));
  const command = join(directory, 'bin', 'passthru');
  writeFileSync(
    command,
    `#!/bin/sh
case $1 in
  __complete) exec '${process.execPath}' '${join(ROOT, 'src', 'main.js')}' "$@" ;;
  *) echo "RAN[$*]" ;;
esac
`,
  );
  chmodSync(command, 0o755);
});
afterAll(async () => {
  await served.stop();
  rmSync(directory, { recursive: true });
});

/** Returns the candidates for the last of `words`. */
async function candidates(words: readonly string[], environment: NodeJS.ProcessEnv = {}): Promise<string[]> {
  const { status, stdout, stderr } = await passthru(['__complete', ...words], {
    PASSTHRU_SERVER: served.url,
    ...environment,
  });
  expect({ status, stderr }).toEqual({ status: 0, stderr: '' });
  return stdout.split('\n').flatMap((line) => (line === '' ? [] : [line.split('\t')[0]!]));
}

describe('the candidates for a word', () => {
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
    [
      ['node', 'passthru', 'call', 'bench-1', 'echo', '--arg', 'choice='],
      ['choice=a', 'choice=b'],
    ],
    [['node', 'passthru', 'call', 'bench-1', 'echo', '--arg', 'flag=f'], ['flag=false']],
    [['node', 'passthru', 'call', 'bench-1', 'hold', '--arg', 'word='], []],
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

  test('are requested from the --server on the command line', async () => {
    const words = ['--server', served.url, 'node', 'show', 'oth'];
    expect(await candidates(words, { PASSTHRU_SERVER: 'http://127.0.0.1:1' })).toEqual(['other']);
  });

  test('are none, without an error, when the service is unreachable', async () => {
    expect(await candidates(['node', 'show', ''], { PASSTHRU_SERVER: 'http://127.0.0.1:1' })).toEqual([]);
  });
});

/** The command line of each shell, and the input that loads the completion script. */
const SHELLS: Readonly<Record<string, { words: string[]; start(script: string): string }>> = {
  bash: { words: ['bash', '--norc', '--noprofile', '-i'], start: (script) => `source ${script}` },
  zsh: {
    words: ['zsh', '-f', '-i'],
    start: (script) => `autoload -U compinit; compinit -u -D; source ${script}`,
  },
  fish: { words: ['fish', '--no-config', '-i'], start: (script) => `source ${script}` },
};

const HOLD = 'node passthru call bench-1 hold';
const ECHO = 'node passthru call bench-1 echo --http-method PUT';

const withoutShell = (shell: string) =>
  hasTerminal && spawnSync(shell, ['--version']).status === 0 ? null : `${shell}, and python3 for a pseudo-terminal`;

for (const shell of Object.keys(SHELLS))
  describe(`with the tab key in ${shell}`, needs(withoutShell(shell)), () => {
    // The keys typed, and the command line that then runs.
    test.each([
      ['a node', 'node show oth\t', 'node show other'],
      ['the common beginning of several nodes', 'node show be\t1', 'node show bench-1'],
      ['a method', 'node passthru call bench-1 ho\t', 'node passthru call bench-1 hold'],
      ["a driver's method", 'driver passthru call bench rel\t', 'driver passthru call bench release'],
      ['an argument, without a blank after it', `${HOLD} --arg wo\tx`, `${HOLD} --arg word=x`],
      ['an argument, and then no candidates', `${HOLD} --arg wo\t\tx`, `${HOLD} --arg word=x`],
      ['the value of an argument', `${ECHO} --arg flag=t\t`, `${ECHO} --arg flag=true`],
      ['an option', `${HOLD} --arg word=x --wa\t`, `${HOLD} --arg word=x --watch`],
    ])('%s', async (_, typed, run) => {
      const script = join(directory, `script.${shell}`);
      writeFileSync(script, (await passthru(['completion', shell])).stdout);
      const { words, start } = SHELLS[shell]!;
      const terminal = openTerminal(words, {
        PASSTHRU_SERVER: served.url,
        PATH: `${join(directory, 'bin')}:${process.env.PATH}`,
        TERM: 'xterm',
      });
      terminal.type(`${start(script)}\rpassthru ${typed}\r`);
      const [, ran] = await terminal.shows(/RAN\[([^\]]*)\]/);
      expect(ran).toBe(run);
      terminal.close();
      await terminal.ended;
    });
  });
