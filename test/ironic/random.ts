// Random requests for the comparison: routes, versions, parameters, fields and values in forms that `requests.ts` does not list.
import fc from 'fast-check';
import { MAX_MINOR, NODE_FIELDS, PARAMETERS } from '../../src/rest/apiTable.ts';
import { CHILD, type ComparedRequest, FULL, PLAIN, SETUP, TEARDOWN, TRIED, uuid } from './requests.ts';

const GATES = [...new Set([...NODE_FIELDS.values()].flatMap(({ from }) => [from - 1, from]))].filter(
  (minor) => minor > 0,
);
const minor = fc.oneof(
  { weight: 6, arbitrary: fc.constant(MAX_MINOR) },
  { weight: 2, arbitrary: fc.constantFrom(...GATES) },
  { weight: 2, arbitrary: fc.integer({ min: 1, max: MAX_MINOR }) },
);
/** Forms of a version, all of which Ironic reads. */
const form = fc.oneof(
  { weight: 12, arbitrary: fc.constant('1.N') },
  fc.constantFrom('+1.N', '01.0N', '1 . N', '1.+N', '1.115, 1.N'),
);
const headers = fc.tuple(form, minor).map(
  ([text, value]): Record<string, string> => ({
    'X-OpenStack-Ironic-API-Version': text.replace('N', String(value)),
  }),
);

const encoded = (text: string) => encodeURIComponent(text);
const LONG = 'x'.repeat(300);

/** Names and UUIDs of nodes, as they are in a path. */
const ident = fc.oneof(
  { weight: 4, arbitrary: fc.constantFrom(PLAIN, 'plain', FULL, 'full', CHILD, 'child') },
  fc.constantFrom(
    ...[
      uuid('f'),
      'nope',
      FULL.toUpperCase(),
      FULL.replaceAll('-', ''),
      'plain.json',
      'Plain',
      'pl%61in',
      '-x',
      'x.',
      'a..b',
    ],
    ...['a_b', 'a~b', 'a%20b', '%C3%A9', '1', `${PLAIN}.json`, encoded(LONG), 'detail', 'plain%2Fstates', '%7B%7D'],
  ),
);

/** Values of parameters, percent-encoded. */
const WORDS = [
  ...[
    '',
    'true',
    'True',
    'false',
    'yes',
    '0',
    '1',
    '2',
    '-1',
    '1.5',
    '1e3',
    'None',
    'null',
    'x',
    'plain',
    'full',
    'x,y',
    ',',
  ],
  ...[PLAIN, FULL, uuid('1'), uuid('f'), 'enroll', 'available', 'ENROLL', 'fake-hardware', 'ipmi', 'rc', 's1', 's1,zz'],
  ...[
    '%C3%A9',
    '%20',
    ' '.replace(' ', '+'),
    encoded('a b'),
    encoded('%'),
    encoded("'"),
    encoded(LONG),
    'asc',
    'desc',
    'ASC',
  ],
  ...[
    'dynamic',
    'classic',
    'localhost',
    'power%20failure',
    '99999999999999999999',
    'uuid',
    'name',
    'rack',
    'RACK',
    '%25',
    '_',
  ],
];
const word = fc.constantFrom(...WORDS);
const fieldNames = [...NODE_FIELDS.keys()];
const fieldList = fc
  .array(
    fc.oneof(
      { weight: 12, arbitrary: fc.constantFrom(...fieldNames) },
      fc.constantFrom('colour', '', 'UUID', ' uuid', 'id'),
    ),
    {
      minLength: 1,
      maxLength: 4,
    },
  )
  .map((names) => names.map(encoded).join(','));

const ALL_PARAMETERS = [...new Set(Object.values(PARAMETERS).flatMap((table) => Object.keys(table)))];

function query(table: Readonly<Record<string, unknown>>): fc.Arbitrary<string> {
  const name = fc.oneof(
    { weight: 15, arbitrary: fc.constantFrom(...Object.keys(table), 'fields') },
    fc.constantFrom(...ALL_PARAMETERS, 'colour', 'reason', ''),
  );
  const pair = name.chain((each) => {
    if (each === 'fields') return fc.oneof({ weight: 3, arbitrary: fieldList }, word).map((value) => `fields=${value}`);
    if (each === 'sort_key') return fc.oneof(fc.constantFrom(...fieldNames), word).map((value) => `sort_key=${value}`);
    if (each === 'limit')
      return fc.constantFrom('limit=1', 'limit=2', 'limit=0', 'limit=-1', 'limit=x', 'limit=', 'limit=1001');
    return word.map((value) => `${each}=${value}`);
  });
  return fc.array(pair, { maxLength: 3 }).map((pairs) => (pairs.length === 0 ? '' : `?${pairs.join('&')}`));
}

const readVerb = fc.oneof(
  { weight: 20, arbitrary: fc.constant('GET') },
  { weight: 1, arbitrary: fc.constantFrom('HEAD', 'OPTIONS') },
);
const read = (path: fc.Arbitrary<string>, table: Readonly<Record<string, unknown>> = {}) =>
  fc
    .tuple(readVerb, path, query(table), headers)
    .map(([verb, at, queried, sent]) => [request(verb, at + queried, sent)]);

function request(method: string, path: string, sent: Record<string, string>, body?: unknown): ComparedRequest {
  const version = Object.values(sent)[0] ?? 'no version';
  return {
    name: `${method} ${path} at ${version}: ${JSON.stringify(body)}`.slice(0, 400),
    method,
    path,
    headers: sent,
    body,
    random: true,
  };
}

/** Values of fields: of each type, at their limits, and of other types. */
const value: fc.Arbitrary<unknown> = fc.constantFrom<unknown>(
  ...[
    null,
    '',
    'x',
    'True',
    'false',
    true,
    false,
    0,
    1,
    -1,
    1.5,
    [],
    ['x'],
    {},
    { a: 1 },
    { a: { b: [1, null] } },
    { '': 'x' },
  ],
  ...['x'.repeat(80), 'x'.repeat(81), 'x'.repeat(255), 'x'.repeat(256), 'x'.repeat(4097), 'é', ' ', 'a b', '******'],
  ...[
    uuid('e'),
    uuid('1'),
    uuid('e').toUpperCase(),
    uuid('e').replaceAll('-', ''),
    PLAIN,
    'plain',
    'tried',
    'fake',
    'noop',
    'no-vendor',
  ],
  ...['fake-hardware', 'ipmi', 'ipxe', 'ipmitool', 'available', 'enroll', 'nope', '2026-01-01T00:00:00+00:00'],
);
/** Values that suit a field more often than the others. */
const fitting = (key: string): fc.Arbitrary<unknown> => {
  const written = NODE_FIELDS.get(key)?.write;
  const fit: Record<string, readonly unknown[]> = {
    text: ['x', 'plain', 'tried', 'Upper', null, ''],
    boolean: [true, false, 'true', 'no', null],
    object: [{}, { k: 'v' }, { password: 'p' }, { k: { l: [1] } }, null],
    uuid: [uuid('e'), uuid('1'), null],
    interface: ['fake', 'noop', 'ipmitool', 'no-bios', null],
  };
  const values = fit[written?.kind ?? ''] ?? [];
  return values.length === 0 ? value : fc.oneof({ weight: 2, arbitrary: fc.constantFrom(...values) }, value);
};

const field = fc.oneof(
  { weight: 20, arbitrary: fc.constantFrom(...fieldNames) },
  fc.constantFrom('colour', '', 'id', 'version'),
);
const entry = field.chain((key) => fitting(key).map((given): [string, unknown] => [key, given]));

const REMOVE: ComparedRequest = {
  ...request('DELETE', `/v1/nodes/${TRIED}`, { 'X-OpenStack-Ironic-API-Version': `1.${MAX_MINOR}` }),
  name: 'clean up',
};
const CREATE = request(
  'POST',
  '/v1/nodes',
  { 'X-OpenStack-Ironic-API-Version': `1.${MAX_MINOR}` },
  { driver: 'fake-hardware', uuid: TRIED, extra: { a: 1 }, retired: true, retired_reason: 'old' },
);

const create = fc
  .tuple(
    fc.array(entry, { maxLength: 3 }),
    headers,
    fc.constantFrom({ driver: 'fake-hardware' }, { driver: 'ipmi' }, {}),
  )
  .map(([entries, sent, base]) => [
    request('POST', '/v1/nodes', sent, { ...base, uuid: TRIED, ...Object.fromEntries(entries) }),
    REMOVE,
  ]);

const operation = fc
  .tuple(
    fc.oneof(
      { weight: 10, arbitrary: fc.constantFrom('add', 'replace', 'remove') },
      fc.constantFrom('test', 'copy', 'x', '', 5, null),
    ),
    fc.oneof(
      { weight: 3, arbitrary: field.map((key) => `/${key}`) },
      fc.constantFrom(
        ...[
          '/extra/a',
          '/extra/b',
          '/extra/a/b',
          '/extra/',
          '/properties/cpus',
          '/driver_info/x',
          '/instance_info/x/y',
        ],
        ...[
          '',
          '/',
          'name',
          '//',
          '/extra/~0',
          '/extra/a~1b',
          '/name/x',
          '/traits/0',
          '/extra/0',
          '/extra/-',
          '/links/0',
          '/retired/x',
        ],
      ),
    ),
    fc.constantFrom('with', 'with', 'with', 'without'),
  )
  .chain(([op, path, kind]) =>
    fitting(path.split('/')[1] ?? '').map((given) =>
      kind === 'without' || op === 'remove' ? { op, path } : { op, path, value: given },
    ),
  );

const patch = fc
  .tuple(
    fc.array(operation, { minLength: 1, maxLength: 3 }),
    headers,
    fc.constantFrom('', '', '', '?reset_interfaces=true', '?x=1'),
  )
  .map(([operations, sent, queried]) => [
    CREATE,
    request('PATCH', `/v1/nodes/${TRIED}${queried}`, sent, operations),
    request('GET', `/v1/nodes/${TRIED}`, CREATE.headers),
    REMOVE,
  ]);

const maintenance = fc
  .tuple(
    fc.constantFrom('PUT', 'PUT', 'DELETE', 'GET', 'POST'),
    ident,
    fc.constantFrom('', '', '?reason=x', '?x=1'),
    value,
    headers,
  )
  .map(([method, at, queried, reason, sent]) => [
    request(method, `/v1/nodes/${at}/maintenance${queried}`, sent, method === 'PUT' ? { reason } : undefined),
    request('GET', `/v1/nodes/${PLAIN}?fields=maintenance,maintenance_reason`, CREATE.headers),
    request('DELETE', `/v1/nodes/${PLAIN}/maintenance`, CREATE.headers),
  ]);

const PARTS = [
  ...[
    '',
    '/states',
    '/validate',
    '/vendor_passthru/methods',
    '/vmedia',
    '/ports',
    '/traits',
    '/history',
    '/children',
    '/management',
  ],
  ...[
    '/maintenance',
    '/vifs',
    '/bios',
    '/firmware',
    '/inventory',
    '/volume',
    '/portgroups',
    '/allocation',
    '/colour',
    '/states/power',
  ],
];
const ROOTS = [
  ...[
    '/',
    '/v1',
    '/v1/',
    '/v2',
    '/nodes',
    '/nodes/plain',
    '/v1/nodes/',
    '/v1//nodes',
    '/V1/nodes',
    '/v1/nodes/plain/',
    '/v1/v1/nodes',
  ],
  ...[
    '/drivers',
    '/conductors',
    '/v1/shards',
    '/v1/runbooks',
    '/v1/inspection_rules',
    '/v1/deploy_templates',
    '/v1/events',
  ],
  ...[
    '/v1/volume',
    '/v1/portgroups',
    '/v1/lookup',
    '/v1/heartbeat',
    '/v1/chassis/x',
    '/v1/ports/detail',
    '/v1/nodes/detail/x',
  ],
];
const DRIVERS = ['fake-hardware', 'ipmi', 'nope', 'Fake-hardware', 'a%20b', encoded(LONG), '%C3%A9'];

const part = fc
  .tuple(
    fc.constantFrom('GET', 'GET', 'GET', 'POST', 'PUT', 'PATCH', 'DELETE'),
    ident,
    fc.constantFrom(...PARTS.slice(1)),
    headers,
  )
  // What is not served is a difference that is known.
  .filter(([method, , path]) => method === 'GET' || ['/validate', '/vendor_passthru/methods', '/colour'].includes(path))
  .map(([method, at, path, sent]) => [request(method, `/v1/nodes/${at}${path}`, sent)]);

const call = fc
  .tuple(
    fc.constantFrom('POST', 'POST', 'PUT', 'GET', 'DELETE', 'PATCH'),
    ident,
    fc.constantFrom('?method=', '/'),
    fc.constantFrom(
      'third_method_sync',
      'second_method',
      'fourth_method_shared_lock',
      'log_passthrough',
      'nope',
      '',
      'a%20b',
      '%C3%A9',
    ),
    fc.oneof(fc.constantFrom<unknown>({ bar: 'meow' }, { bar: 'kazoo' }, { bar: 5 }, { bar: null }, {}), value),
    headers,
  )
  .map(([method, at, way, name, body, sent]) => [
    request(
      method,
      `/v1/nodes/${at}/vendor_passthru${way}${name}`,
      sent,
      ['GET', 'DELETE'].includes(method) ? undefined : body,
    ),
  ]);

const group: fc.Arbitrary<ComparedRequest[]> = fc.oneof(
  { weight: 5, arbitrary: read(fc.constant('/v1/nodes'), PARAMETERS.nodes) },
  { weight: 2, arbitrary: read(fc.constant('/v1/nodes/detail'), PARAMETERS.nodesInDetail) },
  {
    weight: 3,
    arbitrary: read(
      ident.map((at) => `/v1/nodes/${at}`),
      PARAMETERS.node,
    ),
  },
  { weight: 1, arbitrary: read(fc.constant('/v1/drivers'), PARAMETERS.drivers) },
  {
    weight: 1,
    arbitrary: read(
      fc.constantFrom(...DRIVERS).map((name) => `/v1/drivers/${name}`),
      PARAMETERS.driver,
    ),
  },
  { weight: 1, arbitrary: read(fc.constant('/v1/conductors'), PARAMETERS.conductors) },
  {
    weight: 1,
    arbitrary: read(
      fc.constantFrom('nope', LONG).map((host) => `/v1/conductors/${host}`),
      PARAMETERS.conductor,
    ),
  },
  { weight: 1, arbitrary: read(fc.constantFrom(...ROOTS)) },
  { weight: 2, arbitrary: part },
  { weight: 4, arbitrary: create },
  { weight: 6, arbitrary: patch },
  { weight: 1, arbitrary: maintenance },
  { weight: 2, arbitrary: call },
);

/** Forms with a difference of their own, which few seeds have. */
const RARE: readonly ComparedRequest[] = [
  ...[`/${FULL.toUpperCase()}`, '?description_contains=', '?conductor=localhost', '?lessee=x&fields=id'].map((path) =>
    request('GET', `/v1/nodes${path}`, CREATE.headers),
  ),
  request('GET', '/v1/nodes/plain/vendor_passthru/methods', { 'X-OpenStack-Ironic-API-Version': '1.82' }),
  ...[{ secure_boot: 'no' }, { retired_reason: 'x'.repeat(4097) }].flatMap((fields) => [
    request('POST', '/v1/nodes', CREATE.headers, { driver: 'fake-hardware', uuid: TRIED, ...fields }),
    REMOVE,
  ]),
  request('GET', '/v1/nodes/plain/validate', CREATE.headers),
  request('GET', '/v1/nodes/detail?include_children=2', CREATE.headers),
  request('POST', '/v1/nodes', CREATE.headers, { driver: 'fake-hardware', uuid: TRIED, conductor_group: 'x' }),
  REMOVE,
  request('POST', '/v1/nodes', CREATE.headers, { driver: 'fake-hardware', uuid: TRIED, chassis_uuid: uuid('f') }),
  REMOVE,
];

/** Returns `count` groups of random requests of a seed, between those that make and remove the nodes they are about. */
export function randomRequests(seed: number, count: number): ComparedRequest[] {
  return [...SETUP, ...RARE, ...fc.sample(group, { seed, numRuns: count }).flat(), ...TEARDOWN];
}
