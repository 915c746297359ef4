import type { MessageInitShape } from '@bufbuild/protobuf';
import { type DurationSchema, timestampFromMs } from '@bufbuild/protobuf/wkt';
import type { ActivityMinuteSchema, GetActivityResponseSchema } from '../../gen/passthru/v1/info_pb.ts';
import { type Activity, type ActivityMinute, bmcQuantile } from '../core/activity.ts';

/** Converts the activity of the replica on `host` to its message. */
export function activityToMessage(
  host: string,
  { since, minutes }: Activity,
): MessageInitShape<typeof GetActivityResponseSchema> {
  return { host, since: timestampFromMs(since), minutes: minutes.map(minuteToMessage) };
}

function minuteToMessage(minute: ActivityMinute): MessageInitShape<typeof ActivityMinuteSchema> {
  const { start, calls, failedCalls, lockConflicts, lockedNodes, bmcRequests, bmcTime } = minute;
  const p95 = bmcQuantile(minute, 0.95);
  return {
    startTime: timestampFromMs(start),
    calls,
    failedCalls,
    lockConflicts,
    lockedNodes: lockedNodes ?? undefined,
    bmcRequests,
    bmcMean: bmcRequests === 0 ? undefined : duration(bmcTime / bmcRequests),
    bmcP95: p95 === null ? undefined : duration(p95),
  };
}

/** Converts milliseconds, to the microsecond. */
function duration(ms: number): MessageInitShape<typeof DurationSchema> {
  const micros = Math.round(ms * 1000);
  return { seconds: BigInt(Math.floor(micros / 1e6)), nanos: (micros % 1e6) * 1000 };
}
