import { spawn } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test, vi } from 'vitest';
import { start } from '../cli/run.ts';
import { unavailable } from '../clients/programs.ts';
import { needs } from '../needs.ts';
import { expectTable, type Row, stableText, WORKS } from './compatibilityPage.ts';
import * as baremetal from './ironicclientCommands.ts';
import {
  type AuthType,
  CLOUD,
  type IronicService,
  PASSWORD,
  PROJECT,
  REGION,
  startIronicService,
  USER,
} from './ironicService.ts';
import { PASSWORD as KEYSTONE_PASSWORD, Keystone } from './keystone.ts';
import * as sdk from './openstacksdkCalls.ts';
import { pythonEnvironment } from './pythonEnvironment.ts';

// More than a hundred commands, and Python is slow to parse the options of each.
vi.setConfig({ testTimeout: 900_000, hookTimeout: 60_000 });

const testAll = process.env.TEST_CLIENTS === 'all';
const file = (name: string) => new URL(`./${name}`, import.meta.url).pathname;

const environment = await pythonEnvironment();
const noPython = 'missing' in environment ? environment.missing : null;
const noGo = await unavailable('go');

/** The types of authentication that are tried. Keystone requires Python. */
const AUTH_TYPES: readonly AuthType[] = noPython === null ? ['none', 'http_basic', 'keystone'] : ['none', 'http_basic'];

let folder: string;
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'passthru-ironic-clients-'));
  writeFileSync(join(folder, 'nodes.json'), JSON.stringify(baremetal.NODES_JSON));
});
afterAll(() => rmSync(folder, { recursive: true }));

/** The errors for features that are not served: the service's, and the clients' own. */
const NOT_SERVED =
  /not served here|API version 1\.\d+ is required|microversion is not supported|^returns False$|^ResourceTimeout/i;

function python(args: readonly string[], input: unknown, cloudsFile = ''): Promise<unknown> {
  if ('missing' in environment) throw new Error(environment.missing);
  const env = { ...process.env, OS_CLIENT_CONFIG_FILE: cloudsFile };
  const child = spawn(environment.python, args, { cwd: folder, env, stdio: ['pipe', 'pipe', 'inherit'] });
  child.stdin.end(JSON.stringify(input));
  return new Promise((resolve, reject) => {
    const chunks: Buffer[] = [];
    child.stdout.on('data', (chunk) => chunks.push(chunk));
    child.on('error', reject).on('close', (status) => {
      if (status === 0) resolve(JSON.parse(Buffer.concat(chunks).toString()));
      else reject(new Error(`python exited with status ${status}`));
    });
  });
}

/** Runs `work` with its own service. Returns its rows, and the API versions that it requested. */
async function withService(
  authType: AuthType,
  work: (service: IronicService, keystone: Keystone | null) => Promise<Row[]>,
): Promise<{ rows: Row[]; versions: string[] }> {
  const keystone = authType === 'keystone' && !('missing' in environment) ? await Keystone.start(environment) : null;
  try {
    const service = await startIronicService(authType, keystone);
    try {
      return { rows: await work(service, keystone), versions: [...service.versions].sort() };
    } finally {
      await service.stop();
    }
  } finally {
    await keystone?.close();
  }
}

/** Like Promise.all, but waits until all have ended, so that a failure leaves none running. */
async function allEnded<T>(promises: readonly Promise<T>[]): Promise<T[]> {
  await Promise.allSettled(promises);
  return Promise.all(promises);
}

/** Runs `work` with each type of authentication concurrently. Expects the same rows from each, and returns them. */
async function withEachAuthType(
  work: (service: IronicService, authType: AuthType, keystone: Keystone | null) => Promise<Row[]>,
) {
  const [open, ...guarded] = await allEnded(
    AUTH_TYPES.map((authType) => withService(authType, (service, keystone) => work(service, authType, keystone))),
  );
  for (const rows of guarded) expect(rows).toEqual(open);
  return open!;
}

function results(calls: readonly string[], printed: readonly string[], { url, bmc }: IronicService): Row[] {
  return calls.map((call, index) => ({ call, result: stableText(printed[index]!, { [url]: 'URL', [bmc]: 'BMC' }) }));
}

describe('the baremetal command line', needs(noPython), () => {
  /** Returns the options for authentication. With `keystone`, clouds.yaml and the catalog name the service. */
  function authOptions({ url }: IronicService, authType: AuthType): string[] {
    switch (authType) {
      case 'none':
        return ['--os-auth-type', 'none', '--os-endpoint', url];
      case 'http_basic':
        return ['--os-auth-type', 'http_basic', '--os-username', USER, '--os-password', PASSWORD, '--os-endpoint', url];
      case 'keystone':
        return ['--os-cloud', CLOUD];
    }
  }

  async function run(commands: readonly string[], service: IronicService, authType: AuthType): Promise<Row[]> {
    const options = [...authOptions(service, authType), '--max-retries', '0'];
    const lines = commands.map((line) => [...options, ...line.replace('BMC', service.bmc).split(' ')]);
    const ended = (await python([file('ironicclient_commands.py')], lines, service.cloudsFile)) as {
      status: number;
      stdout: string;
      stderr: string;
    }[];
    for (const [line, expected] of Object.entries(baremetal.PRINTED)) {
      if (!commands.includes(line)) continue;
      expect([line, ended[commands.indexOf(line)]?.stdout]).toEqual([line, expect.stringMatching(expected)]);
    }
    const printed = ended.map(({ status, stderr }) => (status === 0 ? WORKS : stderr.trim().split('\n').at(-1)!));
    return results(commands, printed, service);
  }

  test('runs every command of the newest client as the table expects, with each kind of login', async () => {
    const names = (await python([file('ironicclient_commands.py'), '--commands'], null)) as string[];
    const commands = [...baremetal.SERVED, ...baremetal.NOT_SERVED];
    expect(names.filter((name) => !commands.some((line) => `${line} `.startsWith(`${name} `)))).toEqual([]);

    const tried = testAll ? commands : baremetal.SERVED;
    // The refusal of unserved commands does not depend on authentication: they are tried once.
    const triedWithLogin = testAll ? baremetal.SERVED : baremetal.LOGIN_SAMPLE;
    const [open, ...guarded] = await allEnded(
      AUTH_TYPES.map((authType) =>
        withService(authType, (service) => run(authType === 'none' ? tried : triedWithLogin, service, authType)),
      ),
    );
    expect(triedWithLogin.length).toBeGreaterThanOrEqual(5);
    // Its newest version, which is that of the service.
    expect(open!.versions).toEqual(['1.115']);
    for (const { call, result } of open!.rows.slice(baremetal.SERVED.length)) {
      expect([call, result]).toEqual([call, expect.stringMatching(NOT_SERVED)]);
    }
    for (const { rows } of guarded) {
      expect(rows.map(({ call }) => call)).toEqual(triedWithLogin);
      // A list has other nodes after fewer commands, but the same result.
      for (const row of rows) expect(open!.rows).toContainEqual(row);
    }
    expectTable('baremetal', '`baremetal …`', open!.rows, testAll);
  });
});

describe('openstacksdk', needs(noPython), () => {
  test('runs every method of the baremetal proxy as the table expects, with each kind of login of clouds.yaml', async () => {
    const names = (await python([file('openstacksdk_calls.py'), '--methods'], null)) as string[];
    const calls = [...sdk.SERVED, ...sdk.NOT_SERVED];
    const tried = (name: string) => calls.some((call) => call.startsWith(`baremetal.${name}(`));
    expect(names.filter((name) => !tried(name))).toEqual(sdk.WITHOUT_REQUEST);

    const { rows, versions } = await withEachAuthType(async (service) => {
      const input = { cloud: CLOUD, calls: calls.map((call) => call.replace('BMC', service.bmc)) };
      const outcomes = (await python([file('openstacksdk_calls.py')], input, service.cloudsFile)) as {
        value?: unknown;
        error?: string;
      }[];
      for (const [call, expected] of Object.entries(sdk.RETURNED)) {
        expect([call, outcomes[calls.indexOf(call)]?.value]).toEqual([call, expected]);
      }
      const printed = outcomes.map(({ value, error }) => {
        if (error !== undefined) return error.replace(/(Client|Server) Error for url: \S+, /, '');
        return value === false ? 'returns False' : WORKS;
      });
      return results(calls, printed, service);
    });
    // No version during discovery; then, for each request, the newest that both support.
    const minors = versions.filter((version) => version !== '').map((version) => Number(version.split('.')[1]));
    expect(Math.max(...minors)).toBeGreaterThan(90);
    expect(Math.max(...minors)).toBeLessThanOrEqual(115);
    for (const { call, result } of rows.slice(sdk.SERVED.length)) {
      expect([call, result]).toEqual([call, expect.stringMatching(NOT_SERVED)]);
    }
    expectTable('openstacksdk', 'Call', rows);
  });
});

describe("Go's gophercloud", needs(noGo), () => {
  test('runs each call as the table expects, with each kind of login, and reads the responses', async () => {
    const program = join(folder, 'gophercloud');
    const built = await start('go', ['build', '-C', file('gophercloud'), '-o', program, '.']).ended;
    expect(built).toMatchObject({ status: 0 });

    let served = 0;
    const { rows } = await withEachAuthType(async (service, authType, keystone) => {
      const account = {
        none: [],
        http_basic: [USER, PASSWORD],
        keystone: [USER, KEYSTONE_PASSWORD, `${keystone?.url}/v3`, PROJECT, REGION],
      }[authType];
      const { status, stdout, stderr } = await start(program, [service.url, service.bmc, ...account]).ended;
      expect({ status, stderr }).toEqual({ status: 0, stderr: '' });
      const outcomes = JSON.parse(stdout) as {
        call: string;
        served: boolean;
        error?: string;
        status?: number;
        body?: string;
      }[];
      served = outcomes.filter((outcome) => outcome.served).length;
      const printed = outcomes.map(({ error, status, body }) => {
        if (error === undefined) return WORKS;
        if (body === undefined) return error;
        // Ironic's errors are JSON text inside a JSON object; the 406 has another format.
        const fault = JSON.parse(JSON.parse(body).error_message);
        return `${status}: ${fault.faultstring ?? fault.description}`;
      });
      return results(
        outcomes.map(({ call }) => call),
        printed,
        service,
      );
    });
    for (const { call, result } of rows.slice(served)) {
      expect([call, result]).toEqual([call, expect.stringMatching(NOT_SERVED)]);
    }
    expectTable('gophercloud', 'Call', rows);
  });
});
