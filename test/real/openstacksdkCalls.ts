import { expect } from 'vitest';

const NODE = 'aaaaaaaa-2222-4111-8111-aaaaaaaaaaaa';
const ABSENT = 'cccccccc-1111-4111-8111-cccccccccccc';

/** Supported calls, in the order of a node's life. They depend on each other; BMC stands for its address. */
export const SERVED: readonly string[] = [
  `baremetal.create_node(driver='redfish', name='n-3', uuid='${NODE}', driver_info={'redfish_address': 'https://bmc.example'})`,
  'baremetal.nodes()',
  'baremetal.nodes(details=True)',
  "baremetal.nodes(driver='redfish', fields=['uuid', 'name'])",
  "baremetal.get_node('n-3')",
  "baremetal.get_node('n-3', fields=['uuid', 'name'])",
  "baremetal.find_node('n-3')",
  "baremetal.find_node('absent')",
  "baremetal.update_node('n-3', description='spare', extra={'rack': 7})",
  "baremetal.patch_node('n-3', [{'op': 'remove', 'path': '/description'}])",
  "baremetal.patch_node('n-3', [{'op': 'add', 'path': '/driver', 'value': 'redfish'}], reset_interfaces=True)",
  "baremetal.patch_node('rf-1', [{'op': 'add', 'path': '/power_interface', 'value': 'redfish'}])",
  "baremetal.set_node_maintenance('n-3', reason='fan')",
  "baremetal.unset_node_maintenance('n-3')",
  "baremetal.validate_node('n-3', required=())",
  "baremetal.validate_node('n-3')",
  "baremetal.wait_for_node_reservation('n-3', timeout=5)",
  "baremetal.wait_for_nodes_provision_state(['n-3'], 'enroll', timeout=5)",
  "baremetal.list_node_vendor_passthru('rf-1')",
  "baremetal.call_node_vendor_passthru('rf-1', 'POST', 'create_subscription', {'Destination': 'https://listener.example/sdk'})",
  "baremetal.call_node_vendor_passthru('rf-1', 'GET', 'get_all_subscriptions')",
  "baremetal.call_node_vendor_passthru('rf-1', 'GET', 'get_subscription', {'id': '1'})",
  "baremetal.call_node_vendor_passthru('rf-1', 'GET', 'get_subscription&id=1')",
  "baremetal.call_node_vendor_passthru('rf-1', 'DELETE', 'delete_subscription', {'id': '1'})",
  "baremetal.call_node_vendor_passthru('rf-1', 'POST', 'eject_vmedia', {})",
  "baremetal.attach_vmedia_to_node('rf-1', 'cdrom', 'https://images.example/boot.iso')",
  "baremetal.detach_vmedia_from_node('rf-1')",
  "baremetal.call_node_vendor_passthru('fake-1', 'POST', 'third_method_sync', {'bar': 'meow'})",
  "baremetal.call_node_vendor_passthru('fake-1', 'POST', 'nope', {})",
  'baremetal.drivers()',
  'baremetal.drivers(details=True)',
  "baremetal.get_driver('redfish')",
  "baremetal.list_driver_vendor_passthru('redfish')",
  "baremetal.call_driver_vendor_passthru('redfish', 'POST', 'discover', {'address': 'BMC'})",
  'baremetal.conductors()',
  'baremetal.conductors(details=True)',
  "baremetal.get_conductor('replica-1')",
  `baremetal.get_node('${ABSENT}')`,
  "baremetal.delete_node('n-3')",
];

/** The values that the SDK returns for some of the calls. */
export const RETURNED: Readonly<Record<string, unknown>> = {
  "baremetal.nodes(driver='redfish', fields=['uuid', 'name'])": [
    expect.objectContaining({ name: 'rf-1' }),
    expect.objectContaining({ name: 'n-3', uuid: NODE }),
  ],
  "baremetal.update_node('n-3', description='spare', extra={'rack': 7})": expect.objectContaining({
    description: 'spare',
    extra: { rack: 7 },
  }),
  "baremetal.call_node_vendor_passthru('rf-1', 'GET', 'get_subscription', {'id': '1'})": {
    status: 200,
    json: expect.objectContaining({ Id: '1' }),
  },
  "baremetal.call_node_vendor_passthru('rf-1', 'POST', 'eject_vmedia', {})": { status: 202, json: null },
  "baremetal.call_node_vendor_passthru('fake-1', 'POST', 'third_method_sync', {'bar': 'meow'})": {
    status: 200,
    json: true,
  },
  "baremetal.list_driver_vendor_passthru('redfish')": { discover: expect.objectContaining({ http_methods: ['POST'] }) },
};

/** Calls that Ironic supports and this service does not. */
export const NOT_SERVED: readonly string[] = [
  "baremetal.set_node_power_state('rf-1', 'power on')",
  "baremetal.wait_for_node_power_state('rf-1', 'power on', timeout=1)",
  "baremetal.set_node_provision_state('rf-1', 'manage')",
  "baremetal.get_node_boot_device('rf-1')",
  "baremetal.set_node_boot_device('rf-1', 'pxe')",
  "baremetal.get_node_supported_boot_devices('rf-1')",
  "baremetal.set_node_boot_mode('rf-1', 'uefi')",
  "baremetal.set_node_secure_boot('rf-1', True)",
  "baremetal.inject_nmi_to_node('rf-1')",
  "baremetal.get_node_console('rf-1')",
  "baremetal.enable_node_console('rf-1')",
  "baremetal.disable_node_console('rf-1')",
  "baremetal.get_node_inventory('rf-1')",
  "baremetal.list_node_firmware('rf-1')",
  "baremetal.add_node_trait('rf-1', 'CUSTOM_GOLD')",
  "baremetal.remove_node_trait('rf-1', 'CUSTOM_GOLD')",
  "baremetal.set_node_traits('rf-1', ['CUSTOM_GOLD'])",
  "baremetal.attach_vif_to_node('rf-1', 'vif-1')",
  "baremetal.detach_vif_from_node('rf-1', 'vif-1')",
  "baremetal.list_node_vifs('rf-1')",
  ...resource('chassis', 'chassis', { patch: true, find: true }),
  ...resource('port', 'ports', { patch: true, find: true }),
  ...resource('port_group', 'port_groups', { patch: true, find: true }),
  ...resource('allocation', 'allocations', { patch: true }),
  `baremetal.wait_for_allocation('${ABSENT}', timeout=1)`,
  ...resource('volume_connector', 'volume_connectors', { patch: true, find: true }),
  ...resource('volume_target', 'volume_targets', { patch: true, find: true }),
  ...resource('deploy_template', 'deploy_templates', { patch: true, find: true }),
  ...resource('runbook', 'runbooks', { patch: true }),
  `baremetal.add_runbook_trait('${ABSENT}', 'CUSTOM_GOLD')`,
  `baremetal.remove_runbook_trait('${ABSENT}', 'CUSTOM_GOLD')`,
  `baremetal.set_runbook_traits('${ABSENT}', ['CUSTOM_GOLD'])`,
  ...resource('inspection_rule', 'inspection_rules', { patch: true }),
];

/** Methods of the proxy that send no request of their own: they poll results of other calls. */
export const WITHOUT_REQUEST: readonly string[] = ['wait_for_status', 'wait_for_delete'];

/** Returns the calls for a kind of resource. */
function resource(one: string, many: string, has: { patch?: boolean; find?: boolean }): string[] {
  return [
    `baremetal.create_${one}(extra={})`,
    `baremetal.${many}()`,
    `baremetal.get_${one}('${ABSENT}')`,
    ...(has.find ? [`baremetal.find_${one}('${ABSENT}')`] : []),
    `baremetal.update_${one}('${ABSENT}', extra={'a': 1})`,
    ...(has.patch ? [`baremetal.patch_${one}('${ABSENT}', [{'op': 'add', 'path': '/extra/a', 'value': 1}])`] : []),
    `baremetal.delete_${one}('${ABSENT}')`,
  ];
}
