import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import type { Fleet, SimulatedBmc } from '../../src/sim/index.ts';
import { loadCapture, startFleet } from '../../src/sim/index.ts';
import { call, SESSIONS } from './client.ts';

const link = (path: string) => ({ '@odata.id': path });
const SYSTEMS = '/redfish/v1/Systems';
const DOCUMENTS = {
  '/redfish/v1': { '@odata.id': '/redfish/v1', Systems: link(SYSTEMS), Links: { Sessions: link(SESSIONS) } },
  [SYSTEMS]: { '@odata.id': SYSTEMS, Members: ['1', '2', '3'].map((id) => link(`${SYSTEMS}/${id}`)) },
  '/redfish/v1/EventService': {
    '@odata.id': '/redfish/v1/EventService',
    '@odata.type': '#EventService.v1_7_0.EventService',
  },
};

let folder: string;
let fleet: Fleet | undefined;
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'capture-'));
});
afterEach(async () => {
  await fleet?.close();
  fleet = undefined;
  await rm(folder, { recursive: true });
});

async function save(facts: object): Promise<string> {
  const file = join(folder, 'capture.json');
  await writeFile(file, JSON.stringify({ '@passthru.capture': { version: 1, ...facts }, ...DOCUMENTS }));
  return file;
}

async function serve(facts: object): Promise<SimulatedBmc> {
  fleet = await startFleet({ profile: await loadCapture(await save(facts)) });
  return fleet.bmcs[0]!;
}

describe('a capture with recorded responses', () => {
  test('responds as recorded, with status, headers and body', async () => {
    const bmc = await serve({
      responses: {
        '/redfish/v1/Managers/': { status: 403, headers: { 'Retry-After': '7' }, body: { error: { code: 'x' } } },
        '/redfish/v1/Chassis': { status: 500, headers: { 'Content-Type': 'text/html' }, body: '<h1>Oops</h1>' },
        '/redfish/v1/Tasks': { status: 503 },
      },
    });
    const managers = await call(bmc, 'GET', '/redfish/v1/Managers');
    expect([managers.status, managers.headers.get('Retry-After'), managers.json]).toEqual([
      403,
      '7',
      { error: { code: 'x' } },
    ]);
    const chassis = await call(bmc, 'GET', '/redfish/v1/Chassis');
    expect([chassis.status, chassis.headers.get('Content-Type'), chassis.text]).toEqual([
      500,
      'text/html',
      '<h1>Oops</h1>',
    ]);
    expect(await call(bmc, 'GET', '/redfish/v1/Tasks')).toMatchObject({ status: 503, text: '' });
    // Credentials are required first.
    expect((await call(bmc, 'GET', '/redfish/v1/Managers', { auth: 'none' })).status).toBe(401);
  });

  test('shows strangers what it was recorded to show', async () => {
    const bmc = await serve({
      anonymous: { '/redfish/v1': { status: 200, body: { Name: 'poor' } }, [SYSTEMS]: { status: 200 } },
    });
    expect((await call(bmc, 'GET', '/redfish/v1/', { auth: 'none' })).json).toEqual({ Name: 'poor' });
    expect((await call(bmc, 'GET', '/redfish/v1/')).json).toEqual(DOCUMENTS['/redfish/v1']);
    expect((await call(bmc, 'GET', SYSTEMS, { auth: 'none' })).json.Members).toHaveLength(3);
  });

  test('sends pages, and no links that were not there', async () => {
    const bmc = await serve({ pages: { [SYSTEMS]: 2 } });
    const first = (await call(bmc, 'GET', SYSTEMS)).json;
    expect(first.Members).toHaveLength(2);
    const last = (await call(bmc, 'GET', first['Members@odata.nextLink'])).json;
    expect(last).toMatchObject({ Members: [link(`${SYSTEMS}/3`)] });
    expect(last).not.toHaveProperty('Members@odata.nextLink');
    expect((await call(bmc, 'GET', '/redfish/v1')).json).not.toHaveProperty('EventService');
  });

  test('refuses the login that was refused, and needs no credentials where none were needed', async () => {
    const bmc = await serve({ login: { kind: 'basic', path: SESSIONS, status: 403 } });
    const body = { UserName: 'u', Password: 'p' };
    expect((await call(bmc, 'POST', SESSIONS, { auth: 'none', body })).status).toBe(403);
    expect((await call(bmc, 'GET', SYSTEMS)).status).toBe(200);
    await fleet!.close();
    expect((await call(await serve({ open: true }), 'GET', SYSTEMS, { auth: 'none' })).status).toBe(200);
  });

  test('sends the recorded headers of all documents', async () => {
    const bmc = await serve({ headers: { ETag: null }, quirks: ['redirect-to-slash'] });
    expect((await call(bmc, 'GET', SYSTEMS)).headers.has('ETag')).toBe(false);
    const redirected = await fetch(`${bmc.url}/redfish/v1`, { redirect: 'manual' });
    expect(redirected.headers.get('Location')).toBe('/redfish/v1/');
  });
});

describe('a capture with invalid recorded responses is refused with the reason', () => {
  test.each([
    [{ version: 2 }, /version 2 is not 1/],
    [{ quirks: ['no-such'] }, /there is no quirk no-such/],
    [{ quirks: 'pages' }, /quirks: not names/],
    [{ responses: { '/a/../b': {} } }, /responses: \/a\/\.\.\/b is not a path/],
    [{ responses: { '/redfish/v1/X': { status: 99 } } }, /is not a response/],
    [{ responses: { '/redfish/v1/X': { headers: { 'A: b': 'c' } } } }, /is not a response/],
    [{ responses: { '/redfish/v1/X': { headers: { A: 'b\r\nC: d' } } } }, /is not a response/],
    [{ responses: { '/redfish/v1/X': { body: [1] } } }, /is not a response/],
    [{ anonymous: [] }, /anonymous: not an object by path/],
    [{ pages: { '/redfish/v1/X': 0 } }, /not a number of members/],
    [{ twins: [['/a']] }, /twins: not pairs of paths/],
    [{ headers: { ETag: 1 } }, /headers: not texts by name/],
    [{ login: { status: 401 } }, /a refusal needs path and status/],
  ])('%j', async (facts, reason) => {
    const error = await loadCapture(await save(facts)).catch((caught: unknown) => caught);
    expect(error).toMatchObject({ kind: 'invalid_argument', message: expect.stringMatching(reason) });
  });
});
