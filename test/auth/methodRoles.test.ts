import { Code, ConnectError, createClient } from '@connectrpc/connect';
import { createGrpcTransport } from '@connectrpc/connect-node';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { PassthruService } from '../../gen/passthru/v1/passthru_pb.ts';
import { Requests } from './requests.ts';
import { EXAMPLE_DRIVER, type RoleService, startRoleService } from './roleService.ts';
import { basic, htpasswd } from './users.ts';

// By its path, since the test's own loader resolves imports here.
const OPEN_DRIVER = `import { defineMethod, z } from '${new URL('../../src/driver.ts', import.meta.url).pathname}';
const method = (name, role) => defineMethod({ name, role, httpMethods: ['POST'], description: name,
  arguments: z.object({}), result: z.string(), async handler() { return name; } });
export default { name: 'open', properties: {},
  vendorInterfaces: [{ name: 'open', methods: [method('look', 'reader'), method('act')] }] };
`;

const DRIVERS = `drivers: [${EXAMPLE_DRIVER}, ./open.mjs]`;

/** The role that each method declares, by driver; those of nodes and of the driver alike. */
const DECLARED: Record<string, Record<string, string>> = {
  redfish: {
    create_subscription: 'operator',
    delete_subscription: 'operator',
    eject_vmedia: 'operator',
    get_all_subscriptions: 'operator',
    get_subscription: 'operator',
    get_vmedia: 'operator',
    insert_vmedia: 'operator',
    discover: 'admin',
  },
  idrac: {
    create_subscription: 'operator',
    delete_subscription: 'operator',
    eject_vmedia: 'operator',
    get_all_subscriptions: 'operator',
    get_subscription: 'operator',
    get_vmedia: 'operator',
    insert_vmedia: 'operator',
  },
  ipmi: { bmc_reset: 'operator', send_raw: 'admin' },
  'fake-hardware': {
    fourth_method_shared_lock: 'operator',
    log_passthrough: 'operator',
    second_method: 'operator',
    third_method_sync: 'operator',
  },
  'rack-pdu': { get_outlet: 'operator', load_report: 'operator', power_cycle: 'operator', list_outlets: 'admin' },
  open: { act: 'operator', look: 'reader' },
};

function start(rules: string): Promise<RoleService> {
  const roles = 'roles: { rita: reader, otto: operator, anna: admin }';
  return startRoleService(
    `${DRIVERS}\nauth: { type: http_basic, http_basic_auth_user_file: users, ${roles}, rules: [${rules}] }`,
    { users: htpasswd('rita', 'otto', 'anna'), 'open.mjs': OPEN_DRIVER },
  );
}

const services: RoleService[] = [];
let declared: RoleService;
let ruled: RoleService;
beforeAll(async () => {
  declared = await start('');
  ruled = await start(
    '{ driver: ipmi, role: operator }, { method: discover, role: reader }, { driver: redfish, method: eject_vmedia, role: admin }',
  );
  services.push(declared, ruled);
  for (const { core } of services) {
    for (const driver of Object.keys(DECLARED)) {
      await core.nodes.create({ name: `a-${driver}`, driver }, { name: 'test', role: 'admin' });
    }
  }
});
afterAll(async () => {
  for (const service of services) await service[Symbol.asyncDispose]();
});

function clientOf({ url }: RoleService, user: string) {
  const { authorization } = basic(user).headers!;
  return createClient(
    PassthruService,
    createGrpcTransport({
      baseUrl: url,
      interceptors: [
        (next) => (request) => {
          request.header.set('authorization', authorization!);
          return next(request);
        },
      ],
    }),
  );
}

/** Returns the role of each method that a driver and its nodes list over gRPC. */
async function listedRoles(service: RoleService, driver: string): Promise<Record<string, string>> {
  const client = clientOf(service, 'rita');
  const { methods: ofNodes } = await client.listNodeMethods({ node: `a-${driver}` });
  const { methods: ofDriver } = await client.listDriverMethods({ driver });
  return Object.fromEntries([...ofNodes, ...ofDriver].map(({ name, role }) => [name, role]));
}

describe('the role of a method', () => {
  test.each(Object.keys(DECLARED))('is listed as its driver declares it: %s', async (driver) => {
    expect(declared.core.drivers.list().map(({ name }) => name)).toEqual(Object.keys(DECLARED).sort());
    expect(await listedRoles(declared, driver)).toEqual(DECLARED[driver]);
  });

  test('is listed as the rules have it, which lower and raise it', async () => {
    expect(await listedRoles(ruled, 'ipmi')).toEqual({ bmc_reset: 'operator', send_raw: 'operator' });
    expect(await listedRoles(ruled, 'redfish')).toEqual({
      ...DECLARED.redfish,
      discover: 'reader',
      eject_vmedia: 'admin',
    });
    expect(await listedRoles(ruled, 'idrac')).toEqual(DECLARED.idrac);
  });

  test("is no key of Ironic's lists of methods, but in the OpenAPI document", async () => {
    using requests = new Requests(ruled.url, basic('rita'));
    for (const path of ['nodes/a-ipmi', 'drivers/redfish']) {
      const { text } = await requests.rest('GET', `/v1/${path}/vendor_passthru/methods`);
      for (const method of Object.values<object>(JSON.parse(text))) {
        const keys = ['http_methods', 'async', 'description', 'attach', 'require_exclusive_lock'];
        expect(Object.keys(method)).toEqual(keys);
      }
    }
    const { paths } = JSON.parse((await requests.rest('GET', '/openapi.json')).text);
    const description = (path: string) => paths[path].post.description;
    expect(description('/v1/nodes/{ident}/vendor_passthru/eject_vmedia')).toBe(
      'Requires the role operator (idrac), admin (redfish).',
    );
    expect(description('/v1/nodes/{ident}/vendor_passthru/bmc_reset')).toBe('Requires the role operator.');
    expect(description('/v1/drivers/redfish/vendor_passthru/discover')).toBe('Requires the role reader.');
    expect(description('/v1/nodes')).toBe('Requires the role admin.');
  });

  test('that a driver declares as reader lets readers call that method and no other', async () => {
    const rita = clientOf(declared, 'rita');
    expect((await rita.callNodeMethod({ node: 'a-open', method: 'look' })).outcome.value).toMatchObject({
      kind: { value: 'look' },
    });
    const refused = await rita.callNodeMethod({ node: 'a-open', method: 'act' }).catch((error) => error);
    expect(ConnectError.from(refused)).toMatchObject({ code: Code.PermissionDenied });
    expect(refused.rawMessage).toBe('Role operator is required to call open.act; rita has role reader.');
  });
});

test('a start with a driver whose method has an unknown role ends with the module, the method and the roles', async () => {
  const misspelt = OPEN_DRIVER.replace("'reader'", "'Admin'");
  await expect(startRoleService('drivers: [./typo.mjs]', { 'typo.mjs': misspelt })).rejects.toThrow(
    /^driver module \S*typo\.mjs: method look: role must be one of reader, operator, admin, not "Admin"$/,
  );
});
