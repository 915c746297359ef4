import { afterEach, expect, test } from 'vitest';
import type { JsonObject } from '../../src/core/json.ts';
import { silentLogger } from '../../src/core/logger.ts';
import { createRedfishHardwareType } from '../../src/drivers/redfish/redfishHardwareType.ts';
import { createDestinations } from '../../src/net/destinations.ts';
import { type Fleet, PROFILES, QUIRKS, type SimulatedBmc, startFleet } from '../../src/sim/index.ts';
import { methodOf, nodeOf, taskOn } from './nodeTask.ts';

const IMAGE = 'https://images.example/boot.iso';
const settings = {
  authType: 'auto' as const,
  connectionAttempts: 1,
  connectionRetryIntervalMs: 5,
  requestTimeoutMs: 5000,
};
const redfish = createRedfishHardwareType({ settings, log: silentLogger });
let fleet: Fleet | null = null;

afterEach(async () => {
  await redfish.close?.();
  await fleet?.close();
  fleet = null;
});

async function startBmc(options: Parameters<typeof startFleet>[0] = {}): Promise<SimulatedBmc> {
  fleet = await startFleet(options);
  return fleet.bmcs[0]!;
}

async function run(bmc: SimulatedBmc, name: string, args: JsonObject) {
  const method = methodOf(redfish, name);
  const driverInfo = { redfish_address: bmc.url, redfish_username: 'u', redfish_password: 'p' };
  const recorded = taskOn(nodeOf('redfish', driverInfo));
  const result = (await method.run(recorded.task, method.parse(args))) as JsonObject;
  return { result, progress: recorded.progress };
}

test.each([...PROFILES.keys()])('on the profile %s an image is inserted, shown and ejected', async (profile) => {
  const bmc = await startBmc({ profile: PROFILES.get(profile)! });
  await run(bmc, 'eject_vmedia', {});
  const { result, progress } = await run(bmc, 'insert_vmedia', { image_url: IMAGE });
  expect(result).toMatchObject({ outcome: 'inserted', replaced: false });
  const { id } = result.device as { id: string };
  expect(progress.map(({ message }) => message)).toEqual(
    expect.arrayContaining(['Looking for virtual media', `Inserting into ${id}`, 'Done']),
  );
  const shown = async () => (await run(bmc, 'get_vmedia', {})).result as unknown as { devices: JsonObject[] };
  expect((await shown()).devices.filter(({ inserted }) => inserted)).toEqual([
    expect.objectContaining({ id, image: IMAGE }),
  ]);
  await run(bmc, 'eject_vmedia', { boot_devices: ['cd', 'usb'] });
  expect((await shown()).devices.some(({ inserted }) => inserted)).toBe(false);
});

test('no devices are ejected where the list is empty, and both arguments together are refused', async () => {
  const bmc = await startBmc();
  expect((await run(bmc, 'eject_vmedia', { boot_devices: [] })).result).toEqual({ devices: [] });
  expect(bmc.requestCount).toBe(0);
  await expect(run(bmc, 'eject_vmedia', { boot_devices: ['cd'], boot_device: 'cd' })).rejects.toThrow(
    'boot_devices must not be given together with boot_device',
  );
});

test.each<[JsonObject, string]>([
  [{}, 'image_url'],
  [{ image_url: '' }, 'image_url must be a URL with a host'],
  [{ image_url: 'https://' }, 'image_url must be a URL with a host'],
  [{ image_url: 'gopher://x/a.iso' }, 'image_url must be a URL with a host'],
  [{ image_url: 'file:///etc/passwd' }, 'image_url must be a URL with a host'],
  [{ image_url: 'http://x/a b.iso' }, 'image_url must be a URL with a host'],
  [{ image_url: `http://x/${'a'.repeat(2048)}` }, 'image_url must have 2048 characters at most'],
  [{ image_url: IMAGE, boot_device: 'tape' }, 'Boot device tape is not a valid value'],
  [{ image_url: IMAGE, transfer_protocol: 'OEM' }, 'transfer_protocol'],
  [{ image_url: IMAGE, credentials: { user: 'x' } }, 'credentials'],
  [{ image_url: IMAGE, if_inserted: 'maybe' }, 'if_inserted'],
])('the arguments %j are refused, and name what is wrong', (args, fault) => {
  expect(() => methodOf(redfish, 'insert_vmedia').parse(args)).toThrow(fault);
});

test.each(['//files.example/share/a.iso', 'files.example:/share/a.iso', '[fd00::1]:/share/a.iso'])(
  'the share %s requires transfer_protocol',
  async (image_url) => {
    const bmc = await startBmc();
    await run(bmc, 'eject_vmedia', {});
    await expect(run(bmc, 'insert_vmedia', { image_url })).rejects.toThrow('transfer_protocol is required');
    expect((await run(bmc, 'insert_vmedia', { image_url, transfer_protocol: 'NFS' })).result).toMatchObject({
      outcome: 'inserted',
    });
  },
);

test.each(['http://169.254.169.254/latest', '//127.0.0.1/share/a.iso', '127.0.0.1:/share/a.iso'])(
  'a BMC is not sent to %s, where destinations are denied',
  async (image_url) => {
    const destinations = createDestinations({ allow: [], deny: [] });
    const guarded = createRedfishHardwareType({ settings: { ...settings, destinations }, log: silentLogger });
    const method = methodOf(guarded, 'insert_vmedia');
    const { task } = taskOn(nodeOf('redfish', { redfish_address: 'http://192.0.2.1' }));
    const args = method.parse({ image_url, transfer_protocol: 'NFS' });
    await expect(method.run(task, args)).rejects.toThrow('image_url must not lead to');
    await guarded.close?.();
  },
);

test('the user and the password of an image in place are not shown', async () => {
  const bmc = await startBmc({ quirks: [QUIRKS.get('insert-wants-credentials')!] });
  const image_url = 'http://u1:s3cret@images.example/a.iso';
  await run(bmc, 'insert_vmedia', { image_url, if_inserted: 'replace' });
  const { result } = await run(bmc, 'get_vmedia', {});
  expect(JSON.stringify(result)).toContain('http://******@images.example/a.iso');
  expect(JSON.stringify(result)).not.toContain('s3cret');
});
