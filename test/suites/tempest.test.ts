import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, test, vi } from 'vitest';
import { needs } from '../needs.ts';
import { PROJECT, REGION, startIronicService, USER } from '../real/ironicService.ts';
import { Keystone, PASSWORD } from '../real/keystone.ts';
import { pythonEnvironment } from '../real/pythonEnvironment.ts';
import { noSuites, runPythonSuite } from './pythonSuite.ts';
import { expectSuite, type OutOfScope } from './suite.ts';

const API = 'ironic_tempest_plugin.tests.api.admin';
/** The modules about what is served; in the others the service would pass only tests of errors. */
const MODULES = ['api_discovery', 'conductor', 'drivers', 'microversion_enforcement', 'nodes', 'shards'];

const OUT_OF_SCOPE: readonly OutOfScope[] = [
  {
    reason: 'allocations',
    tests: /test_microversion_enforcement\.Test(Node)?AllocationMicroversions\.test_(show|delete)_.*/,
  },
  { reason: 'boot devices', tests: /test_nodes\.TestNodes\.test_[gs]et_node_(supported_)?boot_devices?/ },
  { reason: 'consoles', tests: /test_nodes\.TestNodes\.test_[gs]et_console(_mode)?/ },
  {
    reason: 'deploy templates',
    tests: /test_microversion_enforcement\.TestDeployTemplateMicroversions\.test_show_deploy_template/,
  },
  {
    reason: 'ports',
    tests: /test_nodes\.TestNodes\.test_node_ports?_.*|test_microversion_enforcement\.TestPortMicroversions\..*/,
  },
  {
    reason: 'port groups',
    tests:
      /test_microversion_enforcement\.Test(PortgroupMicroversions\.test_(delete|show|update)|PortgroupPortsMicroversions\.test_list)_.*/,
  },
  {
    reason: 'power',
    tests: /test_nodes\.TestNodes\.test_(get_node_by_instance_uuid|list_nodes_association)/,
  },
  { reason: 'provision states', tests: /test_nodes\.TestNodes?Protected(OldApi)?\..*/ },
  { reason: 'RAID', tests: /test_drivers\..*\.test_driver_logical_disk_properties/ },
  { reason: 'runbooks', tests: /test_microversion_enforcement\.TestRunbookMicroversions\.test_show_runbook/ },
  {
    reason: 'traits',
    tests: /test_nodes\.TestNodesTraits\..*|test_microversion_enforcement\.TestNodeTraitsMicroversions\.test_remove_.*/,
  },
  {
    reason: 'validation of power and deployment',
    tests: /test_nodes\.TestNodes\.test_validate_driver_interface/,
    says: /'power' not in/,
  },
  {
    reason: 'no default interfaces but the vendor interface',
    tests:
      /test_nodes\.Test(Hardware|Reset)Interfaces\.test_reset_interfaces|test_nodes\.TestResetInterfaces\.test_no_reset_by_default/,
    differs: true,
  },
];

vi.setConfig({ testTimeout: 600_000, hookTimeout: 60_000 });

const keystoneEnvironment = await pythonEnvironment();
const missing = 'missing' in keystoneEnvironment ? keystoneEnvironment.missing : noSuites;

describe("ironic-tempest-plugin's API tests", needs(missing), () => {
  test('pass with a real Keystone and chassis that are labels, or are out of scope', async () => {
    if ('missing' in keystoneEnvironment) throw new Error(keystoneEnvironment.missing);
    const folder = mkdtempSync(join(tmpdir(), 'passthru-tempest-'));
    const keystone = await Keystone.start(keystoneEnvironment);
    const service = await startIronicService('keystone', keystone);
    try {
      const accounts = [
        { username: USER, password: PASSWORD, project_name: PROJECT, domain_name: 'Default', types: ['admin'] },
        { username: 'admin', password: PASSWORD, system: 'all', user_domain_name: 'Default', roles: ['admin'] },
      ];
      writeFileSync(join(folder, 'accounts.yaml'), JSON.stringify(accounts));
      writeFileSync(
        join(folder, 'tempest.conf'),
        `[auth]
use_dynamic_credentials = false
test_accounts_file = ${folder}/accounts.yaml
[identity]
uri_v3 = ${keystone.url}/v3
region = ${REGION}
[oslo_concurrency]
lock_path = ${folder}/locks
[service_available]
ironic = true
${['cinder', 'glance', 'horizon', 'neutron', 'nova', 'swift'].map((name) => `${name} = false\n`).join('')}`,
      );
      const results = await runPythonSuite(
        MODULES.map((name) => `${API}.test_${name}`),
        { TEMPEST_CONFIG_DIR: folder, TEMPEST_CONFIG: 'tempest.conf' },
        { folder, plugins: ['tempest_plugin'] },
      );
      expect(results.length).toBeGreaterThan(200);
      expectSuite('tempest', results, OUT_OF_SCOPE);
    } finally {
      await service.stop();
      await keystone.close();
      rmSync(folder, { recursive: true });
    }
  });
});
