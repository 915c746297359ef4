const NODE = 'aaaaaaaa-1111-4111-8111-aaaaaaaaaaaa';
const OTHER = 'bbbbbbbb-1111-4111-8111-bbbbbbbbbbbb';
const ABSENT = 'cccccccc-1111-4111-8111-cccccccccccc';

/** The input of `create nodes.json`. */
export const NODES_JSON = { nodes: [{ name: 'n-9', driver: 'fake-hardware' }] };

/** Supported commands, in the order of a node's life. They depend on each other; BMC stands for its address. */
export const SERVED: readonly string[] = [
  `node create --driver redfish --name n-1 --uuid ${NODE} --driver-info redfish_address=https://bmc.example --driver-info redfish_password=secret`,
  `node create --driver fake-hardware --name n-2 --uuid ${OTHER} --resource-class compute --owner lab --extra rack=7 --property cpus=4 --description spare --conductor-group a --vendor-interface no-vendor`,
  'node list',
  'node list --long',
  'node list --fields uuid name driver reservation',
  'node list --driver redfish --maintenance',
  'node list --limit 1 --sort name:desc',
  'node list --provision-state active',
  'node list --resource-class compute --owner lab --conductor-group a --unassociated',
  'node show n-1',
  'node show n-1 --fields uuid name driver_info',
  'node set n-1 --name n-1b --driver-info redfish_username=u --extra a=1 --description rack-7',
  'node set n-1b --vendor-interface no-vendor',
  'node set n-1b --reset-interfaces --driver fake-hardware',
  'node set n-1b --driver redfish --reset-vendor-interface',
  'node unset n-1b --extra a --description --vendor-interface',
  'node set rf-1 --power-interface redfish',
  'node maintenance set n-1b --reason fan',
  'node maintenance unset n-1b',
  'node validate n-1b',
  'node passthru list rf-1',
  'node passthru call rf-1 create_subscription --arg Destination=https://listener.example/events',
  'node passthru call rf-1 get_all_subscriptions --http-method GET',
  'node passthru call rf-1 get_subscription?id=1 --http-method GET',
  'node passthru call rf-1 get_subscription --http-method GET --arg id=1',
  'node passthru call rf-1 delete_subscription?id=1 --http-method DELETE',
  'node passthru call rf-1 delete_subscription --http-method DELETE --arg id=1',
  'node passthru call rf-1 eject_vmedia',
  'node passthru call fake-1 third_method_sync --arg bar=meow',
  'node passthru call locked-1 third_method_sync --arg bar=meow',
  'node passthru call fake-1 nope',
  'driver list',
  'driver list --long',
  'driver show redfish',
  'driver property list redfish',
  'driver passthru list redfish',
  'driver passthru call redfish discover --arg address=BMC',
  'conductor list',
  'conductor show replica-1',
  'shard list',
  `node show ${ABSENT}`,
  'create nodes.json',
  'node delete n-1b n-2 n-9',
  'node delete locked-1',
];

/** The commands of them that show, quickly, that a kind of login works for reads, changes and calls. */
export const LOGIN_SAMPLE: readonly string[] = SERVED.filter((line) =>
  /^(node create --driver redfish|node list$|node show n-1$|node passthru call rf-1 get_all_subscriptions|driver list$)/.test(
    line,
  ),
);

/** Parts of the output of some of them. */
export const PRINTED: Readonly<Record<string, RegExp>> = {
  'node list': /locked-1/,
  'node list --limit 1 --sort name:desc': /rf-1/,
  'node show n-1': /'redfish_password': '\*{6}'/,
  'node validate n-1b': /vendor +\| True +\| None/,
  'node passthru list rf-1': /eject_vmedia +\| POST +\| True/,
  'node passthru call rf-1 get_subscription?id=1 --http-method GET': /'Id': '1'/,
  'driver list': /redfish +\| replica-1/,
  'driver passthru list redfish': /discover +\| POST/,
  'conductor list': /replica-1/,
};

/** Commands that Ironic supports and this service does not. */
export const NOT_SERVED: readonly string[] = [
  'node power on rf-1',
  'node power off rf-1',
  'node reboot rf-1',
  ...['manage', 'provide', 'adopt', 'abort', 'inspect', 'deploy', 'rebuild', 'undeploy', 'unhold', 'unrescue'].map(
    (verb) => `node ${verb} rf-1`,
  ),
  'node clean rf-1 --clean-steps [{"interface":"deploy","step":"erase_devices"}]',
  'node service rf-1 --service-steps [{"interface":"raid","step":"apply_configuration"}]',
  'node rescue rf-1 --rescue-password secret',
  'node boot device set rf-1 pxe',
  'node boot device show rf-1',
  'node boot mode set rf-1 uefi',
  'node secure boot on rf-1',
  'node secure boot off rf-1',
  'node inject nmi rf-1',
  'node console enable rf-1',
  'node console disable rf-1',
  'node console show rf-1',
  'node bios setting list rf-1',
  'node bios setting show rf-1 ProcVirtualization',
  'node firmware list rf-1',
  'node inventory save rf-1',
  'node history list rf-1',
  `node history get rf-1 ${ABSENT}`,
  'node children list rf-1',
  'node trait list rf-1',
  'node trait add rf-1 CUSTOM_GOLD',
  'node add trait rf-1 CUSTOM_GOLD',
  'node trait remove rf-1 CUSTOM_GOLD',
  'node remove trait rf-1 CUSTOM_GOLD',
  'node vif list rf-1',
  'node vif attach rf-1 vif-1',
  'node vif detach rf-1 vif-1',
  'node set rf-1 --target-raid-config {"logical_disks":[]}',
  'node unset rf-1 --target-raid-config',
  'driver raid property list redfish',
  ...resource('allocation', 'create --resource-class compute', 'set --name a', 'unset --name'),
  ...resource('chassis', 'create', 'set --description d', 'unset --description'),
  ...resource('deploy template', 'create CUSTOM_T --steps []', 'set --name CUSTOM_T', 'unset --extra a'),
  ...resource('inspection rule', 'create --actions [] --description d', 'set --description d', 'unset --description'),
  ...resource('port', `create --node ${ABSENT} 52:54:00:00:00:01`, 'set --extra a=1', 'unset --extra a'),
  ...resource('port group', `create --node ${ABSENT}`, 'set --name a', 'unset --name'),
  ...resource('runbook', 'create --name CUSTOM_R --steps []', 'set --name CUSTOM_R', 'unset --description'),
  `runbook trait list ${ABSENT}`,
  `runbook trait add ${ABSENT} CUSTOM_GOLD`,
  `runbook trait remove ${ABSENT} CUSTOM_GOLD`,
  ...resource(
    'volume connector',
    `create --node ${ABSENT} --type ip --connector-id 192.0.2.1`,
    'set --extra a=1',
    'unset --extra a',
  ),
  ...resource(
    'volume target',
    `create --node ${ABSENT} --type iscsi --boot-index 0 --volume-id v`,
    'set --extra a=1',
    'unset --extra a',
  ),
];

/** Returns the six commands for a kind of resource. */
function resource(name: string, create: string, set: string, unset: string): string[] {
  return [
    `${name} ${create}`,
    `${name} list`,
    `${name} show ${ABSENT}`,
    `${name} set ${ABSENT} ${set.replace(/^set /, '')}`,
    `${name} unset ${ABSENT} ${unset.replace(/^unset /, '')}`,
    `${name} delete ${ABSENT}`,
  ];
}
