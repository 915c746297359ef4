import { z } from 'zod';
import { invalidArgument } from '../../core/errors.ts';
import { defineMethod, type Method } from '../../core/method.ts';
import type { NodeTask } from '../../core/task.ts';
import { ejectMedia } from '../../redfish/index.ts';
import type { UseBmc } from './bmcAccess.ts';
import { bootDevice, mediaTypesOf } from './bootDevices.ts';
import { reasonText } from './unreadablePart.ts';

/** Makes `eject_vmedia`, with the recorded verbs and description ("node methods by name"). */
export function ejectMethod(useBmc: UseBmc): Method<NodeTask> {
  return defineMethod({
    name: 'eject_vmedia',
    httpMethods: ['POST'],
    description:
      'Eject a virtual media device. If no device is provided then all attached devices will be ejected. ' +
      "Optional arguments: 'boot_device' - the boot device to eject, either 'cd', 'dvd', 'usb', or 'floppy'",
    async: true,
    arguments: z.object({
      boot_device: bootDevice([''])
        .optional()
        .describe('The device to eject. Default, also when empty: all that contain an image'),
      boot_devices: z
        .array(bootDevice())
        .optional()
        .describe('The devices to eject, instead of boot_device; none when empty'),
    }),
    result: z.object({
      devices: z.array(
        z.object({
          id: z.string(),
          path: z.string(),
          media_types: z.array(z.string()),
          outcome: z
            .enum(['ejected', 'empty', 'skipped', 'unreadable'])
            .describe(
              'empty: it contained no image; skipped: the BMC does not support ejecting it; ' +
                'unreadable: this device, collection or manager could not be read, and nothing was done to it',
            ),
          reason: z
            .string()
            .optional()
            .describe('Why it could not be read, in the words of the BMC; only with unreadable'),
        }),
      ),
    }),
    async handler(task: NodeTask, { boot_device: one, boot_devices: several }) {
      if (one && several !== undefined)
        throw invalidArgument('arguments.boot_devices', 'boot_devices must not be given together with boot_device');
      const devices = several ?? (one ? [one] : null);
      // Ironic's DELETE of vmedia sends this, and ejects nothing then.
      if (devices?.length === 0) return { devices: [] };
      const ejected = await useBmc(task, 'Failed to eject virtual media on', (client, systemPath) =>
        ejectMedia(client, systemPath, {
          mediaTypes: devices === null ? null : mediaTypesOf(devices),
          progress: (fraction, message) => task.progress(fraction, message),
        }),
      );
      const outcomes = ejected.map(({ slot: { id, path, mediaTypes: media_types }, outcome, reason }) => ({
        id,
        path,
        media_types,
        outcome,
        ...(reason === undefined ? {} : { reason: reasonText(reason) }),
      }));
      return { devices: outcomes };
    },
  });
}
