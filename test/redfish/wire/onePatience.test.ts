import { afterEach, expect, test, vi } from 'vitest';
import {
  createRedfishClients,
  listSubscriptions,
  type RedfishClient,
  type RedfishClients,
} from '../../../src/redfish/index.ts';
import { patientFor } from '../../../src/redfish/resources/unreadable.ts';
import { type ScriptedBmc, type ScriptedResponse, startScriptedBmc } from '../scriptedBmc.ts';
import { failure, forever, target } from '../target.ts';

const ROOT = '/redfish/v1/';
const SESSIONS = '/redfish/v1/SessionService/Sessions';
let clients: RedfishClients = createRedfishClients();
let bmc: ScriptedBmc | null = null;

afterEach(async () => {
  await clients.close();
  await bmc?.close();
  bmc = null;
});

const notReady = { error: { '@Message.ExtendedInfo': [{ MessageId: 'IDRAC.2.8.SYS518', Message: 'Not ready.' }] } };
const lasting: [string, ScriptedResponse][] = [
  ['503 SYS518', { status: 503, body: notReady }],
  ['400 SYS518', { status: 400, body: notReady }],
  ['503 with Retry-After: 20', { status: 503, headers: { 'retry-after': '20' } }],
  ['500 with Retry-After: 9', { status: 500, headers: { 'retry-after': '9' } }],
  ['429', { status: 429 }],
];

/** Starts a BMC whose service root responds so, and counts the pauses of a call, in ms. */
async function start(root: () => ScriptedResponse, sessions = SESSIONS) {
  clients = createRedfishClients();
  bmc = await startScriptedBmc(({ method, path, headers }) => {
    if (path === ROOT) return root();
    if (method === 'POST' && path === sessions) return { status: 201, headers: { 'X-Auth-Token': 't' } };
    return headers['x-auth-token'] === undefined && headers.authorization === undefined
      ? { status: method === 'POST' ? 404 : 401 }
      : { status: 200, body: { '@odata.id': path, Members: [] } };
  });
  let waited = 0;
  const { limits } = target(bmc.url);
  const pause = async (ms: number) => {
    waited += ms;
  };
  const ofBmc = target(bmc.url, { limits: { ...limits, pause } });
  return { client: () => clients.for(ofBmc, { signal: forever }), waited: () => waited };
}

test.each(lasting)(
  'a call to a BMC whose service root lastingly returns %s waits for 30 s at most',
  async (_, root) => {
    const { client, waited } = await start(() => root);
    // The usual places need no service root.
    expect((await listSubscriptions(client())).members).toEqual([]);
    expect(waited()).toBeGreaterThan(1000);
    expect(waited()).toBeLessThanOrEqual(30_000);
  },
);

test('a session is opened later where its place was unknown, as the service root could not be read', async () => {
  let ready = false;
  const root = { Links: { Sessions: { '@odata.id': '/S' } } };
  const { client } = await start(() => (ready ? { status: 200, body: root } : { status: 503, body: notReady }), '/S');
  await client().get('/a');
  expect(bmc!.requests.at(-1)!.headers.authorization).toContain('Basic');
  ready = true;
  await client().get('/a');
  expect(bmc!.requests.at(-1)!.headers['x-auth-token']).toBe('t');
});

test('a request of a client with a time limit of its own ends within it', async () => {
  clients = createRedfishClients();
  bmc = await startScriptedBmc(({ path }) => (path === '/asleep' ? null : { status: 200, body: {} }));
  const account = { username: null, password: '', authType: 'auto' as const };
  const { limits } = target(bmc.url);
  const ofBmc = target(bmc.url, { account, limits: { ...limits, timeoutMs: 600_000 } });
  const client = clients.for(ofBmc, { signal: forever }).with({ timeoutMs: 50 });
  expect((await failure(client.get('/asleep'))).kind).toBe('timeout');
});

test('a part beside others is waited for and repeated for a few seconds only', () => {
  const client = { with: vi.fn() };
  patientFor(client as unknown as RedfishClient);
  const [{ patienceMs, timeoutMs }] = client.with.mock.calls[0] as [{ patienceMs: number; timeoutMs: number }];
  expect(patienceMs).toBeLessThanOrEqual(5000);
  expect(timeoutMs).toBeLessThanOrEqual(10_000);
});
