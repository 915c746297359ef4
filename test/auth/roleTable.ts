import { ROLES, type Role } from '../../src/core/caller.ts';

/** What a route or RPC requires: nothing, or at least a role. */
export type Requirement = 'open' | Role;

/**
 * What each route requires. A verb of a route without a row fails the test. `ALL` stands for every verb; a row of a path
 * stands for what is below it (`/*`) too.
 */
const ROUTE_ROWS = `
  open      GET,HEAD    /
  open      GET,HEAD    /healthz
  open      GET,HEAD    /v1
  reader    GET,HEAD    /metrics
  reader    GET,HEAD    /openapi.json

  reader    GET,HEAD    /v1/nodes
  admin     POST        /v1/nodes
  reader    GET,HEAD    /v1/nodes/detail
  reader    GET         /v1/nodes/events
  reader    GET,HEAD    /v1/nodes/:ident
  admin     PATCH       /v1/nodes/:ident
  admin     DELETE      /v1/nodes/:ident
  admin     PUT,DELETE  /v1/nodes/:ident/maintenance
  reader    GET,HEAD    /v1/nodes/:ident/reservation
  operator  PUT,PATCH,DELETE /v1/nodes/:ident/reservation
  reader    GET,HEAD    /v1/nodes/:ident/event_source
  operator  PUT,DELETE  /v1/nodes/:ident/event_source
  operator  POST        /v1/nodes/:ident/event_source/test
  reader    GET,HEAD    /v1/nodes/:ident/validate
  reader    GET,HEAD    /v1/nodes/:ident/vendor_passthru/methods
  operator  GET,POST,DELETE /v1/nodes/:ident/vmedia
  operator  ALL         /v1/nodes/:ident/vendor_passthru
  operator  ALL         /v1/nodes/:ident/vendor_passthru/:method

  reader    GET,HEAD    /v1/drivers
  reader    GET,HEAD    /v1/drivers/:driver
  reader    GET,HEAD    /v1/drivers/:driver/properties
  reader    GET,HEAD    /v1/drivers/:driver/vendor_passthru/methods
  operator  ALL         /v1/drivers/:driver/vendor_passthru
  operator  ALL         /v1/drivers/:driver/vendor_passthru/:method

  reader    GET,HEAD    /v1/shards
  reader    GET,HEAD    /v1/conductors
  reader    GET,HEAD    /v1/conductors/:host

  reader    GET,HEAD    /v1/event_sources

  reader    GET,HEAD    /v1/jobs
  reader    GET         /v1/jobs/events
  reader    GET,HEAD    /v1/jobs/:id
  operator  DELETE      /v1/jobs/:id
  reader    GET         /v1/jobs/:id/events
  operator  GET,HEAD    /v1/jobs/:id/transcript

  reader    ALL         /v1/allocations
  reader    ALL         /v1/chassis
  reader    ALL         /v1/continue_inspection
  reader    ALL         /v1/deploy_templates
  reader    ALL         /v1/events
  reader    GET         /v1/events/stream
  reader    ALL         /v1/heartbeat
  reader    ALL         /v1/inspection_rules
  reader    ALL         /v1/lookup
  reader    ALL         /v1/portgroups
  reader    ALL         /v1/ports
  reader    ALL         /v1/runbooks
  reader    ALL         /v1/volume
  reader    ALL         /v1/nodes/:ident/allocation
  reader    ALL         /v1/nodes/:ident/bios
  reader    ALL         /v1/nodes/:ident/children
  reader    ALL         /v1/nodes/:ident/firmware
  reader    ALL         /v1/nodes/:ident/history
  reader    ALL         /v1/nodes/:ident/inventory
  reader    ALL         /v1/nodes/:ident/management
  reader    ALL         /v1/nodes/:ident/portgroups
  reader    ALL         /v1/nodes/:ident/ports
  reader    ALL         /v1/nodes/:ident/states
  reader    ALL         /v1/nodes/:ident/states/raid
  reader    ALL         /v1/nodes/management
  reader    ALL         /v1/nodes/states
  reader    ALL         /v1/nodes/:ident/traits
  reader    ALL         /v1/nodes/:ident/vifs
  reader    ALL         /v1/nodes/:ident/volume
  reader    ALL         /v1/drivers/:driver/raid
`;

/** What each RPC requires. One without a row fails the test. */
const RPC_ROWS = `
  reader    passthru.v1.PassthruService/ListNodeMethods
  operator  passthru.v1.PassthruService/CallNodeMethod
  reader    passthru.v1.PassthruService/ListDriverMethods
  operator  passthru.v1.PassthruService/CallDriverMethod
  reader    passthru.v1.PassthruService/WatchJob

  admin     passthru.v1.NodeService/CreateNode
  reader    passthru.v1.NodeService/GetNode
  reader    passthru.v1.NodeService/ListNodes
  admin     passthru.v1.NodeService/UpdateNode
  admin     passthru.v1.NodeService/DeleteNode
  operator  passthru.v1.NodeService/LockNode
  operator  passthru.v1.NodeService/RenewLock
  operator  passthru.v1.NodeService/UnlockNode
  reader    passthru.v1.NodeService/WatchNodes

  reader    passthru.v1.DriverService/ListDrivers
  reader    passthru.v1.DriverService/GetDriver

  reader    passthru.v1.JobService/GetJob
  reader    passthru.v1.JobService/ListJobs
  operator  passthru.v1.JobService/CancelJob
  operator  passthru.v1.JobService/GetTranscript
  reader    passthru.v1.JobService/WatchJobs

  reader    passthru.v1.EventService/ListEvents
  reader    passthru.v1.EventService/WatchEvents
  operator  passthru.v1.EventService/SetEventSource
  reader    passthru.v1.EventService/GetEventSource
  reader    passthru.v1.EventService/ListEventSources
  operator  passthru.v1.EventService/DeleteEventSource
  operator  passthru.v1.EventService/TestEventSource

  reader    passthru.v1.InfoService/GetCaller
  reader    passthru.v1.InfoService/GetActivity

  open      grpc.health.v1.Health/Check
  open      grpc.health.v1.Health/List
  open      grpc.health.v1.Health/Watch
  reader    grpc.reflection.v1.ServerReflection/ServerReflectionInfo
  reader    grpc.reflection.v1alpha.ServerReflection/ServerReflectionInfo
`;

/** What Ironic's default policies keep from readers, with Keystone: vendor passthru, whose lists count, and validation. */
const KEYSTONE_ROWS = `
  operator  GET,HEAD    /v1/nodes/:ident/validate
  operator  GET,HEAD    /v1/nodes/:ident/vendor_passthru/methods
  operator  GET,HEAD    /v1/drivers/:driver/vendor_passthru/methods
  operator  RPC         passthru.v1.PassthruService/ListNodeMethods
  operator  RPC         passthru.v1.PassthruService/ListDriverMethods
`;

/**
 * What each method requires in the services of the test. Their rules (`METHOD_RULES`) give all of redfish to readers, all of
 * idrac to operators and all of fake-hardware to admins; the others are as their drivers declare them.
 */
const METHOD_ROWS = `
  reader    redfish        create_subscription
  reader    redfish        delete_subscription
  reader    redfish        eject_vmedia
  reader    redfish        get_all_subscriptions
  reader    redfish        get_subscription
  reader    redfish        get_vmedia
  reader    redfish        insert_vmedia
  reader    redfish        discover

  operator  idrac          create_subscription
  operator  idrac          delete_subscription
  operator  idrac          eject_vmedia
  operator  idrac          get_all_subscriptions
  operator  idrac          get_subscription
  operator  idrac          get_vmedia
  operator  idrac          insert_vmedia

  admin     fake-hardware  second_method
  admin     fake-hardware  third_method_sync
  admin     fake-hardware  fourth_method_shared_lock
  admin     fake-hardware  log_passthrough

  admin     ipmi           send_raw
  operator  ipmi           bmc_reset

  operator  rack-pdu       get_outlet
  operator  rack-pdu       load_report
  operator  rack-pdu       power_cycle
  admin     rack-pdu       list_outlets

  reader    told           for_readers
  operator  told           for_operators
  operator  told           for_whom_it_concerns
  admin     told           for_admins
`;

/** `auth.rules` of the services in which `METHOD_ROWS` holds. */
export const METHOD_RULES =
  '[{ driver: redfish, role: reader }, { driver: idrac, role: operator }, { driver: fake-hardware, role: admin }]';

function rows(text: string): string[][] {
  return text.split('\n').flatMap((line) => (line.trim() === '' ? [] : [line.trim().split(/\s+/)]));
}

function byVerb(text: string): Map<string, Requirement> {
  const verbs = ['GET', 'HEAD', 'POST', 'PUT', 'PATCH', 'DELETE'];
  return new Map(
    rows(text).flatMap(([role, given = '', path]) =>
      (given === 'ALL' ? verbs : given.split(',')).map((verb) => [`${verb} ${path}`, role as Requirement] as const),
    ),
  );
}

const routes = byVerb(ROUTE_ROWS);
const rpcs = new Map(rows(RPC_ROWS).map(([role, name]) => [`RPC ${name}`, role as Requirement]));
const keystone = byVerb(KEYSTONE_ROWS);
const methods = new Map(rows(METHOD_ROWS).map(([role, driver, name]) => [`${driver} ${name}`, role as Role]));

/** Returns what `verb` on `path` (or `RPC` and its name) requires with `type`. Throws without a row. */
export function requirementOf(type: string, verb: string, path: string): Requirement {
  const key = `${verb} ${path.replace(/(?<=.)\/\*$/, '')}`;
  const found = (type === 'keystone' ? keystone.get(key) : undefined) ?? routes.get(key) ?? rpcs.get(key);
  if (found === undefined) throw new Error(`add a row for ${key} to test/auth/roleTable.ts: who may use it?`);
  return found;
}

/** Returns the role that a method requires. Throws without a row. */
export function roleOfMethod(driver: string, name: string): Role {
  const found = methods.get(`${driver} ${name}`);
  if (found === undefined)
    throw new Error(`add a row for ${driver} ${name} to test/auth/roleTable.ts: who may call it?`);
  return found;
}

/** A caller: without credentials, with wrong ones, with good ones and no role, or with a role. */
export const WHO = ['anonymous', 'wrong', 'none', ...ROLES] as const;
export type Who = (typeof WHO)[number];

export type Seen = 'allowed' | 'forbidden' | 'refused';

/** Returns what happens to `who`: `refused` (401), `forbidden` (403) or `allowed`. */
export function expectedFor(type: string, who: Who, required: Requirement): Seen {
  // Without authentication everyone is the one anonymous admin.
  if (required === 'open' || type === 'none') return 'allowed';
  if (who === 'anonymous' || who === 'wrong') return 'refused';
  return who !== 'none' && ROLES.indexOf(who) >= ROLES.indexOf(required) ? 'allowed' : 'forbidden';
}
