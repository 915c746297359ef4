import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test, vi } from 'vitest';
import { findStaleClients } from '../../clients/generate.ts';
import { CLIENTS, LANGUAGES, type Language } from '../../clients/plugins.ts';
import { type Served, serve, start } from '../cli/run.ts';
import { needs } from '../needs.ts';
import { startCuttingProxy } from './cuttingProxy.ts';
import { BUILDS, cleanUp, NPM_PACKAGE, PROGRAMS, whyNot } from './programs.ts';
import { SHOWN, SHOWN_UNCUT } from './shown.ts';

const BUILD_MS = 20 * 60_000;
// What a first build of Rust's and Java's clients takes is too long for every `npm test`.
const SLOW: readonly Language[] = ['java', 'rust'];
const everything = process.env.TEST_CLIENTS === 'all';

const missing = new Map<Language, string | null>();
for (const language of LANGUAGES) {
  const long = SLOW.includes(language) && !everything;
  const why = long ? 'its build is long; TEST_CLIENTS=all runs it' : await whyNot(language);
  missing.set(language, why);
}

vi.setConfig({ testTimeout: 120_000 });

const SETTINGS = {
  // Long enough for a program to be refused and to be cut off while its job runs.
  PASSTHRU_FAKE_VENDOR_DELAY: '4s',
  PASSTHRU_HOST: 'replica-a',
};

let folder: string;
let service: Served;

beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), 'passthru-clients-'));
  const nodes = PROGRAMS.map((_, index) => ({ name: `fake-${index}`, driver: 'fake-hardware' }));
  // JSON is YAML.
  writeFileSync(join(folder, 'nodes.yaml'), JSON.stringify({ nodes }));
  service = await serve([], {
    ...SETTINGS,
    PASSTHRU_NODES_FILE: join(folder, 'nodes.yaml'),
  });
});

afterAll(async () => {
  await service.stop();
  cleanUp();
  rmSync(folder, { recursive: true });
});

describe.each(LANGUAGES)('the %s client', (language) => {
  test('has a README that shows the output of its program', () => {
    expect(readFileSync(join(CLIENTS, language, 'README.md'), 'utf8')).toContain(SHOWN_UNCUT);
  });

  describe('with its toolchain', needs(missing.get(language) ?? null), () => {
    beforeAll(() => BUILDS[language](), BUILD_MS);

    // Java's is generated when the client is built.
    if (language !== 'java') {
      test(
        'holds what proto/ generates now',
        async () => {
          expect(await findStaleClients([language])).toEqual([]);
        },
        BUILD_MS,
      );
    }

    if (language === 'typescript') {
      test('loads no module that a browser lacks', () => {
        const files = readdirSync(NPM_PACKAGE, { recursive: true, encoding: 'utf8' }).filter((name) =>
          name.endsWith('.js'),
        );
        const imported = files.flatMap((name) => {
          const code = readFileSync(join(NPM_PACKAGE, name), 'utf8');
          return [...code.matchAll(/(?:from|import) ["']([^."'][^"']*)/g)].map(([, module]) => module);
        });
        expect([...new Set(imported)].sort()).toEqual([
          '@bufbuild/protobuf/codegenv2',
          '@bufbuild/protobuf/wkt',
          '@connectrpc/connect',
        ]);
      });
    }

    describe.concurrent('shows lists, calls, the holder of a lock and a watch', () => {
      for (const [index, program] of PROGRAMS.entries()) {
        if (program.language !== language) continue;
        test(`${program.name}: through a stream that it breaks and a connection that is cut`, async ({
          onTestFinished,
        }) => {
          const proxy = await startCuttingProxy(service.url);
          onTestFinished(proxy.close);
          const [path, ...words] = program.command(proxy.address, `fake-${index}`);
          const command = start(path!, words);
          onTestFinished(() => void command.process.kill());
          // What comes first after it may be of the connection alone; the third piece is of the resumed stream.
          command.printed(/the stream broke/).then(
            () => proxy.cutAfter(3),
            () => {},
          );
          expect(await command.ended).toEqual({ status: 0, stdout: SHOWN, stderr: '' });
          expect(proxy.cuts()).toBeGreaterThan(0);
        });
      }

      test('across a restart of the service, with the port closed meanwhile', async ({ onTestFinished }) => {
        const environment = { ...SETTINGS, PASSTHRU_STORE: `sqlite:${join(folder, `${language}.db`)}` };
        const first = await serve([], { ...environment, PASSTHRU_NODES_FILE: join(folder, 'nodes.yaml') });
        onTestFinished(() => void first.command.process.kill());
        const { host } = new URL(first.url);
        const commands = PROGRAMS.flatMap((program, index) => {
          if (program.language !== language) return [];
          const [path, ...words] = program.command(host, `fake-${index}`);
          return [start(path!, words)];
        });
        onTestFinished(() => {
          for (const command of commands) command.process.kill();
        });
        await Promise.all(commands.map((command) => command.printed(/the stream broke/)));
        // Its streams end at once, the jobs are let come to their end.
        expect((await first.stop()).status).toBe(0);
        const second = await serve([], { ...environment, PASSTHRU_LISTEN: host });
        onTestFinished(async () => void (await second.stop()));
        for (const command of commands) {
          const { stdout, ...rest } = await command.ended;
          expect(rest).toEqual({ status: 0, stderr: '' });
          expect(stdout.match(/the stream broke/g)!.length).toBeGreaterThan(1);
          expect(stdout.replace(/(the stream broke\n)+/, 'the stream broke\n')).toBe(SHOWN_UNCUT);
        }
      });
    });
  });
});
