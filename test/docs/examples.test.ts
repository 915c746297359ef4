import { spawnSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { delimiter, join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test, vi } from 'vitest';
import { installGoCommand } from '../../clients/plugins.ts';
import { type Command, ROOT, start } from '../cli/run.ts';
import { needs } from '../needs.ts';
import { readTranscripts, Uuids } from './transcript.ts';

// Each command is a process, which is slow to start on a busy machine.
vi.setConfig({ testTimeout: 120_000, hookTimeout: 60_000 });

const GRPCURL = 'github.com/fullstorydev/grpcurl/cmd/grpcurl@v1.9.4';
/** The address of the demo in the documents. */
const DEFAULT_ADDRESS = '127.0.0.1:6385';

const DOCUMENTS = ['docs/rpc.md', 'docs/rest.md', 'docs/cli.md'].map((name) => {
  return { name, transcripts: readTranscripts(readFileSync(join(ROOT, name), 'utf8')) };
});

let noGrpcurl: string | null = null;
const grpcurl = await installGoCommand(GRPCURL).catch((error: Error) => {
  noGrpcurl = `grpcurl, which Go cannot install: ${error.message}`;
  return null;
});
const hasCurl = spawnSync('curl', ['--version']).status === 0;

let demo: Command;
let address: string;
let path: string;
/** A folder with the command `passthru`, as if it were installed. */
const commands = mkdtempSync(join(tmpdir(), 'passthru-docs-'));

beforeAll(async () => {
  const main = join(ROOT, 'src', 'main.js');
  writeFileSync(join(commands, 'passthru'), `#!/bin/sh\nexec '${process.execPath}' '${main}' "$@"\n`, { mode: 0o755 });
  path = [commands, ...(grpcurl === null ? [] : [grpcurl]), join(ROOT, 'node_modules', '.bin'), process.env.PATH].join(
    delimiter,
  );
  demo = start(process.execPath, [join(ROOT, 'src', 'demo', 'demo.ts')], {
    PASSTHRU_LISTEN: '127.0.0.1:0',
    PASSTHRU_FAKE_VENDOR_DELAY: '1s',
  });
  [, address] = (await demo.printed(/^listening on http:\/\/(\S+)$/m)) as unknown as [string, string];
});

afterAll(async () => {
  demo.process.kill('SIGINT');
  await demo.ended;
  rmSync(commands, { recursive: true });
});

describe.each(DOCUMENTS)('$name, with the demo running', ({ name, transcripts }) => {
  test('contains commands', () => {
    expect(transcripts.length).toBeGreaterThan(0);
  });

  for (const { line, steps } of transcripts) {
    const lacking = steps.map(({ command }) => {
      if (command.startsWith('grpcurl')) return noGrpcurl;
      return command.startsWith('curl') && !hasCurl ? 'curl' : null;
    });
    const missing = lacking.find((program) => program !== null) ?? null;
    test(`line ${line}: the commands print the output shown`, needs(missing), async () => {
      const uuids = new Uuids();
      for (const { command, output } of steps) {
        const here = (text: string) => text.replaceAll(DEFAULT_ADDRESS, address);
        const { status, stdout, stderr } = await start('sh', ['-c', here(uuids.inCommand(command))], {
          PATH: path,
          PASSTHRU_SERVER: `http://${address}`,
          XDG_CONFIG_HOME: '/nonexistent',
        }).ended;
        // A terminal shows no carriage returns. The standard error of a command that succeeds is irrelevant.
        const printed = (status === 0 ? stdout : stdout + stderr).replaceAll('\r', '').trimEnd();
        const shown = here(output).trimEnd();
        if (!uuids.learn(shown, printed)) {
          // Fails and shows the difference.
          expect(printed, `${name}: ${command}`).toBe(shown);
        }
      }
    });
  }
});
