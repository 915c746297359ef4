import { afterEach, expect, test } from 'vitest';
import { createRedfishClients, ejectMedia, type RedfishClients } from '../../../src/redfish/index.ts';
import { type Fault, QUIRKS, type SimulatedBmc, startFleet } from '../../../src/sim/index.ts';
import { failure, forever, target } from '../target.ts';

const EJECT = { method: 'POST', path: '*CD1/Actions/VirtualMedia.EjectMedia' };
const CD = '/redfish/v1/Systems/437XR1138R2/VirtualMedia/CD1';
const reason = new Error('cancelled');
let clients: RedfishClients = createRedfishClients();
let fleet: Awaited<ReturnType<typeof startFleet>> | null = null;

afterEach(async () => {
  await fleet?.close();
  await clients.close();
});

async function start(options: Parameters<typeof startFleet>[0] = {}) {
  clients = createRedfishClients();
  fleet = await startFleet(options);
  const bmc = fleet.bmcs[0]!;
  const client = clients.for(target(bmc.url, { limits: { ...target('').limits, timeoutMs: 2000 } }), {
    signal: forever,
  });
  await client.logIn();
  const abort = new AbortController();
  const eject = (mediaTypes: string[] | null = ['CD'], progress: (message: string) => void = () => undefined) =>
    failure(
      ejectMedia(client.with({ signal: abort.signal }), null, {
        mediaTypes,
        progress: (_, message) => progress(message),
      }),
    );
  const stop = () => abort.abort(reason);
  return { bmc, eject, stop };
}

/** Fires `stop` once the BMC has read a request; a fault prevents the response. */
function stopAt(
  bmc: SimulatedBmc,
  stop: () => void,
  match: { method: string; path: string },
  fault: Partial<Fault> = {},
) {
  bmc.faults.add({ kind: 'hang', times: 1, match, ...fault } as Fault);
  void bmc.nextRequest(match).then(stop);
}

const ejects = (bmc: SimulatedBmc) => bmc.requests.filter(({ path }) => path.includes('EjectMedia'));

test('an eject stopped before it was sent reports that nothing was sent', async () => {
  const { bmc, eject, stop } = await start();
  stopAt(bmc, stop, { method: 'GET', path: CD });
  expect(await eject()).toMatchObject({ kind: 'stopped', message: 'no eject was sent', cause: reason });
  expect(ejects(bmc)).toEqual([]);
});

test('an eject stopped between two devices reports the outcome of the first', async () => {
  const { bmc, eject, stop } = await start();
  const error = await eject(null, (message) => {
    if (message === 'Ejecting CD1') stop();
  });
  expect(error).toMatchObject({ kind: 'stopped', message: 'Floppy1: ejected; CD1: its eject was not sent' });
  expect(ejects(bmc)).toHaveLength(1);
});

test.each([
  ['still contains an image', {}, true],
  ['is empty now', { afterRead: true }, false],
] as const)(
  'an eject stopped after it was sent reports an unknown outcome, and that the device %s',
  async (found, fault, holds) => {
    const { bmc, eject, stop } = await start();
    stopAt(bmc, stop, EJECT, fault);
    expect(await eject()).toMatchObject({
      kind: 'stopped',
      message: `CD1: its eject was sent and got no response, so its outcome is unknown; it ${found}`,
      cause: reason,
    });
    expect(bmc.documents.get(CD)?.Inserted).toBe(holds);
  },
);

test('an eject stopped while the device cannot be read reports that the check failed', async () => {
  const { bmc, eject, stop } = await start();
  stopAt(
    bmc,
    () => {
      bmc.faults.add({ kind: 'status', status: 500, match: { method: 'GET', path: CD } });
      stop();
    },
    EJECT,
  );
  expect((await eject()).message).toContain('whether it is empty now could not be checked');
});

test('an eject stopped while waiting for the device to be empty reports that it was accepted', async () => {
  const { eject, stop } = await start({ quirks: [QUIRKS.get('lingering-media')!] });
  const error = await eject(['CD'], (message) => {
    if (message === 'Waiting for device CD1 to be empty') stop();
  });
  expect(error).toMatchObject({
    kind: 'stopped',
    message: 'CD1: the BMC had accepted its eject; it still contains an image',
    cause: reason,
  });
});

test('an eject stopped after the BMC refused it reports the refusal', async () => {
  const { bmc, eject, stop } = await start();
  bmc.faults.add({ kind: 'status', status: 403, match: EJECT });
  void bmc.nextRequest(EJECT).then(() => stopAt(bmc, stop, { method: 'GET', path: CD }));
  expect((await eject()).message).toBe('CD1: the BMC had refused its eject, and no other was sent');
});
