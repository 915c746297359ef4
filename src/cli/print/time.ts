import type { Timestamp } from '@bufbuild/protobuf/wkt';

/** Formats `time` as Ironic does: `2026-11-23T06:37:41+00:00`. */
export function timeText(time: Timestamp): string {
  return new Date(Number(time.seconds) * 1000).toISOString().replace('.000Z', '+00:00');
}

/** Formats `time`; null when absent. */
export function timeOrNull(time: Timestamp | undefined): string | null {
  return time === undefined ? null : timeText(time);
}
