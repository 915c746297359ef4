import { z } from 'zod';
import { pythonText } from '../../core/arguments.ts';
import type { Json } from '../../core/json.ts';
import { defineMethod, type Method } from '../../core/method.ts';
import type { NodeTask } from '../../core/task.ts';
import { ejectMedia } from '../../redfish/index.ts';
import type { UseBmc } from './bmcAccess.ts';
import { reasonText } from './unreadablePart.ts';

/** Redfish's media types for Ironic's boot devices. `cd` includes DVD drives: some machines (Cisco UCS) have no others. */
const MEDIA_TYPES = { cd: ['CD', 'DVD'], dvd: ['DVD'], usb: ['USBStick'], floppy: ['Floppy'] } as const;
const DEVICES = Object.keys(MEDIA_TYPES) as (keyof typeof MEDIA_TYPES)[];

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
      boot_device: z
        .enum([...DEVICES, ''], {
          error: ({ input }) =>
            `Boot device ${pythonText(input as Json).slice(0, 80)} is not a valid value, allowed values ${DEVICES.join(', ')}`,
        })
        .optional()
        .describe('The device to eject. Default, also when empty: all that contain an image'),
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
    async handler(task: NodeTask, { boot_device: device }) {
      const ejected = await useBmc(task, 'Failed to eject virtual media on', (client, systemPath) =>
        ejectMedia(client, systemPath, {
          mediaTypes: device ? MEDIA_TYPES[device] : null,
          progress: (fraction, message) => task.progress(fraction, message),
        }),
      );
      const devices = ejected.map(({ slot: { id, path, mediaTypes: media_types }, outcome, reason }) => ({
        id,
        path,
        media_types,
        outcome,
        ...(reason === undefined ? {} : { reason: reasonText(reason) }),
      }));
      return { devices };
    },
  });
}
