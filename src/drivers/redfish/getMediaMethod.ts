import { z } from 'zod';
import { defineMethod, type Method } from '../../core/method.ts';
import { maskText } from '../../core/secrets.ts';
import type { NodeTask } from '../../core/task.ts';
import { listMedia } from '../../redfish/index.ts';
import type { UseBmc } from './bmcAccess.ts';
import { toUnreadablePart, unreadablePart } from './unreadablePart.ts';

/** Makes `get_vmedia`, which Ironic has as `GET /v1/nodes/N/vmedia` instead. As there, it needs no lock. */
export function getMediaMethod(useBmc: UseBmc): Method<NodeTask> {
  return defineMethod({
    name: 'get_vmedia',
    httpMethods: ['GET'],
    description: 'Returns the virtual media devices of the node, with the image that each contains.',
    requireExclusiveLock: false,
    listedFrom: null,
    arguments: z.object({}),
    result: z.object({
      devices: z.array(
        z.object({
          id: z.string(),
          path: z.string(),
          media_types: z.array(z.string()).describe('What it can be: CD, DVD, USBStick, Floppy'),
          inserted: z.boolean(),
          image: z.string().nullable().describe('The URL of its image, without credentials; null when it has none'),
        }),
      ),
      unreadable: z
        .array(unreadablePart)
        .optional()
        .describe('Present only when a part could not be read, so that devices may be missing'),
    }),
    async handler(task: NodeTask) {
      const { devices, unreadable } = await useBmc(task, 'Failed to get virtual media of', listMedia);
      return {
        devices: devices.map(({ slot, inserted, image }) => ({
          id: slot.id,
          path: slot.path,
          media_types: slot.mediaTypes,
          inserted,
          image: image === null ? null : maskText(image),
        })),
        ...(unreadable.length > 0 ? { unreadable: unreadable.map(toUnreadablePart) } : {}),
      };
    },
  });
}
