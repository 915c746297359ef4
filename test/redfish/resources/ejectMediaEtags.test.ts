import { afterEach, expect, test } from 'vitest';
import { createRedfishClients, ejectMedia, type RedfishClients } from '../../../src/redfish/index.ts';
import { type Fleet, QUIRKS, type SimulatedBmc, startFleet } from '../../../src/sim/index.ts';
import { forever, target } from '../target.ts';

const CD = '/redfish/v1/Systems/437XR1138R2/VirtualMedia/CD1';
const SYSTEM = '/redfish/v1/Systems/437XR1138R2';
let clients: RedfishClients = createRedfishClients();
let fleet: Fleet | null = null;

afterEach(async () => {
  await clients.close();
  await fleet?.close();
  fleet = null;
});

/** Starts a BMC whose media are emptied only by PATCH with If-Match. */
async function start(...quirks: string[]) {
  clients = createRedfishClients();
  // The first quirk is the outermost: the check of If-Match comes before the device's own.
  const names = ['no-media-actions', 'if-match-wanted', ...quirks];
  fleet = await startFleet({ quirks: names.map((name) => QUIRKS.get(name)!) });
  const bmc = fleet.bmcs[0]!;
  const client = clients.for(target(bmc.url), { signal: forever });
  const eject = () => ejectMedia(client, SYSTEM, { mediaTypes: ['CD'], confirmMs: 1000, progress: () => undefined });
  return { bmc, eject };
}

/** Changes the device before each of the next `times` PATCHes. */
async function changeWithPatches(bmc: SimulatedBmc, times: number): Promise<void> {
  for (let time = 1; time <= times; time++) {
    await bmc.nextRequest({ method: 'PATCH', path: CD });
    bmc.documents.set(CD, { ...bmc.documents.get(CD)!, Image: `http://images.example/${time}.iso` });
  }
}

const patches = (bmc: SimulatedBmc) =>
  bmc.requests.filter(({ method, path }) => method === 'PATCH' && path === CD).map(({ status }) => status);

test.each([
  { quirks: ['weak-etags'], expected: [200] },
  { quirks: ['weak-etags-strong-match'], expected: [412, 200] },
  { quirks: ['unquoted-if-match'], expected: [412, 200] },
  { quirks: ['weak-etags', 'unquoted-if-match'], expected: [412, 412, 200] },
])(
  'a PATCH that empties a device carries the ETag in the form that the BMC compares ($quirks)',
  async ({ quirks, expected }) => {
    const { bmc, eject } = await start(...quirks);
    expect(await eject()).toMatchObject([{ outcome: 'ejected' }]);
    expect(patches(bmc)).toEqual(expected);
    expect(bmc.documents.get(CD)).toMatchObject({ Inserted: false });
  },
);

test.each([
  { quirks: ['weak-etags'], expected: [412, 200] },
  { quirks: ['weak-etags-strong-match'], expected: [412, 412, 200] },
  { quirks: ['unquoted-if-match'], expected: [412, 412, 200] },
])('a device whose ETag has changed meanwhile is still ejected ($quirks)', async ({ quirks, expected }) => {
  const { bmc, eject } = await start(...quirks);
  const changed = changeWithPatches(bmc, 1);
  expect(await eject()).toMatchObject([{ outcome: 'ejected' }]);
  await changed;
  expect(patches(bmc)).toEqual(expected);
});

test('a device whose ETag changes at every try fails after seven requests, the last without an ETag', async () => {
  const { bmc, eject } = await start('weak-etags-strong-match');
  void changeWithPatches(bmc, 6);
  await expect(eject()).rejects.toMatchObject({ kind: 'refused', status: 428 });
  expect(patches(bmc)).toEqual([412, 412, 412, 412, 412, 412, 428]);
});
