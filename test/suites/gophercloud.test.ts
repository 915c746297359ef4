import { describe, expect, test, vi } from 'vitest';
import { start } from '../cli/run.ts';
import { needs } from '../needs.ts';
import { type AuthType, PASSWORD, PROJECT, REGION, startIronicService, USER } from '../real/ironicService.ts';
import { PASSWORD as KEYSTONE_PASSWORD, Keystone } from '../real/keystone.ts';
import { pythonEnvironment } from '../real/pythonEnvironment.ts';
import { unavailablePackages } from './goModule.ts';
import { expectSuite, type SuiteResult } from './suite.ts';

vi.setConfig({ testTimeout: 600_000, hookTimeout: 600_000 });

// Its module is a dependency of the program that makes single calls, and its packages of tests can be run from there.
const MODULE = new URL('../real/gophercloud', import.meta.url).pathname;
const SUITE = 'github.com/gophercloud/gophercloud/v2/internal/acceptance/openstack/baremetal';
/** The package of tests for each type of authentication. */
const PACKAGES: Readonly<Record<AuthType, string>> = { none: 'noauth', http_basic: 'httpbasic', keystone: 'v1' };

const environment = await pythonEnvironment();
const missing =
  'missing' in environment
    ? environment.missing
    : await unavailablePackages(MODULE, ['-test', '-tags=acceptance', `${SUITE}/...`]);

describe("gophercloud's acceptance tests", needs(missing), () => {
  async function run(authType: AuthType): Promise<SuiteResult[]> {
    if ('missing' in environment) throw new Error(environment.missing);
    const keystone = authType === 'keystone' ? await Keystone.start(environment) : null;
    try {
      const service = await startIronicService(authType, keystone);
      try {
        const variables = {
          OS_BRANCH: 'master',
          OS_USERNAME: USER,
          ...(keystone === null
            ? { IRONIC_ENDPOINT: `${service.url}/v1/`, OS_PASSWORD: PASSWORD }
            : {
                OS_AUTH_URL: `${keystone.url}/v3`,
                OS_PASSWORD: KEYSTONE_PASSWORD,
                OS_PROJECT_NAME: PROJECT,
                OS_DOMAIN_NAME: 'Default',
                OS_REGION_NAME: REGION,
              }),
        };
        const args = ['-json', '-count=1', '-vet=off', '-tags=acceptance', `${SUITE}/${PACKAGES[authType]}`];
        const { stdout } = await start('go', ['test', '-C', MODULE, ...args], variables).ended;
        return readEvents(stdout);
      } finally {
        await service.stop();
      }
    } finally {
      await keystone?.close();
    }
  }

  test('pass unchanged with each kind of login, or are out of scope', async () => {
    const results: SuiteResult[] = [];
    for (const authType of Object.keys(PACKAGES) as AuthType[]) {
      for (const result of await run(authType)) {
        results.push({ ...result, test: `${PACKAGES[authType]}.${result.test}` });
      }
    }
    expect(results.length).toBeGreaterThan(20);
    expectSuite('gophercloud', results, [
      { reason: 'allocations', tests: /\w+\.TestAllocations\w+/ },
      { reason: 'ports', tests: /\w+\.TestPorts\w+/ },
      { reason: 'provision states', tests: /v1\.TestNodesCreateDestroy|v1\.TestNodesServicingHold/ },
      { reason: 'RAID', tests: /\w+\.TestNodesRAIDConfig/ },
      { reason: 'virtual interfaces', tests: /v1\.TestNodesVirtualInterfaces/ },
      {
        reason: 'no deploy and firmware interface until one is set',
        tests: /v1\.TestNodesFields|\w+\.TestNodesFirmwareInterface/,
        differs: true,
      },
      {
        reason: 'virtual media of a node with IPMI, which has none, are refused at once',
        tests: /v1\.TestNodesVirtualMedia/,
        differs: true,
      },
    ]);
  });
});

/** Reads the events of `go test -json`. */
function readEvents(lines: string): SuiteResult[] {
  const events = lines
    .split('\n')
    .filter((line) => line.startsWith('{'))
    .map((line) => JSON.parse(line) as { Action: string; Test?: string; Output?: string });
  return events
    .filter(({ Action, Test }) => Test !== undefined && /^(pass|fail|skip)$/.test(Action))
    .map(({ Action, Test }) => {
      const text = events
        .filter((event) => event.Test === Test && event.Action === 'output')
        .map(({ Output }) => Output);
      return { test: Test!, passed: Action === 'pass', ...(Action === 'pass' ? {} : { text: text.join('') }) };
    });
}
