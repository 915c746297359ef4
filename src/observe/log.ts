import { type DestinationStream, destination, type Logger, pino, stdSerializers } from 'pino';
import { mapTexts, maskMember, maskText, type TextMapping } from '../core/secrets.ts';
import { requestScope } from '../edge/requestScope.ts';
import type { AuditSink } from './auditRecord.ts';
import { terminalLine } from './terminalLine.ts';

/** How deep into a logged value secrets are looked for; what lies deeper is not logged. */
const MAX_DEPTH = 8;

const MASKED: TextMapping = {
  text: maskText,
  member: maskMember,
  error: (error, _copy, copyMembers) => copyMembers({ ...stdSerializers.err(error) }),
};

/**
 * The service's log: one JSON object a line on standard error, with secrets as `******` wherever they stand and the id of
 * the request that the work is done for. On a terminal, lines for people.
 * @param level the lowest level that is logged
 * @param stream where else to write, for tests
 */
export function createServiceLog(level: string, stream?: DestinationStream): Logger {
  const target = stream ?? (process.stderr.isTTY ? terminal() : standardError());
  return pino(
    {
      level,
      base: undefined,
      timestamp: () => `,"time":"${new Date().toISOString()}"`,
      mixin: () => {
        const scope = requestScope.getStore();
        return scope === undefined ? {} : { request_id: scope.id };
      },
      formatters: {
        level: (label) => ({ level: label }),
        log: (fields) => mapTexts(fields, MASKED, MAX_DEPTH) as Record<string, unknown>,
      },
      // An error is made plain by `MASKED` before pino sees it.
      serializers: { err: (error: unknown) => error },
    },
    target,
  );
}

/** The audit: lines among those of `log`, whatever its level is. Secrets are masked in its records already. */
export function createAuditLog(log: Logger): AuditSink {
  const lines = log.child({}, { level: 'info', formatters: { log: (fields) => fields } });
  return (record) => lines.info(record, 'audit');
}

function standardError(): DestinationStream {
  const stream = destination({ dest: 2, sync: false });
  // What is in the buffer at the end would be lost.
  process.once('exit', () => stream.flushSync());
  return stream;
}

function terminal(): DestinationStream {
  return { write: (line) => void process.stderr.write(terminalLine(line)) };
}
