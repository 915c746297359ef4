import { z } from 'zod';
import { pythonText } from '../../core/arguments.ts';
import type { Json } from '../../core/json.ts';

/** Redfish's media types for Ironic's boot devices. `cd` includes DVD drives: some machines (Cisco UCS) have no others. */
const MEDIA_TYPES = { cd: ['CD', 'DVD'], dvd: ['DVD'], usb: ['USBStick'], floppy: ['Floppy'] } as const;

type BootDevice = keyof typeof MEDIA_TYPES;

const DEVICES = Object.keys(MEDIA_TYPES) as BootDevice[];

/**
 * Returns the schema of a boot device, whose error is worded as Ironic does.
 * @param others further words that it takes
 */
export function bootDevice<Other extends string = never>(others: readonly Other[] = []) {
  return z.enum([...DEVICES, ...others], {
    error: ({ input }) =>
      `Boot device ${pythonText(input as Json).slice(0, 80)} is not a valid value, allowed values ${DEVICES.join(', ')}`,
  });
}

/** Returns the media types of boot devices, each once. */
export function mediaTypesOf(devices: readonly BootDevice[]): string[] {
  return [...new Set(devices.flatMap((device) => MEDIA_TYPES[device]))];
}
