import { DRIVER_FIELDS, MAX_MINOR, NODE_FIELDS, NODE_FILTERS } from '../../src/rest/apiTable.ts';

/** A request that is sent to a real Ironic and to the service. */
export interface ComparedRequest {
  name: string;
  method: string;
  path: string;
  headers: Record<string, string>;
  /** Sent as JSON. */
  body?: unknown;
  /** Whether it may have several faults at once. */
  random?: boolean;
}

export const uuid = (digit: string) =>
  `${digit.repeat(8)}-${digit.repeat(4)}-4${digit.repeat(3)}-8${digit.repeat(3)}-${digit.repeat(12)}`;
/** The nodes of the comparison. All but the last exist from the beginning to the end. */
export const PLAIN = uuid('a');
export const FULL = uuid('b');
export const CHILD = uuid('c');
export const TRIED = uuid('d');
const INSTANCE = uuid('e');
const UNKNOWN = uuid('f');

const at = (minor: number | null, more: Record<string, string> = {}): Record<string, string> =>
  minor === null ? more : { 'X-OpenStack-Ironic-API-Version': `1.${minor}`, ...more };

/** The versions just before and at each gate. */
const around = (from: number) => [from - 1, from].filter((minor) => minor >= 1);

const get = (path: string, minor: number | null = MAX_MINOR, more = {}): ComparedRequest => ({
  name: `GET ${path} at ${minor === null ? 'no version' : `1.${minor}`}`,
  method: 'GET',
  path,
  headers: at(minor, more),
});

const send = (method: string, path: string, body: unknown, minor: number | null = MAX_MINOR): ComparedRequest => ({
  name: `${method} ${path} at 1.${minor}: ${JSON.stringify(body)}`,
  method,
  path,
  headers: at(minor),
  body,
});

const patch = (ident: string, operations: unknown, minor = MAX_MINOR) =>
  send('PATCH', `/v1/nodes/${ident}`, operations, minor);
const put = (path: string, value: unknown) => ({ op: 'add', path, value });
const removeTried: ComparedRequest = { ...send('DELETE', `/v1/nodes/${TRIED}`, undefined), name: 'clean up' };
const createTried = (fields: object, minor = MAX_MINOR) => [
  send('POST', '/v1/nodes', { driver: 'fake-hardware', uuid: TRIED, ...fields }, minor),
  removeTried,
];

/** Values to write, by field; other fields of a kind take the one of the kind. */
const VALUES: Readonly<Record<string, unknown>> = {
  driver: 'fake-hardware',
  boot_mode: 'x',
  console_enabled: 'x',
  secure_boot: 'x',
  name: 'tried',
  parent_node: PLAIN,
  instance_uuid: INSTANCE,
  chassis_uuid: null,
  conductor_group: '',
  protected: false,
  protected_reason: null,
  network_data: {},
  vendor_interface: 'no-vendor',
  bios_interface: 'no-bios',
  boot_interface: 'ipxe',
  console_interface: 'no-console',
  deploy_interface: 'ramdisk',
  firmware_interface: 'no-firmware',
  inspect_interface: 'no-inspect',
  management_interface: 'fake',
  network_interface: 'noop',
  power_interface: 'fake',
  raid_interface: 'no-raid',
  rescue_interface: 'no-rescue',
  storage_interface: 'noop',
};
const BY_KIND = { text: 'a', boolean: true, object: { k: 'v' }, uuid: INSTANCE, interface: 'fake' } as const;

const FILTER_VALUES: Readonly<Record<string, string>> = {
  chassis_uuid: UNKNOWN,
  fault: 'power%20failure',
  instance_uuid: INSTANCE,
  parent_node: PLAIN,
  provision_state: 'enroll',
  driver: 'fake-hardware',
  shard: 's1,s2',
  conductor: 'nowhere',
};

function setup(): ComparedRequest[] {
  const full = {
    driver: 'fake-hardware',
    uuid: FULL,
    name: 'full',
    description: 'in rack 7',
    extra: { a: 1 },
    properties: { cpus: 4 },
    resource_class: 'rc',
    shard: 's1',
    retired: true,
    retired_reason: 'old',
    automated_clean: false,
    instance_uuid: uuid('1'),
    instance_name: 'inst',
    disable_power_off: true,
  };
  return [
    send('POST', '/v1/nodes', { driver: 'fake-hardware', uuid: PLAIN, name: 'plain' }),
    send('POST', '/v1/nodes', full),
    send('POST', '/v1/nodes', { driver: 'fake-hardware', uuid: CHILD, name: 'child', parent_node: PLAIN }),
  ];
}

function documents(): ComparedRequest[] {
  const gates = [...new Set([...NODE_FIELDS.values()].map(({ from }) => from).flatMap(around))].sort((a, b) => a - b);
  const drivers = [...new Set([...DRIVER_FIELDS.values()].flatMap(around))].sort((a, b) => a - b);
  return [
    ...[null, 1, 22, 23, 31, 32, 48, 49, 51, 52, 54, 55, 81, 82, 83, 84, 91, 92, 95, 96, 115].flatMap((minor) => [
      get('/v1', minor),
      get('/v1/', minor),
    ]),
    get('/', null),
    get('/', 50),
    get('/', 116),
    ...gates.flatMap((minor) => [
      get(`/v1/nodes/${FULL}`, minor),
      get('/v1/nodes/detail?limit=1', minor),
      get('/v1/nodes?limit=2', minor),
    ]),
    ...drivers.flatMap((minor) => [get('/v1/drivers/fake-hardware', minor), get('/v1/drivers', minor)]),
    get('/v1/drivers/fake-hardware/properties'),
    get('/v1/drivers/fake-hardware/vendor_passthru/methods'),
    get('/v1/drivers/nope'),
    get(`/v1/nodes/${PLAIN}/vendor_passthru/methods`),
    get(`/v1/nodes/${UNKNOWN}`),
    get('/v1/nodes/plain', 4),
    get('/v1/nodes/plain/validate', 4),
    get('/v1/nodes/plain', 5),
    get('/v1/nodes/bad%20name'),
    get('/v1/nodes/a_b', 9),
    get('/v1/nodes/a_b', 10),
  ];
}

const VERSIONS = [
  ...['latest', 'LATEST', '1.116', '1.0', '1.00', '2.0', '0.89', 'abc', '1', '1.', '.89', '1.89.0', '1.89x', ''],
  ...['+1.89', '01.89', '1.089', '1.+89', '1 .89', '1.8_9', '1.89_', '-1.89', '1.-1', '1.99999999999'],
  ...['1.80, 1.89', '1.89, 1.80', '1.89,', ', 1.89', 'abc, 1.89'],
];
const STANDARD_VERSIONS = [
  ...['baremetal 1.115', 'baremetal latest', 'baremetal 1.116', 'compute 2.1', 'compute 2.1, baremetal 1.80'],
  ...['BAREMETAL 01.89', 'baremetal  +1.89', 'baremetal 1.80, baremetal 1.89', 'baremetal 1.89, compute 2.1'],
  ...['baremetal', 'baremetal 1.89 x', 'baremetal x', 'baremetal=1.89', '1.89'],
];

function versions(): ComparedRequest[] {
  const named = (value: string) => ({ 'X-OpenStack-Ironic-API-Version': value });
  const standard = (value: string) => ({ 'OpenStack-API-Version': value });
  return [
    ...VERSIONS.map((value) => ({ ...get('/v1/nodes/plain', null, named(value)), name: `version '${value}'` })),
    ...STANDARD_VERSIONS.map((value) => ({
      ...get('/v1/nodes/plain', null, standard(value)),
      name: `standard version '${value}'`,
    })),
    { ...get('/v1/nodes/plain', 1, standard('baremetal 1.80')), name: 'the standard version before the other' },
    get('/nodes/plain'),
    get('/nodes'),
    get('/nodes/detail?limit=1'),
    get('/drivers/fake-hardware'),
    get('/drivers/fake-hardware/properties'),
    get('/bogus'),
    get('/v1/bogus'),
    ...[82, 90, 91, 115].flatMap((minor) => [
      get('/v1/nodes/plain.json', minor),
      get(`/v1/nodes/${PLAIN}.json`, minor),
    ]),
    get('/v1/nodes.json', 90),
    get('/v1/nodes.json', 91),
    get('/v1/drivers.json', 90),
  ];
}

function reads(): ComparedRequest[] {
  return [
    ...[...NODE_FIELDS].flatMap(([key, { from }]) => [
      ...around(from).map((minor) => get(`/v1/nodes/${FULL}?fields=${key}`, Math.max(minor, 8))),
      ...around(from).map((minor) => get(`/v1/nodes?sort_key=${key}&limit=3`, minor)),
    ]),
    get('/v1/nodes?fields=uuid', 7),
    get('/v1/nodes?fields=uuid', 8),
    get(`/v1/nodes/${FULL}?fields=uuid`, 7),
    get('/v1/nodes?fields=uuid&fields=name'),
    get(`/v1/nodes/${FULL}?fields=uuid&fields=name`),
    get('/v1/nodes?fields=colour'),
    get(`/v1/nodes/${FULL}?fields=uuid,colour`),
    get('/v1/nodes?detail=true', 42),
    get('/v1/nodes?detail=true&limit=1', 43),
    get('/v1/nodes?detail=true&fields=uuid'),
    get('/v1/nodes?sort_key=colour'),
    get('/v1/nodes?sort_key=name&sort_dir=up'),
    get('/v1/nodes?limit=0'),
    get('/v1/nodes?limit=-1'),
    get('/v1/nodes?limit=x'),
    get('/v1/nodes?limit=1&sort_key=name&sort_dir=desc'),
    get(`/v1/nodes?marker=${PLAIN}`),
    get(`/v1/nodes?marker=${UNKNOWN}`),
    get('/v1/nodes?marker=plain'),
    get('/v1/nodes?colour=red'),
  ];
}

function filters(): ComparedRequest[] {
  return [
    ...Object.entries(NODE_FILTERS).flatMap(([name, { from, kind }]) => {
      const value = FILTER_VALUES[name] ?? (kind === 'boolean' ? 'true' : 'a');
      const bad = kind === 'boolean' ? ['perhaps'] : kind === 'uuid' || kind === 'enum' ? ['zz'] : [];
      return [
        ...around(from).map((minor) => get(`/v1/nodes?${name}=${value}`, minor)),
        ...bad.map((word) => get(`/v1/nodes?${name}=${word}`)),
        get(`/v1/nodes/detail?${name}=${value}`),
      ];
    }),
    ...[
      'sharded=false',
      'associated=false',
      'retired=false',
      'maintenance=false',
      'shard=s1',
      'shard=',
      'shard=zz',
    ].map((query) => get(`/v1/nodes?${query}`)),
    ...['shard=s1&shard=s2', 'include_children=false', 'parent_node=plain', 'provision_state=available'].map((query) =>
      get(`/v1/nodes?${query}`),
    ),
    ...['description_contains=rack', 'instance_name=inst', 'resource_class=rc', 'owner=nobody', 'project=nobody'].map(
      (query) => get(`/v1/nodes?${query}`),
    ),
    get(`/v1/nodes?instance_uuid=${uuid('1')}`),
  ];
}

function writes(): ComparedRequest[] {
  return [...NODE_FIELDS].flatMap(([key, { from, write }]) => {
    const value = key in VALUES ? VALUES[key] : write === undefined ? 'x' : BY_KIND[write.kind];
    return around(from).flatMap((minor) => [
      ...(key === 'driver' ? [] : createTried({ [key]: value }, minor)),
      ...(key === 'driver' ? [] : createTried({ [key]: null }, minor)),
      ...createTried({}),
      send('POST', '/v1/nodes', { driver: 'fake-hardware', uuid: TRIED }),
      patch(TRIED, [put(`/${key}`, value)], minor),
      patch(TRIED, [{ op: 'remove', path: `/${key}` }], minor),
      patch(TRIED, [put(`/${key}`, null)], minor),
      removeTried,
    ]);
  });
}

function rules(): ComparedRequest[] {
  const tried = send('POST', '/v1/nodes', { driver: 'fake-hardware', uuid: TRIED, name: 'tried' });
  const steps = (...requests: ComparedRequest[]) => [tried, ...requests, removeTried];
  return [
    ...steps(
      patch(TRIED, [put('/retired', true), put('/retired_reason', 'old')]),
      patch(TRIED, [put('/retired', false)]),
      get(`/v1/nodes/${TRIED}?fields=retired,retired_reason`),
      patch(TRIED, [put('/retired_reason', 'alone')]),
      patch(TRIED, [put('/protected', true)]),
      patch(TRIED, [put('/protected', 'true'), put('/protected_reason', 'r')]),
      patch(TRIED, [put('/protected_reason', 'alone')]),
      patch(TRIED, [put('/retired', 'perhaps')]),
    ),
    ...createTried({ retired: true, retired_reason: 'r' }),
    ...createTried({ retired_reason: 'alone' }),
    ...createTried({ protected: true }),
    ...steps(
      patch(TRIED, [put('/instance_uuid', uuid('1'))]),
      patch(TRIED, [put('/instance_uuid', INSTANCE)]),
      patch(TRIED, [put('/instance_uuid', INSTANCE)]),
      patch(TRIED, [put('/instance_uuid', uuid('2'))]),
      patch(TRIED, [put('/instance_uuid', 'zz')]),
      send('DELETE', `/v1/nodes/${TRIED}`, undefined),
      patch(TRIED, [{ op: 'remove', path: '/instance_uuid' }]),
    ),
    ...createTried({ instance_uuid: uuid('1') }),
    ...steps(
      patch(TRIED, [put('/parent_node', 'plain')]),
      get(`/v1/nodes/${TRIED}?fields=parent_node`),
      patch(TRIED, [put('/parent_node', UNKNOWN)]),
      patch(TRIED, [put('/parent_node', null)]),
      patch(TRIED, [put('/instance_info', { display_name: 'shown' })]),
      get(`/v1/nodes/${TRIED}?fields=instance_name`),
    ),
    ...createTried({ parent_node: UNKNOWN }),
    ...['boot', 'deploy', 'power', 'management', 'network', 'bios', 'firmware', 'vendor'].flatMap((kind) =>
      createTried({ [`${kind}_interface`]: 'colour' }),
    ),
    ...steps(
      patch(TRIED, [put('/power_interface', 'ipmitool')]),
      patch(TRIED, [put('/boot_interface', 'fake')]),
      patch(TRIED, [put('/driver', 'ipmi')]),
      send('PATCH', `/v1/nodes/${TRIED}?reset_interfaces=true`, [put('/extra', { a: 1 })]),
      send('PATCH', `/v1/nodes/${TRIED}?reset_interfaces=true`, [put('/driver', 'ipmi')], 44),
      send('PATCH', `/v1/nodes/${TRIED}?reset_interfaces=true`, [put('/driver', 'ipmi')], 45),
      get(`/v1/nodes/${TRIED}?fields=driver`),
    ),
    ...createTried({ name: 'a_b' }, 9),
    ...createTried({ name: 'a_b' }, 10),
    ...createTried({ name: 'detail' }),
    ...createTried({ name: 'plain' }),
    ...createTried({ colour: 'red' }),
    ...createTried({ driver: 'nope' }),
    ...createTried({ instance_name: 'x'.repeat(256) }),
    ...createTried({ resource_class: 'x'.repeat(81) }),
    ...createTried({ description: 'x'.repeat(4097) }),
    ...[1, 2, 10, 11].flatMap((minor) => [
      send('POST', '/v1/nodes', { driver: 'fake-hardware', uuid: TRIED }, minor),
      get(`/v1/nodes/${TRIED}`, minor),
      get('/v1/nodes?provision_state=available'),
      get('/v1/nodes?provision_state=enroll'),
      patch(TRIED, [put('/retired', true)]),
      removeTried,
    ]),
    ...steps(
      patch(TRIED, []),
      patch(TRIED, {}),
      patch(TRIED, [{ op: 'test', path: '/name', value: 'x' }]),
      patch(TRIED, [put('/uuid', UNKNOWN)]),
      patch(TRIED, [put('/colour', 'red')]),
      patch(TRIED, [{ op: 'remove', path: '/driver' }]),
      patch(TRIED, [put('/name', 'plain')]),
      patch(TRIED, [put('/name', 'detail')]),
      patch(TRIED, [put('/traits', [])]),
    ),
  ];
}

function maintenance(): ComparedRequest[] {
  const path = `/v1/nodes/${PLAIN}/maintenance`;
  return [
    ...[
      undefined,
      null,
      [],
      {},
      { reason: null },
      { reason: 'r' },
      { reason: 'x'.repeat(5000) },
      { reason: 5 },
      'x',
      5,
    ].flatMap((body) => [send('PUT', path, body), get(`/v1/nodes/${PLAIN}?fields=maintenance,maintenance_reason`)]),
    send('PUT', path, { cause: 'x' }),
    send('PUT', `${path}?reason=x`, undefined),
    get(`/v1/nodes/${PLAIN}?fields=maintenance,maintenance_reason`),
    send('PUT', `${path}?cause=x`, undefined),
    send('DELETE', path, undefined),
    send('DELETE', path, { reason: 'x' }),
    get(`/v1/nodes/${PLAIN}?fields=maintenance,maintenance_reason`),
  ];
}

function drivers(): ComparedRequest[] {
  return [
    get('/v1/drivers?type=dynamic', 29),
    get('/v1/drivers?type=dynamic', 30),
    get('/v1/drivers?type=classic'),
    get('/v1/drivers?type=zz'),
    get('/v1/drivers?detail=true', 29),
    get('/v1/drivers?detail=true', 30),
    get('/v1/drivers?detail=perhaps'),
    get('/v1/drivers?fields=name', 76),
    get('/v1/drivers?fields=name', 77),
    get('/v1/drivers?fields=name,hosts&detail=true'),
    get('/v1/drivers?fields=name&fields=type'),
    get('/v1/drivers?fields=colour'),
    get('/v1/drivers/fake-hardware?fields=name', 76),
    get('/v1/drivers/fake-hardware?fields=name', 77),
    get('/v1/drivers/fake-hardware?fields=name,default_vendor_interface'),
    get('/v1/drivers/fake-hardware?fields=colour'),
    get('/v1/drivers/fake-hardware?fields=enabled_firmware_interfaces', 85),
    get('/v1/drivers/fake-hardware?fields=enabled_firmware_interfaces', 86),
  ];
}

function conductors(): ComparedRequest[] {
  return [
    ...[1, 48, 49, 115].map((minor) => get('/v1/conductors', minor)),
    ...['detail=true', 'fields=hostname', 'fields=hostname,drivers', 'fields=created_at', 'fields=colour'].map(
      (query) => get(`/v1/conductors?${query}`),
    ),
    ...[
      'detail=true&fields=hostname',
      'limit=1',
      'limit=0',
      'sort_key=hostname',
      'sort_key=alive',
      'sort_key=colour',
    ].map((query) => get(`/v1/conductors?${query}`)),
    ...['sort_dir=up', 'marker=nowhere', 'colour=red'].map((query) => get(`/v1/conductors?${query}`)),
    get('/v1/conductors/nowhere'),
    get('/v1/conductors/nowhere', 48),
  ];
}

function calls(): ComparedRequest[] {
  const path = `/v1/nodes/${PLAIN}/vendor_passthru`;
  return [
    send('POST', `${path}?method=log_passthrough`, {}),
    send('POST', `${path}?method=log_passthrough`, { any: { thing: [1, null] } }),
    send('POST', `${path}/third_method_sync`, { bar: 'meow' }),
    send('POST', `${path}?method=third_method_sync`, { bar: 'woof' }),
    send('POST', `${path}?method=third_method_sync`, {}),
    send('POST', `${path}?method=nope`, {}),
    send('GET', `${path}?method=third_method_sync`, undefined),
    send('POST', '/v1/drivers/fake-hardware/vendor_passthru?method=nope', {}),
    send('POST', '/v1/drivers/nope/vendor_passthru?method=nope', {}),
  ];
}

/** Virtual media of a driver that has none. */
function vmedia(): ComparedRequest[] {
  const path = `/v1/nodes/${PLAIN}/vmedia`;
  const attached = { device_type: 'cdrom', image_url: 'http://127.0.0.1:17/' };
  return [
    ...[88, 89, 92, 93].map((minor) => get(path, minor)),
    ...[88, 89].map((minor) => send('POST', path, attached, minor)),
    ...[
      {},
      { ...attached, device_type: 'tape' },
      { ...attached, image_url: 'ftp://127.0.0.1/' },
      { ...attached, x: 1 },
    ].map((body) => send('POST', path, body)),
    ...['', '?device_types=cdrom', '?device_types=cdrom,tape', '?x=1'].map((query) =>
      send('DELETE', `${path}${query}`, undefined),
    ),
  ];
}

/** Verbs that ask about a path. */
function inquiries(): ComparedRequest[] {
  const parts = ['', '/vendor_passthru/methods', '/validate', '/vmedia', '/maintenance'];
  const paths = ['/', '/v1', '/v1/nodes', '/v1/nodes/nope', '/v1/drivers/fake-hardware', '/v1/conductors', '/bogus'];
  return ['HEAD', 'OPTIONS'].flatMap((method) => [
    ...[...paths, ...parts.map((part) => `/v1/nodes/${PLAIN}${part}`)].map((path) => send(method, path, undefined)),
    send(method, '/v1/conductors', undefined, 48),
    send(method, '/v1/nodes', undefined, 116),
  ]);
}

/** Ironic's routes that are not served here. */
function unserved(): ComparedRequest[] {
  const parts = [
    'states',
    'ports',
    'traits',
    'bios',
    'history',
    'inventory',
    'firmware',
    'vifs',
    'volume',
    'portgroups',
  ];
  return [
    ...parts.map((part) => get(`/v1/nodes/${PLAIN}/${part}`)),
    ...[
      ['traits', 36],
      ['bios', 39],
      ['history', 77],
      ['inventory', 80],
      ['firmware', 85],
      ['vifs', 27],
    ].map(([part, minor]) => get(`/v1/nodes/${PLAIN}/${part}`, Number(minor))),
    get('/v1/ports'),
    get('/v1/chassis'),
    get('/v1/allocations', 51),
    get('/v1/allocations'),
  ];
}

function teardown(): ComparedRequest[] {
  return [
    patch(FULL, [{ op: 'remove', path: '/instance_uuid' }]),
    ...[CHILD, FULL, PLAIN].map((ident) => send('DELETE', `/v1/nodes/${ident}`, undefined)),
    get('/v1/nodes'),
  ];
}

/** The requests that make and remove the nodes that all others are about. */
export const SETUP: readonly ComparedRequest[] = setup();
export const TEARDOWN: readonly ComparedRequest[] = teardown();

/** The requests of the comparison, in order: earlier ones change what later ones find. */
export const REQUESTS: readonly ComparedRequest[] = [
  ...SETUP,
  ...documents(),
  ...versions(),
  ...reads(),
  ...filters(),
  ...writes(),
  ...rules(),
  ...maintenance(),
  ...drivers(),
  ...conductors(),
  ...vmedia(),
  ...inquiries(),
  ...calls(),
  ...unserved(),
  ...TEARDOWN,
];
