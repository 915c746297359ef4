import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, test, vi } from 'vitest';
import { needs } from '../needs.ts';
import { startIronicService } from '../real/ironicService.ts';
import { noSuites, runPythonSuite } from './pythonSuite.ts';
import { expectSuite, type OutOfScope } from './suite.ts';

const OUT_OF_SCOPE: readonly OutOfScope[] = [
  { reason: 'allocations', tests: /test_allocation\..*/ },
  { reason: 'chassis', tests: /test_chassis\..*/ },
  { reason: 'deploy templates', tests: /test_deploy_templates\..*/ },
  { reason: 'inspection rules', tests: /test_inspection_rules\..*/ },
  { reason: 'ports and port groups', tests: /test_port(_group)?\..*/ },
  { reason: 'runbooks', tests: /test_runbooks\..*/ },
  { reason: 'volumes', tests: /test_volume_(connector|target)\..*/ },
  { reason: 'provision states', tests: /test_node\.TestBareMetalNode\.test_node_create_in_enroll_provide(_by_name)?/ },
  { reason: 'power', tests: /test_node\.TestBareMetalNode\.test_node_power_state/ },
  {
    reason: 'validation of a boot interface',
    tests: /test_node\.TestBareMetalNode\.test_node_validate/,
    says: /KeyError: 'boot'/,
  },
  { reason: 'virtual interfaces', tests: /test_node\.TestBareMetalVif\..*/ },
  { reason: 'traits', tests: /test_node\.TestTraits\..*/ },
  { reason: 'firmware', tests: /test_node\..*\.test_list_firmware/ },
  {
    reason: 'no default interfaces but the vendor interface',
    tests: /test_driver\.TestBareMetalDriverDetails\..*/,
    differs: true,
  },
  {
    reason: 'virtual media of a node with fake-hardware, which has none, are refused at once',
    tests: /test_node\.TestBareMetalVirtualMedia\.test_node_vmedia_attach_detach/,
    differs: true,
  },
];

vi.setConfig({ testTimeout: 600_000, hookTimeout: 60_000 });

describe("openstacksdk's functional tests", needs(noSuites), () => {
  test('pass unchanged, or are out of scope', async () => {
    const folder = mkdtempSync(join(tmpdir(), 'passthru-sdk-'));
    const service = await startIronicService('none');
    try {
      const cloud = { auth_type: 'none', auth: { endpoint: service.url }, has_compute: false, has_image: false };
      const file = join(folder, 'clouds.yaml');
      writeFileSync(file, JSON.stringify({ clouds: { passthru: cloud } }));
      const accounts = ['DEMO_CLOUD', 'DEMO_CLOUD_ALT', 'OPERATOR_CLOUD', 'SYSTEM_ADMIN_CLOUD'];
      const results = await runPythonSuite(['openstack.tests.functional.baremetal'], {
        OS_CLIENT_CONFIG_FILE: file,
        OS_CLOUD: 'passthru',
        // In seconds; the default is too short for a client that tries again after 409.
        OS_TEST_TIMEOUT: '120',
        ...Object.fromEntries(accounts.map((account) => [`OPENSTACKSDK_${account}`, 'passthru'])),
      });
      expect(results.length).toBeGreaterThan(90);
      expectSuite('openstacksdk', results, OUT_OF_SCOPE);
    } finally {
      await service.stop();
      rmSync(folder, { recursive: true });
    }
  });
});
