import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test, vi } from 'vitest';
import { type Fleet, startFleet } from '../../src/sim/index.ts';
import { useBenchService } from './benchService.ts';

// Each command is a process, which is slow to start on a busy machine.
vi.setConfig({ testTimeout: 60_000, hookTimeout: 60_000 });

const { directory, run, output } = useBenchService();
const IMAGE = 'https://images.example/boot.iso';

let fleet: Fleet;
beforeAll(async () => {
  fleet = await startFleet();
  const { url } = fleet.bmcs[0]!;
  const info = [`redfish_address=${url}`, 'redfish_username=u', 'redfish_password=p'];
  await output(
    'node',
    'create',
    '--driver',
    'redfish',
    '--name',
    'rf',
    ...info.flatMap((each) => ['--driver-info', each]),
  );
});
afterAll(() => fleet.close());

const vmedia = (...args: string[]) => run('node', 'vmedia', ...args);
const shown = async () => JSON.parse((await vmedia('show', 'rf', '-f', 'json')).stdout);

describe('node vmedia', () => {
  test('attaches, shows and detaches an image', async () => {
    expect((await vmedia('detach', 'rf', '--watch')).stdout).toMatch(/\| state +\| succeeded/);
    const attached = await vmedia('attach', 'rf', 'cdrom', IMAGE, '--watch');
    expect(attached.stdout).toMatch(/\| method +\| insert_vmedia[\s\S]*\| state +\| succeeded/);
    expect(await shown()).toContainEqual({ Device: 'CD1', 'Media types': ['CD', 'DVD'], Inserted: true, Image: IMAGE });
    const refused = await vmedia('attach', 'rf', 'cd', 'https://images.example/other.iso', '--watch');
    expect(refused).toMatchObject({ status: 1, stdout: expect.stringContaining('Eject it first') });
    const replaced = await vmedia('attach', 'rf', 'cd', 'https://images.example/other.iso', '--replace', '--watch');
    expect(replaced.status).toBe(0);
    expect((await vmedia('detach', 'rf', 'cdrom', 'floppy', '--watch')).status).toBe(0);
    expect((await shown()).some(({ Inserted }: { Inserted: boolean }) => Inserted)).toBe(false);
  });

  test('reads the password of the image from a file, and shows neither it nor the user', async () => {
    const file = join(directory, 'image-password');
    writeFileSync(file, 'pa55-of-the-image\n');
    const options = [
      '--image-user',
      'us3r-of-the-image',
      '--image-password-file',
      file,
      '--writable',
      '--transfer-protocol',
      'HTTPS',
    ];
    fleet.bmcs[0]!.faults.add({
      kind: 'status',
      status: 400,
      body: '{"error":{"message":"no"}}',
      times: 1,
      match: { method: 'POST', path: '*InsertMedia' },
    });
    const { status, stdout, stderr } = await vmedia('attach', 'rf', 'cdrom', IMAGE, ...options, '--watch');
    expect(status).toBe(1);
    expect(stdout + stderr).not.toMatch(/us3r-of|pa55-of/);
  });

  test.each([
    [['attach', 'rf', 'tape', IMAGE], 'device tape: must be one of cdrom, cd, dvd, disk, usb, floppy'],
    [['attach', 'rf', 'cdrom', IMAGE, '--image-password-file', 'x'], '--image-password-file requires --image-user'],
    [
      ['attach', 'rf', 'cdrom', IMAGE, '--image-user', 'u'],
      'no password for user u; set --image-password-file or PASSTHRU_IMAGE_PASSWORD',
    ],
    [
      ['attach', 'rf', 'cdrom', IMAGE, '--transfer-method', 'Fly'],
      '--transfer-method: "Fly" is not allowed; allowed: Stream, Upload',
    ],
    [['detach', 'rf', 'tape'], 'device tape: must be one of'],
  ])('refuses %j', async (args, fault) => {
    const { status, stderr } = await vmedia(...args);
    expect([status, stderr]).toEqual([2, expect.stringContaining(fault)]);
  });

  test('says that another driver has none', async () => {
    const { status, stderr } = await vmedia('show', 'bench-1');
    expect([status, stderr]).toEqual([1, expect.stringContaining('get_vmedia')]);
  });
});
