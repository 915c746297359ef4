import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { PassthruError } from '../../../src/core/errors.ts';
import { isJsonObject, type Json, type JsonObject } from '../../../src/core/json.ts';
import { silentLogger } from '../../../src/core/logger.ts';
import { describeSystems } from '../../../src/drivers/redfish/discoverMethod.ts';
import { readBmc } from '../../../src/drivers/redfish/driverInfo.ts';
import { createRedfishHardwareType } from '../../../src/drivers/redfish/redfishHardwareType.ts';
import { type ProbeResult, probeBmc } from '../../../src/redfish/index.ts';
import { type FleetOptions, loadCapture, type SimulatedBmc, startFleet } from '../../../src/sim/index.ts';
import { methodOf, nodeOf, taskOn } from '../../drivers/nodeTask.ts';

const settings = {
  authType: 'auto' as const,
  connectionAttempts: 1,
  connectionRetryIntervalMs: 5,
  requestTimeoutMs: 5000,
};

/** The options of a probe that a test may change. */
export interface Probing {
  info?: JsonObject;
  maxRequests?: number;
  keepIdentity?: boolean;
  signal?: AbortSignal;
}

/** Probes a BMC as account u with password p. */
export function probe(bmc: Pick<SimulatedBmc, 'url'>, options: Probing = {}): Promise<ProbeResult> {
  const info = { redfish_address: bmc.url, redfish_username: 'u', redfish_password: 'p', ...options.info };
  const { target, systemPath } = readBmc(info, settings, { field: (key) => key, message: (faults) => faults });
  target.limits.pause = async () => {};
  return probeBmc(target, {
    systemPath,
    discover: describeSystems,
    maxRequests: options.maxRequests ?? 500,
    keepIdentity: options.keepIdentity ?? false,
    signal: options.signal ?? AbortSignal.timeout(60_000),
  });
}

/** Runs `work` with a simulated BMC. */
export async function withBmc<T>(options: FleetOptions, work: (bmc: SimulatedBmc) => Promise<T>): Promise<T> {
  const fleet = await startFleet(options);
  try {
    return await work(fleet.bmcs[0]!);
  } finally {
    await fleet.close();
  }
}

/** Runs `work` with a simulated BMC that serves a capture. */
export async function withCapture<T>(
  capture: JsonObject,
  work: (bmc: SimulatedBmc) => Promise<T>,
  options: FleetOptions = {},
): Promise<T> {
  const folder = await mkdtemp(join(tmpdir(), 'probe-'));
  try {
    const file = join(folder, 'capture.json');
    await writeFile(file, JSON.stringify(capture));
    return await withBmc({ ...options, profile: await loadCapture(file) }, work);
  } finally {
    await rm(folder, { recursive: true });
  }
}

const DESTINATION = 'https://listener.test/events';

/** Calls each method on a BMC, and returns how each ended, without what redaction changes. */
export async function outcomesOf(bmc: SimulatedBmc, info: JsonObject = {}): Promise<JsonObject> {
  const redfish = createRedfishHardwareType({ settings, log: silentLogger });
  const address = { redfish_address: bmc.url, redfish_username: 'u', redfish_password: 'p', ...info };
  const call = async (name: string, args: JsonObject): Promise<JsonObject | string> => {
    const method = methodOf(redfish, name);
    try {
      return ((await method.run(taskOn(nodeOf('redfish', address)).task, method.parse(args))) ?? {}) as JsonObject;
    } catch (error) {
      if (error instanceof PassthruError) return error.kind;
      throw error;
    }
  };
  try {
    const told: JsonObject = {};
    const listed = await call('get_all_subscriptions', {});
    told.get_all_subscriptions = count(listed, 'Members');
    const [first] = typeof listed === 'object' && Array.isArray(listed.Members) ? listed.Members : [];
    const id = isJsonObject(first)
      ? decodeURIComponent(String(first['@odata.id']).replace(/\/$/, '').split('/').at(-1)!)
      : 'none';
    told.get_subscription = shape(await call('get_subscription', { id }));
    const created = await call('create_subscription', { Destination: DESTINATION, if_exists: 'return' });
    told.create_subscription = shape(created);
    told.again = shape(await call('create_subscription', { Destination: DESTINATION, if_exists: 'return' }));
    const made = typeof created === 'object' ? String(created.Id) : 'none';
    told.delete_subscription = shape(await call('delete_subscription', { id: made }));
    told.left = count(await call('get_all_subscriptions', {}), 'Members');
    told.discover = discovered(await call('discover', argumentsOf(address)));
    told.eject_cd = ejected(await call('eject_vmedia', { boot_device: 'cd' }));
    told.eject_vmedia = ejected(await call('eject_vmedia', {}));
    told.empty = ejected(await call('eject_vmedia', {}));
    return told;
  } finally {
    await redfish.close?.();
  }
}

function argumentsOf({ redfish_address: address, redfish_username: username, redfish_password: password }: JsonObject) {
  return { address: address!, username: username!, password: password! };
}

function count(result: JsonObject | string, key: string): Json {
  if (typeof result === 'string') return result;
  const { [key]: items } = result;
  return Array.isArray(items) ? items.length : null;
}

function shape(result: JsonObject | string): Json {
  return typeof result === 'string' ? result : Object.keys(result).sort().join(' ');
}

function ejected(result: JsonObject | string): Json {
  if (typeof result === 'string') return result;
  const devices = (result.devices ?? []) as JsonObject[];
  return devices.map(({ media_types: types, outcome }) => `${(types as string[]).join('+')} ${outcome}`);
}

function discovered(result: JsonObject | string): Json {
  if (typeof result === 'string') return result;
  return ((result.systems ?? []) as JsonObject[]).map(({ vendor, model, firmware, bios, events, virtual_media }) => {
    return {
      vendor: vendor!,
      model: model!,
      firmware: firmware!,
      bios: bios!,
      events: events!,
      virtual_media: virtual_media!,
    };
  });
}
