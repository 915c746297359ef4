import { z } from 'zod';
import type { Unreadable } from '../../redfish/index.ts';

/** The maximum number of characters of a reason. */
const MAX_REASON = 1000;

/** A part of a machine that could not be read, as results name it. */
export const unreadablePart = z.object({
  path: z.string().describe('The path of the part at the BMC'),
  reason: z.string().describe('Why it could not be read, in the words of the BMC'),
});

export function toUnreadablePart({ path, error }: Unreadable): z.output<typeof unreadablePart> {
  return { path, reason: reasonText(error.message) };
}

/** Bounds a reason, which quotes the BMC. */
export function reasonText(message: string): string {
  return message.length > MAX_REASON ? `${message.slice(0, MAX_REASON - 1)}…` : message;
}
