import { spawn, spawnSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { delimiter, dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import fc from 'fast-check';
import type { Browser, Page } from 'playwright-core';
import { afterAll, beforeAll, describe, expect, test, vi } from 'vitest';
import { installGoCommand } from '../../clients/plugins.ts';
import { isSecretName } from '../../src/core/secretNames.ts';
import { commandLine, PROGRAMS, type Program } from '../../web/src/calls/commandLines.ts';
import { type RoleService, startRoleService } from '../auth/roleService.ts';
import { AUDIENCE, ISSUER, makeIssuer } from '../auth/tokens.ts';
import { htpasswd, passwordOf } from '../auth/users.ts';
import { ROOT } from '../cli/run.ts';
import { findChromium, startChromium } from '../clients/chromium.ts';
import { needs } from '../needs.ts';
import { pythonEnvironment } from '../real/pythonEnvironment.ts';
import { startFakeKeystone } from './identityProviders.ts';
import { received } from './trialDriver.ts';
import { logInAs, visit } from './visitor.ts';

// On a fresh machine Ironic's client and grpcurl are installed; each line starts a program.
vi.setConfig({ testTimeout: 300_000, hookTimeout: 600_000 });

const GRPCURL = 'github.com/fullstorydev/grpcurl/cmd/grpcurl@v1.9.4';
const ADMIN = { name: 'test', role: 'admin' } as const;
const TRIAL = fileURLToPath(new URL('./trialDriver.ts', import.meta.url));

const chromium = await findChromium();
const noChromium = chromium === null ? 'Chromium' : null;
const python = await pythonEnvironment();
let noGrpcurl: string | null = null;
const grpcurl = await installGoCommand(GRPCURL).catch((error: Error) => {
  noGrpcurl = `grpcurl, which Go cannot install: ${error.message}`;
  return null;
});
const MISSING: Readonly<Record<Program, string | null>> = {
  curl: spawnSync('curl', ['--version']).status === 0 ? null : 'curl',
  baremetal: 'missing' in python ? python.missing : null,
  grpcurl: noGrpcurl,
  passthru: null,
};

interface Case {
  page: string;
  method: string;
  verb: string;
  args: Record<string, unknown>;
  /** The programs that cannot make the call. */
  without?: readonly Program[];
}

const NODE = 'nodes/trial-1';
const HARD = 'it\'s "quoted" $HOME `id` $(id) \\n !! é 😀 * ? ~ # & ; | < > % {a,b} [c]';
/** Texts that are JSON, in the standard or in Python, or have a meaning for a program; and names that have one. */
const TEXTS = {
  ...{ digits: '5', word: ' true ', python: 'NaN', nested: '[-Infinity]', quoted: '"x"', empty: '' },
  ...{ file: '@file', option: '--help', pair: 'a=b', 'a b': 'x', '-x': 'y', "é'": 'z' },
  ...{ constructor: 'c', toString: 't', method: 'm' },
};

/** A call for each kind of argument, verb, mode and target. */
const CASES: readonly Case[] = [
  { page: NODE, method: 'typed', verb: 'POST', args: {} },
  { page: NODE, method: 'typed', verb: 'PUT', args: { text: 'two\nlines\t\u202e\u0007', other: '\n' } },
  {
    ...{ page: NODE, method: 'typed', verb: 'PUT' },
    args: {
      number: -1.5e21,
      flag: false,
      list: [1, 'a b', null, [true]],
      nested: { "it's": { $x: [HARD] }, empty: {}, none: null },
    },
  },
  { page: NODE, method: 'typed', verb: 'GET', args: { text: HARD, other: '5' } },
  { page: NODE, method: 'typed', verb: 'GET', args: { text: 'a', number: 5 }, without: ['baremetal'] },
  { page: NODE, method: 'typed', verb: 'DELETE', args: { text: HARD } },
  { page: NODE, method: 'typed', verb: 'DELETE', args: { nested: { a: [1] } }, without: ['baremetal'] },
  { page: NODE, method: 'started', verb: 'POST', args: { text: HARD, list: [] } },
  { page: NODE, method: 'echo', verb: 'POST', args: TEXTS },
  { page: NODE, method: 'echo', verb: 'POST', args: { 'a=b': 5 }, without: ['baremetal', 'passthru'] },
  { page: NODE, method: 'typed', verb: 'POST', args: { password: 'hunter2', nested: { api_key: 'hunter2' } } },
  { page: 'drivers/trial', method: 'of_driver', verb: 'GET', args: { text: HARD }, without: ['baremetal'] },
  { page: 'drivers/trial', method: 'of_driver', verb: 'POST', args: { number: 3, list: [{}] }, without: ['baremetal'] },
];

/** Where the programs are found. */
let path: string;
/** Where they run, and what they write is. */
let folder: string;
let browser: Browser;
beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), 'passthru-lines-'));
  const main = join(ROOT, 'src', 'main.js');
  writeFileSync(join(folder, 'passthru'), `#!/bin/sh\nexec '${process.execPath}' '${main}' "$@"\n`, { mode: 0o755 });
  if (!('missing' in python)) symlinkSync(join(dirname(python.python), 'baremetal'), join(folder, 'baremetal'));
  path = [folder, ...(grpcurl === null ? [] : [grpcurl]), process.env.PATH].join(delimiter);
  if (chromium !== null) browser = await startChromium(chromium);
});
afterAll(async () => {
  await browser?.close();
  rmSync(folder, { recursive: true });
});

/** Runs a line as someone would who has copied it, and types `input` where it asks. */
async function runLine(line: string, environment: Record<string, string> = {}, input = ''): Promise<string> {
  // What would not show is escaped, for which the page names bash.
  const shell = line.includes("$'") ? ['bash', '--norc'] : ['sh'];
  const child = spawn(shell[0]!, [...shell.slice(1), '-c', line], {
    cwd: folder,
    env: { PATH: path, HOME: folder, XDG_CONFIG_HOME: folder, LC_ALL: 'C.UTF-8', ...environment },
    // Without a terminal, from which curl would read the password.
    detached: true,
  });
  const chunks: Buffer[] = [];
  const errors: Buffer[] = [];
  child.stdout.on('data', (chunk) => chunks.push(chunk));
  child.stderr.on('data', (chunk) => errors.push(chunk));
  child.stdin.end(input);
  const status = await new Promise((resolve) => child.on('close', resolve));
  expect(`${status} ${status === 0 ? '' : Buffer.concat(errors)}`, line).toBe('0 ');
  return Buffer.concat(chunks).toString();
}

/** Whether a value holds a name that lines hide the value of, or that no argument can have. */
function holds(value: unknown): boolean {
  if (typeof value !== 'object' || value === null) return false;
  return Object.entries(value).some(([name, member]) => name === '__proto__' || isSecretName(name) || holds(member));
}

/** Enters the call on its page, and returns the line of each program; null where there is none. */
async function enter(page: Page, url: string, { page: of, method, verb, args }: Case) {
  await page.goto(`${url}/console/${of}?method=${method}`);
  await page.getByRole('tab', { name: 'JSON', exact: true }).click();
  await page.getByLabel('Arguments as JSON').fill(JSON.stringify(args));
  const verbs = page.getByLabel('HTTP verb', { exact: true });
  if ((await verbs.count()) > 0) await verbs.selectOption(verb);
  const lines = {} as Record<Program, string | null>;
  for (const program of PROGRAMS) {
    await page.getByRole('tab', { name: program, exact: true }).click();
    const panel = page.getByRole('tabpanel', { name: program, exact: true });
    await panel.getByText(/./).first().waitFor();
    lines[program] = (await panel.locator('pre').count()) === 0 ? null : await panel.locator('pre').textContent();
  }
  return lines;
}

/** Returns what the machine got by `call`. */
async function gotBy(call: () => Promise<unknown>) {
  received.length = 0;
  await call();
  await vi.waitFor(() => expect(received).toHaveLength(1), { timeout: 30_000 });
  return received[0];
}

describe('the line to copy, run in a shell, makes the call of the form', needs(noChromium), () => {
  let service: RoleService;
  const entered: { given: Case; byForm: unknown; lines: Record<Program, string | null> }[] = [];
  beforeAll(async () => {
    service = await startRoleService(`drivers: [ "${TRIAL}" ]\n`);
    await service.core.nodes.create({ name: 'trial-1', driver: 'trial' }, ADMIN);
    const { page, faults, close } = await visit(browser, service.url);
    for (const given of CASES) {
      const lines = await enter(page, service.url, given);
      const byForm = await gotBy(() => page.getByRole('button', { name: 'Call', exact: true }).click());
      entered.push({ given, byForm, lines });
    }
    expect(faults).toEqual([]);
    await close();
  });
  afterAll(async () => {
    await service?.[Symbol.asyncDispose]();
  });

  test('which is what was entered', () => {
    expect(entered.map(({ byForm }) => byForm)).toEqual(
      CASES.map(({ method, verb, args }) => ({ method, httpMethod: verb, arguments: args })),
    );
  });

  for (const program of PROGRAMS) {
    test(`by ${program}`, needs(MISSING[program]), async () => {
      for (const { given, byForm, lines } of entered) {
        const line = lines[program];
        expect(line === null, JSON.stringify(given)).toBe(given.without?.includes(program) ?? false);
        if (line === null) continue;
        expect(line).not.toContain('hunter2');
        const byLine = await gotBy(() => runLine(line.replaceAll('<secret>', 'hunter2')));
        expect(byLine, line).toEqual(byForm);
      }
    });
  }

  for (const program of ['curl', 'grpcurl'] as const)
    test(`whatever names and values its arguments have, by ${program}`, needs(MISSING[program]), async () => {
      // Both send them as JSON: the others are given texts one by one, as above.
      const text = fc
        .string({ unit: 'binary', maxLength: 12 })
        .filter((one) => one !== '__proto__' && !isSecretName(one));
      const value = fc.jsonValue({ stringUnit: 'binary', maxDepth: 2 }).filter((one) => one !== null && !holds(one));
      await fc.assert(
        fc.asyncProperty(
          fc.dictionary(text, value, { minKeys: 1, maxKeys: 4, noNullPrototype: true }),
          async (given) => {
            const args = JSON.parse(JSON.stringify(given));
            const line = commandLine(program, {
              ...{ origin: service.url, scheme: null, target: { kind: 'node', name: 'trial-1', uuid: '' } },
              ...{ method: 'echo', httpMethod: 'POST', arguments: args, argumentsSchema: {}, attach: false },
            });
            if (line === null) {
              // REST refuses it.
              expect(program).toBe('curl');
              expect(JSON.stringify(args)).toContain('\\u0000');
              return;
            }
            expect(await gotBy(() => runLine(line)), line).toEqual({
              method: 'echo',
              httpMethod: 'POST',
              arguments: args,
            });
          },
        ),
        { numRuns: 30, endOnFailure: true },
      );
    });

  for (const program of ['curl', 'passthru'] as const)
    test(`and writes an attachment to a file, by ${program}`, needs(MISSING[program]), async () => {
      const { page, close } = await visit(browser, service.url);
      const lines = await enter(page, service.url, {
        page: NODE,
        method: 'report',
        verb: 'GET',
        args: { text: 'é\nx' },
      });
      await close();
      await runLine(lines[program]!);
      expect(readFileSync(join(folder, 'attachment'), 'utf8')).toBe('é\nx');
      rmSync(join(folder, 'attachment'));
    });
});

describe('the line to copy, with credentials from the environment,', needs(noChromium), () => {
  const given: Case = { page: NODE, method: 'typed', verb: 'POST', args: { text: HARD, number: 5 } };
  const expected = { method: 'typed', httpMethod: 'POST', arguments: given.args };

  /** Runs every line for which there is a program. */
  async function runAll(
    page: Page,
    url: string,
    environment: Record<string, string>,
    without: readonly Program[] = [],
  ) {
    const lines = await enter(page, url, given);
    for (const program of PROGRAMS) {
      const line = lines[program];
      expect(line === null, program).toBe(without.includes(program));
      if (line === null || MISSING[program] !== null) continue;
      // curl asks for the password.
      const input = program === 'curl' ? `${environment.PASSTHRU_PASSWORD ?? ''}\n` : '';
      expect(await gotBy(() => runLine(line, environment, input)), line).toEqual(expected);
      for (const secret of Object.values(environment).filter((text) => text !== 'olga'))
        expect(line).not.toContain(secret);
    }
  }

  test('logs in by HTTP Basic', async () => {
    const roles = 'auth:\n  type: http_basic\n  http_basic_auth_user_file: users\n  roles: { olga: operator }\n';
    await using service = await startRoleService(`${roles}drivers: [ "${TRIAL}" ]\n`, { users: htpasswd('olga') });
    await service.core.nodes.create({ name: 'trial-1', driver: 'trial' }, ADMIN);
    const { page, close } = await logInAs(browser, service.url, 'olga');
    await page.getByText('Role: operator').waitFor();
    const password = passwordOf('olga');
    const environment = { PASSTHRU_USER: 'olga', PASSTHRU_PASSWORD: password };
    await runAll(page, service.url, { ...environment, OS_USERNAME: 'olga', OS_PASSWORD: password });
    await page.getByText('Set PASSTHRU_USER and PASSTHRU_PASSWORD in the environment.', { exact: true }).waitFor();
    await page.getByRole('tab', { name: 'curl', exact: true }).click();
    await page.getByText('Set PASSTHRU_USER in the environment. It asks for the password.', { exact: true }).waitFor();
    await close();
  });

  test('logs in by a Keystone token', async () => {
    const keystone = await startFakeKeystone();
    const auth = `auth:\n  type: keystone\n  keystone: { auth_url: "${keystone.url}", username: passthru, password: secret }\n`;
    await using service = await startRoleService(`${auth}drivers: [ "${TRIAL}" ]\n`);
    await service.core.nodes.create({ name: 'trial-1', driver: 'trial' }, ADMIN);
    const { page, close } = await visit(browser, service.url);
    await page.getByLabel('Keystone token').fill('admin-token');
    await page.getByRole('button', { name: 'Log in' }).click();
    await page.getByText('Role: admin').waitFor();
    await runAll(page, service.url, { OS_TOKEN: 'admin-token', PASSTHRU_TOKEN: 'admin-token' });
    await close();
    keystone.close();
  });

  test('logs in by a bearer token', async () => {
    const issuer = await makeIssuer();
    const auth = `auth:\n  type: jwt\n  jwt: { jwks_file: keys.json, issuer: "${ISSUER}", audience: "${AUDIENCE}", role_claim: role }\n`;
    const files = { 'keys.json': JSON.stringify(issuer.keySet) };
    await using service = await startRoleService(`${auth}drivers: [ "${TRIAL}" ]\n`, files);
    await service.core.nodes.create({ name: 'trial-1', driver: 'trial' }, ADMIN);
    const { page, close } = await visit(browser, service.url);
    const token = await issuer.token({ role: 'operator' });
    await page.getByLabel('Bearer token').fill(token);
    await page.getByRole('button', { name: 'Log in' }).click();
    await page.getByText('Role: operator').waitFor();
    await runAll(page, service.url, { PASSTHRU_TOKEN: token }, ['baremetal']);
    await close();
  });
});
