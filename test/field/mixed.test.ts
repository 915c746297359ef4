import { expect, test } from 'vitest';
import {
  type Answer,
  type Behaviour,
  CD,
  EJECT,
  fault,
  IMAGE,
  type Json,
  link,
  MANAGER,
  type MachineOptions,
  MEDIA,
  members,
  missing,
  ROOT,
  SESSIONS,
  SUBSCRIPTIONS,
  SYSTEM,
} from './machine.ts';
import { DESTINATION, open } from './operator.ts';

// Machines that show several kinds at once, as real ones do.

const html = (status: number): Answer => ({
  status,
  headers: { 'Content-Type': 'text/html' },
  body: `<html>${status}</html>`,
});

/** Asks each behaviour in turn. */
const all =
  (...behaviours: Behaviour[]): Behaviour =>
  async (request, the) => {
    for (const behave of behaviours) {
      const answer = await behave(request, the);
      if (answer !== undefined) return answer;
    }
    return undefined;
  };

const poorForStrangers: Behaviour = ({ path, auth }) =>
  path === ROOT && auth === 'none' ? { body: { Id: 'RootService' } } : undefined;

/** The session ends by itself after some requests, in the form of `end`. */
const shortSessions = (end: Answer): Behaviour => {
  let used = 0;
  return ({ auth }, the) => {
    if (auth === 'session' && ++used % 7 === 0) the.endSessions();
    return the.sessions.size === 0 && auth === 'session' ? end : auth === 'ended' ? end : undefined;
  };
};

const unreliable: Behaviour = ({ method, path, nth }) =>
  method === 'GET' && path !== ROOT && nth % 3 === 1 ? html(503) : undefined;

const withoutEventTypes: Behaviour = ({ method, path, json }) => {
  if (method !== 'POST' || path !== SUBSCRIPTIONS || json?.EventTypes === undefined) return undefined;
  return fault(400, 'Base.1.8.PropertyNotWritable', { MessageArgs: ['EventTypes'] });
};

const locationOfCollection: Behaviour = ({ method, path, json }, the) => {
  if (method !== 'POST' || path !== SUBSCRIPTIONS) return undefined;
  the.subscribe(json, { Destination: String(json.Destination).replace('10/', '10:443/') });
  return { status: 201, headers: { Location: `${SUBSCRIPTIONS}/` } };
};

const byPatch = (documents: Map<string, Json>) => void delete documents.get(CD)!.Actions;

const emptyEtag: Behaviour = ({ method, path, headers }, the) => {
  if (path !== CD) return undefined;
  if (method === 'GET') return { headers: { ETag: '' }, body: the.cd };
  return headers['if-match'] === undefined ? undefined : fault(412, 'Base.1.8.PreconditionFailed');
};

const expandedInPart: Behaviour = ({ method, path }) =>
  method === 'GET' && path === MEDIA
    ? { body: { Members: [{ ...link(CD), Id: 'CD1', Image: IMAGE }, {}, link('')] } }
    : undefined;

const slashes: Behaviour = (request, the) => {
  if (request.path.endsWith('/'))
    return request.path === ROOT
      ? undefined
      : the.answer({ ...request, path: request.path.slice(0, -1), headers: { ...request.headers, 'x-inner': '1' } });
  return request.headers['x-inner'] === undefined
    ? { status: 301, headers: { Location: `${request.path}/` } }
    : undefined;
};

const sleepingBaseboard = (documents: Map<string, Json>) => {
  documents.set('/redfish/v1/Managers', members('/redfish/v1/Managers/HGX', MANAGER));
  documents.get(SYSTEM)!.Links = { ManagedBy: [link('/redfish/v1/Managers/HGX'), link(MANAGER)] };
};
const asleep: Behaviour = ({ path }) =>
  path === '/redfish/v1/Managers/HGX' ? fault(503, 'Base.1.8.ServiceInUnknownState') : undefined;

const basicFrontEnd: Behaviour = ({ method, path }) =>
  method === 'POST' && path === SESSIONS
    ? {
        status: 401,
        headers: { 'WWW-Authenticate': 'Basic realm="front"', 'Content-Type': 'text/html' },
        body: '<html></html>',
      }
    : undefined;

const goneMonitor: Behaviour = ({ method, path }, the) => {
  if (path.startsWith('/redfish/v1/TaskService'))
    return path.endsWith('Tasks/7') ? { body: { Id: '7', TaskState: 'Completed' } } : missing();
  if (method !== 'POST' || path !== EJECT) return undefined;
  the.eject();
  return { status: 202, headers: { Location: '/redfish/v1/TaskService/TaskMonitors/7', 'Retry-After': '0' } };
};

const MACHINES: readonly (readonly [string, MachineOptions])[] = [
  [
    'a poor root, short sessions that end with 403, and no EventTypes',
    {
      behave: all(shortSessions(fault(403, 'Base.1.8.NoValidSession')), poorForStrangers, withoutEventTypes),
    },
  ],
  [
    'short sessions that end cut off, reads that fail, and a Location of the collection',
    {
      behave: all(
        shortSessions({ raw: 'HTTP/1.1 401 Unauthorized\r\nTransfer-Encoding: chunked\r\n\r\n' }),
        unreliable,
        locationOfCollection,
      ),
    },
  ],
  [
    'PATCH alone under an empty ETag, members in part, and a baseboard that sleeps',
    {
      edit: (documents) => {
        byPatch(documents);
        sleepingBaseboard(documents);
      },
      behave: all(asleep, emptyEtag, expandedInPart),
    },
  ],
  [
    'Basic alone, a poor root for strangers, and no EventTypes',
    { behave: all(basicFrontEnd, poorForStrangers, withoutEventTypes) },
  ],
  ['redirects to slashes and members in part', { behave: all(slashes, expandedInPart) }],
  [
    'a root without links, redirects to slashes, and tasks whose monitors are gone',
    {
      edit: (documents) => documents.set(ROOT, { Id: 'RootService' }),
      behave: all(slashes, goneMonitor),
    },
  ],
  [
    'bytes after each response, reads that fail, and short sessions',
    {
      behave: async (request, the) => {
        const inner = await all(shortSessions(html(401)), unreliable)(request, the);
        return { ...(inner ?? the.usual(request)), more: '\r\n\r\n<!-- rest -->' };
      },
    },
  ],
];

test.concurrent.for(MACHINES)('all methods work at a machine with %s', async ([, options], context) => {
  const { machine, node } = await open(context, options);
  const args = { Destination: DESTINATION, Context: 'mine', if_exists: 'return' };
  const ids: string[] = [];
  for (let i = 0; i < 3; i++) {
    const { status, json, told } = await node.call('create_subscription', args);
    expect({ status, told }).toEqual({ status: 200, told: '' });
    ids.push(json.Id);
  }
  expect(new Set(ids).size).toBe(1);
  expect([...machine.subscriptions.keys()]).toEqual(['first', ids[0]]);
  expect((await node.call('get_all_subscriptions')).json.Members).toHaveLength(2);
  expect((await node.call('get_subscription', { id: 'first' })).status).toBe(200);
  expect((await node.call('delete_subscription', { id: 'first' })).status).toBe(200);
  expect([...machine.subscriptions.keys()]).toEqual([ids[0]]);
  const job = await node.eject();
  expect(job).toMatchObject({ state: 'JOB_STATE_SUCCEEDED', told: '', outcomes: { CD1: 'ejected' } });
  expect(machine.cd.Inserted).toBe(false);
  expect(machine.sent('DELETE', /first\/?$/).filter(({ status }) => status < 300)).toHaveLength(1);
  expect((await node.call('get_subscription', { id: 'first' })).status).toBe(404);
});
