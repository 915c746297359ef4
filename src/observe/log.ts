import { type DestinationStream, type Logger, pino, stdSerializers } from 'pino';
import { cutText, LOGGED_BYTES } from '../core/bounds.ts';
import { mapTexts, maskMember, maskText, type TextMapping } from '../core/secrets.ts';
import { requestScope } from '../edge/requestScope.ts';
import type { AuditSink } from './auditRecord.ts';
import { auditMembers } from './auditText.ts';
import { StandardError } from './standardError.ts';

/** Depth to which logged values are searched for secrets; anything deeper is not logged. */
const MAX_DEPTH = 8;

const MASKED: TextMapping = {
  // Before the patterns search it.
  text: (text) => maskText(cutText(text, LOGGED_BYTES)),
  member: maskMember,
  error: (error, _copy, copyMembers) => copyMembers({ ...stdSerializers.err(error) }),
};

/**
 * Creates the service's log: one JSON object per line on standard error, with secrets as `******` and the id of the current
 * request. On a terminal, lines are formatted for people.
 * @param level the lowest level to log
 * @param target where to write
 * @param worker the number of this worker; null when this is the only process
 */
export function createServiceLog(
  level: string,
  target: DestinationStream = new StandardError(),
  worker: number | null = null,
): Logger {
  return pino(
    {
      level,
      base: worker === null ? undefined : { worker },
      timestamp: () => `,"time":"${isoTime()}"`,
      mixin: () => {
        const scope = requestScope.getStore();
        return scope === undefined ? {} : { request_id: scope.id };
      },
      hooks: {
        // A driver's fields, such as those with a getter that throws, must not fail its call.
        logMethod(args, method) {
          try {
            method.apply(this, args);
          } catch {
            const [, message] = args as unknown[];
            method.call(this, {}, typeof message === 'string' ? message : 'log record without readable fields');
          }
        },
      },
      formatters: {
        level: (label) => ({ level: label }),
        log: (fields) => mapTexts(fields, MASKED, MAX_DEPTH) as Record<string, unknown>,
      },
      // `MASKED` has already turned errors into plain objects.
      serializers: { err: (error: unknown) => error },
    },
    target,
  );
}

/**
 * Returns a sink that writes audit records to `target`, as lines of the log of level info; secrets in records are already
 * masked.
 * @param worker the number of this worker; null when this is the only process
 */
export function createAuditLog(target: DestinationStream, worker: number | null = null): AuditSink {
  const origin = worker === null ? '' : `"worker":${worker},`;
  return (record) => {
    // Without pino, which takes several times as long to walk over the fields, of which there is nothing left to mask.
    target.write(`{"level":"info","time":"${isoTime()}",${origin}${auditMembers(record)},"msg":"audit"}\n`);
  };
}

let isoMillisecond = 0;
let isoText = '';

/** Returns the current time in ISO 8601. The many lines of one millisecond share the text. */
function isoTime(): string {
  const now = Date.now();
  if (now !== isoMillisecond) {
    isoMillisecond = now;
    isoText = new Date(now).toISOString();
  }
  return isoText;
}
