import { existsSync, readdirSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { afterEach, describe, expect, test } from 'vitest';
import type { JsonObject } from '../../src/core/json.ts';
import { silentLogger } from '../../src/core/logger.ts';
import { createRedfishHardwareType } from '../../src/drivers/redfish/redfishHardwareType.ts';
import { type Fleet, loadCapture, startFleet } from '../../src/sim/index.ts';
import { methodOf, nodeOf, taskOn } from '../drivers/nodeTask.ts';
import { needs } from '../needs.ts';

/** Recorded responses of real BMCs. The captures are not part of the project; they are beside it. */
const FOLDER = fileURLToPath(new URL('../../../shared/bmc-captures/', import.meta.url));
const captures = existsSync(FOLDER) ? readdirSync(FOLDER).filter((file) => file.endsWith('.json')) : [];
const noCaptures = captures.length === 0 ? '../shared/bmc-captures beside the project' : null;

const settings = {
  authType: 'auto' as const,
  connectionAttempts: 1,
  connectionRetryIntervalMs: 5,
  requestTimeoutMs: 5000,
};
const redfish = createRedfishHardwareType({ settings, log: silentLogger });
let fleet: Fleet;

afterEach(async () => {
  await redfish.close?.();
  await fleet.close();
});

describe('the redfish driver on a BMC that responds as a recorded one', needs(noCaptures), () => {
  test.each(captures)('%s: subscribes, lists, reads, deletes, and ejects what is inserted', async (file) => {
    fleet = await startFleet({ profile: await loadCapture(FOLDER + file) });
    const { url } = fleet.bmcs[0]!;
    const node = nodeOf('redfish', { redfish_address: url, redfish_username: 'u', redfish_password: 'p' });
    const call = async (method: string, args: JsonObject = {}) => {
      const found = methodOf(redfish, method);
      return (await found.run(taskOn(node).task, found.parse(args))) as JsonObject;
    };

    const Destination = 'https://listener.example/events';
    const created = await call('create_subscription', { Destination, Context: 'capture' });
    expect(created).toMatchObject({ Destination, Context: 'capture', Protocol: 'Redfish' });
    const id = created.Id as string;
    const listed = await call('get_all_subscriptions');
    expect(JSON.stringify(listed.Members)).toContain(`/${id}"`);
    expect(await call('get_subscription', { id })).toEqual(created);
    await call('delete_subscription', { id });
    await expect(call('get_subscription', { id })).rejects.toMatchObject({ kind: 'subscription_not_found' });

    const ejected = await call('eject_vmedia');
    expect(ejected).toBeTypeOf('object');
    // Nothing is inserted any more, so the second call only reads.
    const before = fleet.bmcs[0]!.requests.length;
    await call('eject_vmedia');
    expect(fleet.bmcs[0]!.requests.slice(before).map(({ method }) => method)).not.toContain('POST');
    expect(fleet.bmcs[0]!.requests.slice(before).map(({ method }) => method)).not.toContain('PATCH');
  });
});
