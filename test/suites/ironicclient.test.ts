import { mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { describe, expect, test, vi } from 'vitest';
import { needs } from '../needs.ts';
import { startIronicService } from '../real/ironicService.ts';
import { environment, noSuites, runPythonSuite } from './pythonSuite.ts';
import { expectSuite, type OutOfScope } from './suite.ts';

const OUT_OF_SCOPE: readonly OutOfScope[] = [
  // Of its commands with wrong arguments, the client refuses the others itself.
  {
    reason: 'allocations',
    tests:
      /test_baremetal_allocation\.\w+\.test_(create(_(candidate_nodes|name_uuid|traits|negative_(02|05|07|09|11)_.*))?|(delete|show)_.*|set_unset)/,
  },
  { reason: 'chassis', tests: /test_baremetal_chassis_basic\..*/ },
  { reason: 'deploy templates', tests: /test_baremetal_deploy_template_basic\..*/ },
  { reason: 'ports', tests: /test_baremetal_port_(basic\..*|create\.\w+\.test_(extras|llc_1_19|pxe_1_19))/ },
  { reason: 'port groups', tests: /test_baremetal_portgroup_basic\..*/ },
  { reason: 'power', tests: /test_baremetal_node_power_states\.\w+\.test_o(ff|n)_reboot_on/ },
  { reason: 'provision states', tests: /test_baremetal_node_provision_states\..*_deploy_rebuild_undeploy_manage/ },
  {
    reason: 'RAID',
    tests:
      /test_baremetal_(driver_basic\.\w+\.test_driver_raid_property_list|node_basic\.\w+\.test_set_unset_target_raid_config_.*)/,
  },
];

vi.setConfig({ testTimeout: 600_000, hookTimeout: 60_000 });

describe("ironicclient's functional tests", needs(noSuites), () => {
  test('pass unchanged, or are out of scope', async () => {
    if ('missing' in environment) throw new Error(environment.missing);
    const folder = mkdtempSync(join(tmpdir(), 'passthru-ironicclient-'));
    const service = await startIronicService('none');
    try {
      const settings = join(folder, 'test.conf');
      writeFileSync(settings, `[functional]\nauth_strategy = noauth\nironic_url = ${service.url}\n`);
      // The tests look for the command where tox installs it.
      mkdirSync(join(folder, '.tox', 'functional'), { recursive: true });
      symlinkSync(dirname(environment.python), join(folder, '.tox', 'functional', 'bin'));
      const results = await runPythonSuite(
        ['ironicclient.tests.functional.osc.v1'],
        { IRONICCLIENT_TEST_CONFIG: settings },
        { folder, plugins: ['ironicclient_plugin'] },
      );
      expect(results.length).toBeGreaterThan(100);
      expectSuite('ironicclient', results, OUT_OF_SCOPE);
    } finally {
      await service.stop();
      rmSync(folder, { recursive: true });
    }
  });
});
