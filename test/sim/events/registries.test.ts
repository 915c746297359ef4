import { expect, test } from 'vitest';
import { PROFILES } from '../../../src/sim/index.ts';
import { call } from '../client.ts';
import { bmcWith } from '../quirkedBmc.ts';

test.each([...PROFILES.keys()])(
  '%s: each registry file leads to its registry, whose messages are whole',
  async (name) => {
    await using one = await bmcWith([], {}, name);
    const { Members: members } = (await call(one.bmc, 'GET', '/redfish/v1/Registries')).json;
    expect(members).toHaveLength(4);
    for (const member of members) {
      const { json: file } = await call(one.bmc, 'GET', member['@odata.id']);
      const { status, json: registry } = await call(one.bmc, 'GET', file.Location[0].Uri);
      expect(status).toBe(200);
      expect(file.Registry).toBe(
        `${registry.RegistryPrefix}.${registry.RegistryVersion.split('.').slice(0, 2).join('.')}`,
      );
      for (const message of Object.values<Record<string, unknown>>(registry.Messages)) {
        const places = new Set(String(message.Message).match(/%\d/g));
        expect(places.size).toBe(message.NumberOfArgs);
      }
    }
  },
);

test.each([...PROFILES.keys()])('%s: its events are messages of its registries', async (name) => {
  await using one = await bmcWith([], {}, name);
  const profile = PROFILES.get(name)!;
  const ids = one.bmc.events.messageIds;
  expect(ids.length).toBeGreaterThan(20);
  for (const id of [profile.events?.messageId, profile.events?.testMessageId]) if (id) expect(ids).toContain(id);
});
