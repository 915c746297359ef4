import { create, type MessageInitShape, toBinary } from '@bufbuild/protobuf';

import { describe, expect, test } from 'vitest';
import { GetJobRequestSchema, ListJobsRequestSchema, WatchJobsRequestSchema } from '../../gen/passthru/v1/job_pb.ts';
import {
  CallDriverMethodRequestSchema,
  CallNodeMethodRequestSchema,
  WatchJobRequestSchema,
} from '../../gen/passthru/v1/passthru_pb.ts';
import { ANONYMOUS } from '../../src/core/caller.ts';
import type { Core } from '../../src/core/core.ts';
import { isTerminal } from '../../src/core/job.ts';
import { type Callers, seenOverRest, seenOverRpc } from './everyRoute.ts';
import { PROTOCOLS, Requests } from './requests.ts';
import { EXAMPLE_DRIVER, type RoleService, startRoleService } from './roleService.ts';
import { expectedFor, METHOD_RULES, requirementOf, roleOfMethod, WHO, type Who } from './roleTable.ts';

/** A driver whose methods declare each role, or none; each is a job that tells a secret. */
const TOLD_DRIVER = `
import { setTimeout } from 'node:timers/promises';
import { defineMethod, z } from '${new URL('../../src/driver.ts', import.meta.url).pathname}';
const method = (name, role) => defineMethod({ name, role, httpMethods: ['POST'], description: name, async: true,
  arguments: z.object({ runs: z.literal(true) }), result: z.any(),
  async handler(task) {
    task.progress(0.5, 'SECRET progress');
    await setTimeout(300, undefined, { signal: task.signal });
    return { told: 'SECRET result' };
  } });
const methods = [method('for_readers', 'reader'), method('for_operators', 'operator'), method('for_admins', 'admin'),
  method('for_whom_it_concerns')];
export default { name: 'told', vendorInterfaces: [{ name: 'told', methods }], properties: {} };
`;

/** The methods of that driver whose jobs are read, each of a node of its own. */
const TOLD = ['for_readers', 'for_operators', 'for_admins'];
const nodeOf = (method: string) => `told-${method}`;

/** A running service of one authentication type, as of `startMethodService`. */
export interface MethodService {
  service: RoleService;
  ca?: string;
  callers: Callers;
}

/**
 * Starts a service with all drivers, a node of each, and ended jobs.
 * @param auth returns the groups `auth` and `tls` in YAML, with rules in the first
 */
export async function startMethodService(
  auth: (rules: string) => string,
  files: Readonly<Record<string, string>> = {},
): Promise<RoleService> {
  const config = `drivers: [${EXAMPLE_DRIVER}, ./told.mjs]\n${auth(`rules: ${METHOD_RULES}`)}`;
  const service = await startRoleService(config, { ...files, 'told.mjs': TOLD_DRIVER });
  for (const { name } of service.core.drivers.list()) {
    // Without driver_info most are not usable: an allowed call ends before it reaches a machine.
    await service.core.nodes.create({ name: `a-${name}`, driver: name }, ANONYMOUS);
  }
  for (const method of TOLD) await service.core.nodes.create({ name: nodeOf(method), driver: 'told' }, ANONYMOUS);
  return service;
}

/** A method of a driver, called on a node or on the driver itself. */
interface Target {
  driver: string;
  method: string;
  verb: string;
  /** The path above `vendor_passthru`. */
  path: string;
  rpc: string;
  message: Buffer;
}

/** The requests of `/v1/nodes/N/vmedia`, each a call of a method. */
const VMEDIA: Readonly<Record<string, { verb: string; body?: object }>> = {
  get_vmedia: { verb: 'GET' },
  insert_vmedia: { verb: 'POST', body: { device_type: 'cdrom', image_url: 'http://192.0.2.1/a.iso' } },
  eject_vmedia: { verb: 'DELETE' },
};

function targetsOf(core: Core): Target[] {
  return core.drivers.list().flatMap(({ name: driver }) => {
    const { ofNodes, ofDriver } = core.drivers.methods(driver);
    const node = `a-${driver}`;
    const bytes = (of: 'node' | 'driver', method: string, httpMethod: string) =>
      of === 'node'
        ? toBinary(CallNodeMethodRequestSchema, create(CallNodeMethodRequestSchema, { node, method, httpMethod }))
        : toBinary(
            CallDriverMethodRequestSchema,
            create(CallDriverMethodRequestSchema, { driver, method, httpMethod }),
          );
    const target = (of: 'node' | 'driver', { name, httpMethods }: (typeof ofNodes)[number]): Target => ({
      driver,
      method: name,
      verb: httpMethods[0]!,
      path: of === 'node' ? `/v1/nodes/${node}` : `/v1/drivers/${driver}`,
      rpc: `passthru.v1.PassthruService/Call${of === 'node' ? 'Node' : 'Driver'}Method`,
      message: Buffer.from(bytes(of, name, httpMethods[0]!)),
    });
    return [...ofNodes.map((method) => target('node', method)), ...ofDriver.map((method) => target('driver', method))];
  });
}

/** Declares the tests of every method in every way, as each caller. */
export function testEveryMethod(type: string, given: () => MethodService): void {
  describe(`${type}: every method admits the roles of the table, in every way in`, () => {
    test.each(WHO)('%s', async (who) => {
      const { service, ca, callers } = given();
      using requests = new Requests(service.url, who === 'anonymous' ? {} : callers[who], ca);
      const seen: Record<string, string> = {};
      const expected: Record<string, string> = {};
      for (const { driver, method, verb, path, rpc, message } of targetsOf(service.core)) {
        const name = `${driver}.${method}`;
        const byPath = await requests.rest(verb, `${path}/vendor_passthru/${method}`);
        const byQuery = await requests.rest(verb, `${path}/vendor_passthru?method=${method}`);
        seen[`${name} by path`] = seenOverRest(byPath.status);
        seen[`${name} by query`] = seenOverRest(byQuery.status);
        const ways = ['by path', 'by query', ...PROTOCOLS.map((protocol) => `over ${protocol}`)];
        const vmedia = VMEDIA[method];
        if (vmedia !== undefined) {
          const byRoute = await requests.rest(vmedia.verb, `${path}/vmedia`, vmedia.body);
          // The route exists, or a refusal would prove nothing.
          expect([404, 405], `${name} by its route`).not.toContain(byRoute.status);
          seen[`${name} by its route`] = seenOverRest(byRoute.status);
          ways.push('by its route');
        }
        for (const protocol of PROTOCOLS) {
          seen[`${name} over ${protocol}`] = seenOverRpc(await requests.rpc(protocol, rpc, false, message));
        }
        for (const way of ways) expected[`${name} ${way}`] = expectedFor(type, who, roleOfMethod(driver, method));
        // Connect's GET is for RPCs without side effects: no call may be sent that way.
        const query = `connect=v1&encoding=proto&base64=1&message=${message.toString('base64url')}`;
        const { status } = await requests.rest('GET', `/${rpc}?${query}`);
        expect([401, 403, 404, 405, 415], `${name} over Connect by GET`).toContain(status);
      }
      expect(seen).toEqual(expected);
    });
  });

  describe(`${type}: a job shows what its method returned to the roles of the table`, () => {
    test.each(WHO)('%s', async (who) => {
      const { service, ca, callers } = given();
      using requests = new Requests(service.url, who === 'anonymous' ? {} : callers[who], ca);
      for (const method of TOLD) {
        const id = await endedJob(service.core, method);
        const seen = await readJob(requests, id, nodeOf(method));
        const ways = Object.keys(seen);
        const expected = Object.fromEntries(ways.map((way) => [way, expectedText(type, who, method, way)]));
        expect(seen, method).toEqual(expected);
      }
    });
  });
}

const jobs = new WeakMap<Core, Map<string, Promise<string>>>();

/** Returns the id of an ended job of `method`, which another caller started. */
function endedJob(core: Core, method: string): Promise<string> {
  const known = jobs.get(core) ?? new Map<string, Promise<string>>();
  jobs.set(core, known);
  const id = known.get(method) ?? runJob(core, method);
  known.set(method, id);
  return id;
}

async function runJob(core: Core, method: string): Promise<string> {
  const { signal } = new AbortController();
  const outcome = await core.callNodeMethod({
    node: nodeOf(method),
    method,
    arguments: { runs: true },
    httpMethod: 'POST',
    idempotencyKey: null,
    lockWait: null,
    caller: { name: 'somebody else', role: 'admin' },
    signal,
    deadline: null,
  });
  if (outcome.kind !== 'job') throw new Error(`${method} returned ${outcome.kind}`);
  for await (const job of core.jobs.watch(outcome.job.id, null, ANONYMOUS, signal)) if (isTerminal(job)) break;
  return outcome.job.id;
}

const WATCH_OF_MANY = 'passthru.v1.JobService/WatchJobs';

/** Reads a job in every way and returns what each shows: `whole`, `without secrets`, or why it shows nothing. */
async function readJob(requests: Requests, id: string, node: string): Promise<Record<string, string>> {
  const seen: Record<string, string> = {};
  const rest = async (way: string, verb: string, path: string) => {
    const { status, text } = await requests.rest(verb, path);
    seen[way] = status === 200 && text.includes(id) ? contentOf(text) : seenOverRest(status);
  };
  await rest('GET /v1/jobs/ID', 'GET', `/v1/jobs/${id}`);
  await rest('GET /v1/jobs', 'GET', `/v1/jobs?node=${node}`);
  await rest('GET /v1/jobs/ID/events', 'GET', `/v1/jobs/${id}/events?after_revision=0`);
  await rest('DELETE /v1/jobs/ID', 'DELETE', `/v1/jobs/${id}`);

  const rpcs: [name: string, isStream: boolean, message: Uint8Array][] = [
    ['passthru.v1.JobService/GetJob', false, bytes(GetJobRequestSchema, { jobId: id })],
    ['passthru.v1.JobService/ListJobs', false, bytes(ListJobsRequestSchema, { node })],
    ['passthru.v1.PassthruService/WatchJob', true, bytes(WatchJobRequestSchema, { jobId: id, afterRevision: 0n })],
    [WATCH_OF_MANY, true, bytes(WatchJobsRequestSchema, { nodes: [node] })],
    // The message is the same.
    ['passthru.v1.JobService/CancelJob', false, bytes(GetJobRequestSchema, { jobId: id })],
  ];
  for (const [name, isStream, message] of rpcs) {
    for (const protocol of PROTOCOLS) {
      // A watch of many does not end: its first message is the job.
      const toEnd = name !== WATCH_OF_MANY;
      const { code, body } = await requests.rpcResponse(protocol, name, isStream, Buffer.from(message), toEnd);
      const text = body.toString();
      seen[`${name} over ${protocol}`] = code === null && text.includes(id) ? contentOf(text) : seenOverRpc(code);
    }
  }
  return seen;
}

function contentOf(text: string): string {
  return text.includes('SECRET') ? 'whole' : 'without secrets';
}

function bytes<S extends Parameters<typeof create>[0]>(schema: S, message: MessageInitShape<S>): Uint8Array {
  return toBinary(schema, create(schema, message));
}

function expectedText(type: string, who: Who, method: string, way: string): string {
  const [verb, path] = way.startsWith('passthru.') ? ['RPC', way.replace(/ over .*/, '')] : way.split(' ');
  const route = expectedFor(type, who, requirementOf(type, verb!, path!.replace('ID', ':id')));
  if (route !== 'allowed') return route;
  // Only an admin may cancel what others started.
  if (/DELETE|CancelJob/.test(way)) return expectedFor(type, who, 'admin') === 'allowed' ? 'whole' : 'forbidden';
  return expectedFor(type, who, roleOfMethod('told', method)) === 'allowed' ? 'whole' : 'without secrets';
}
