// Virtual media as openstacksdk attaches and detaches it, on a machine of each profile of the simulator. ironicclient has no
// command for it.
import { spawn } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { text } from 'node:stream/consumers';
import { afterAll, beforeAll, describe, expect, test, vi } from 'vitest';
import { type Fleet, PROFILES, startFleet } from '../../src/sim/index.ts';
import { type Served, serve } from '../cli/run.ts';
import { needs } from '../needs.ts';
import { pythonEnvironment } from './pythonEnvironment.ts';

vi.setConfig({ testTimeout: 300_000, hookTimeout: 120_000 });

const IMAGE = 'http://images.example/boot.iso';
const SCRIPT = new URL('./openstacksdk_media.py', import.meta.url).pathname;
const CLOUD = 'passthru';

const environment = await pythonEnvironment();
const profiles = [...PROFILES.keys()];

describe('openstacksdk', needs('missing' in environment ? environment.missing : null), () => {
  let folder: string;
  const fleets: Fleet[] = [];
  let service: Served;
  beforeAll(async () => {
    folder = mkdtempSync(join(tmpdir(), 'passthru-sdk-media-'));
    for (const profile of PROFILES.values()) fleets.push(await startFleet({ profile }));
    const nodes = profiles.map((name, index) => {
      const address = { redfish_address: fleets[index]!.bmcs[0]!.url, redfish_username: 'u', redfish_password: 'p' };
      return { name, driver: 'redfish', driver_info: address };
    });
    writeFileSync(join(folder, 'nodes.yaml'), JSON.stringify({ nodes }));
    service = await serve([], { PASSTHRU_NODES_FILE: join(folder, 'nodes.yaml') });
    const cloud = { auth_type: 'none', auth: { endpoint: service.url } };
    writeFileSync(join(folder, 'clouds.yaml'), JSON.stringify({ clouds: { [CLOUD]: cloud } }));
  });
  afterAll(async () => {
    await service?.stop();
    for (const fleet of fleets) await fleet.close();
    rmSync(folder, { recursive: true });
  });

  test('attaches an image and detaches it on every profile of the simulator', async () => {
    const env = { ...process.env, OS_CLIENT_CONFIG_FILE: join(folder, 'clouds.yaml') };
    const { python } = environment as { python: string };
    const child = spawn(python, [SCRIPT], { env, stdio: ['pipe', 'pipe', 'inherit'] });
    child.stdin.end(JSON.stringify({ cloud: CLOUD, nodes: profiles, image: IMAGE }));
    const report = JSON.parse(await text(child.stdout)) as Record<string, { attached: unknown; detached: unknown }>;
    expect(Object.keys(report)).toEqual(profiles);
    for (const [profile, { attached, detached }] of Object.entries(report)) {
      expect(attached, profile).toEqual([{ media_types: expect.any(Array), inserted: true, image: IMAGE }]);
      expect(detached, profile).toEqual([]);
    }
  });
});
