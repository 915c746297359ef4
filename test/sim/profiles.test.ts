import { readFileSync } from 'node:fs';
import { expect, test } from 'vitest';
import { PROFILES, QUIRKS } from '../../src/sim/index.ts';
import { call } from './client.ts';
import { bmcWith } from './quirkedBmc.ts';

const VENDORS = ['ilo5', 'idrac9', 'xcc', 'supermicro', 'openbmc'];

test.each(VENDORS)('%s: every link and every target exists', async (name) => {
  await using one = await bmcWith([], {}, name);
  const seen = new Set<string>(['/redfish/v1/']);
  const targets = new Set<string>();
  for (const path of seen) {
    const reply = await call(one.bmc, 'GET', path);
    expect(reply.status, path).toBe(200);
    for (const [, link] of reply.text.matchAll(/"@odata\.id":"([^"]+)"/g)) seen.add(link!);
    for (const [, target] of reply.text.matchAll(/"target":"([^"]+)"/g)) targets.add(target!);
  }
  expect(seen.size).toBeGreaterThan(20);
  for (const target of targets) expect((await call(one.bmc, 'GET', target)).status, target).toBe(405);
});

test.each([
  ['ilo5', '/redfish/v1/Managers/1/VirtualMedia'],
  ['idrac9', '/redfish/v1/Systems/System.Embedded.1/VirtualMedia'],
  ['xcc', '/redfish/v1/Systems/1/VirtualMedia'],
  ['supermicro', '/redfish/v1/Managers/1/VirtualMedia'],
  ['openbmc', '/redfish/v1/Managers/bmc/VirtualMedia'],
])('%s: virtual media are at %s, and one device holds an image', async (name, path) => {
  await using one = await bmcWith([], {}, name);
  const { Members: members } = (await call(one.bmc, 'GET', path)).json;
  const devices = await Promise.all(
    members.map(async (member: { '@odata.id': string }) => (await call(one.bmc, 'GET', member['@odata.id'])).json),
  );
  expect(devices.filter(({ Inserted: inserted }) => inserted)).toHaveLength(1);
});

test('the quirks of profiles are named ones', () => {
  for (const { quirks = [] } of PROFILES.values())
    for (const quirk of quirks) expect(QUIRKS.get(quirk.name)).toBe(quirk);
});

test('the documentation lists every quirk with its profiles', () => {
  const text = readFileSync(new URL('../../docs/simulator.md', import.meta.url), 'utf8');
  const [, section = ''] = text.split('\n## Quirks\n');
  const [quirks = ''] = section.split('\n## ');
  const rows = [...quirks.matchAll(/^\| `([^`]+)` \| (.+?) \| (.*?) \|$/gm)].map((row) => row.slice(1));
  const expected = [...QUIRKS.values()].map((quirk) => [
    quirk.name,
    quirk.description,
    [...PROFILES.values()]
      .filter(({ quirks }) => quirks?.includes(quirk))
      .map(({ name }) => name)
      .join(', '),
  ]);
  expect(rows).toEqual(expected);
});
