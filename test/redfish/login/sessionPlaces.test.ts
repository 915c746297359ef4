import { afterEach, expect, test } from 'vitest';
import { createRedfishClients } from '../../../src/redfish/index.ts';
import { type ScriptedBmc, startScriptedBmc } from '../scriptedBmc.ts';
import { forever, target } from '../target.ts';

let bmc: ScriptedBmc | null = null;

afterEach(async () => {
  await bmc?.close();
  bmc = null;
});

const SESSIONS = '/redfish/v1/SessionService/Sessions';

/** Opens and closes a session with this response, and returns the paths that were deleted. */
async function deleted(
  headers: Record<string, string>,
  body: object,
  session = `${SESSIONS}/abc`,
  sessions = SESSIONS,
) {
  const clients = createRedfishClients();
  const scripted = await startScriptedBmc(({ method, path }) => {
    if (path === '/redfish/v1/') return { status: 200, body: { Links: { Sessions: { '@odata.id': sessions } } } };
    if (method === 'POST') return { status: 201, headers: { 'X-Auth-Token': 't', ...headers }, body };
    if (method === 'DELETE') return { status: path === session ? 204 : 404 };
    return { status: 200, body: {} };
  });
  bmc = scripted;
  await clients.for(target(scripted.url), { signal: forever }).get('/a');
  await clients.close();
  return scripted.requests.filter(({ method }) => method === 'DELETE').map(({ path }) => path);
}

test.each([
  ['is relative to the path of the request', { Location: 'Sessions/abc' }, {}],
  ['is relative to the collection', { Location: 'abc' }, {}],
  ['begins with a dot', { Location: './Sessions/abc' }, {}],
  ['is a full URL of another host', { Location: `https://10.0.0.1${SESSIONS}/abc` }, {}],
  ['names the collection, beside a body', { Location: SESSIONS }, { '@odata.id': `${SESSIONS}/abc`, Id: 'abc' }],
  ['names the collection with a slash', { Location: `${SESSIONS}/` }, { '@odata.id': `${SESSIONS}/abc` }],
  ['names the collection, beside an Id alone', { Location: SESSIONS }, { Id: 'abc' }],
  ['names the service', { Location: '/redfish/v1/SessionService' }, { '@odata.id': `${SESSIONS}/abc` }],
  [
    'names the collection as a full URL',
    { Location: `https://10.0.0.1${SESSIONS}` },
    { '@odata.id': `${SESSIONS}/abc` },
  ],
  ['is empty', { Location: '' }, { '@odata.id': `${SESSIONS}/abc` }],
  ['is missing', {}, { '@odata.id': `${SESSIONS}/abc` }],
  ['is missing beside an Id alone', {}, { Id: 'abc' }],
])('the session is deleted once at its own path when the Location %s', async (_, headers, body) => {
  expect(await deleted(headers as Record<string, string>, body)).toEqual([`${SESSIONS}/abc`]);
});

test.each([
  ['Location names the collection', { Location: SESSIONS }],
  ['Location names the service root', { Location: '/redfish/v1/' }],
  ['nothing tells the path', {}],
])('nothing is deleted when %s and the body is empty', async (_, headers) => {
  expect(await deleted(headers as Record<string, string>, {})).toEqual([]);
});

test('a session outside of the collection is deleted where the Location is', async () => {
  expect(await deleted({ Location: '/redfish/v1/Sessions/abc' }, {}, '/redfish/v1/Sessions/abc')).toEqual([
    '/redfish/v1/Sessions/abc',
  ]);
});

test('a session whose Location has the path of a proxy is deleted in the collection', async () => {
  expect(await deleted({ Location: `/node7${SESSIONS}/abc` }, {})).toEqual([
    `/node7${SESSIONS}/abc`,
    `${SESSIONS}/abc`,
  ]);
});

test('a relative Location is resolved where the collection ends in a slash', async () => {
  expect(await deleted({ Location: 'abc' }, {}, `${SESSIONS}/abc`, `${SESSIONS}/`)).toEqual([`${SESSIONS}/abc`]);
});
