import type { JsonObject } from '@bufbuild/protobuf';
import { type ErrorDetail, ErrorReasonSchema } from '../../../gen/passthru/v1/error_pb.ts';
import { texts } from '../texts.ts';

/** All that the service says about a failure: the message, the fields that were wrong, and what the BMC said. */
export function ErrorReport({ error }: { error: ErrorDetail }) {
  const { message, reason, violations, bmc, truncated } = error;
  return (
    <div className="message error">
      <p>{message}</p>
      <p>
        <code>{ErrorReasonSchema.value[reason]?.localName ?? reason}</code>
      </p>
      {violations.length > 0 && (
        <ul>
          {violations.map(({ field, description }) => (
            <li key={`${field} ${description}`}>
              <code>{field}</code>: {description}
            </li>
          ))}
        </ul>
      )}
      {bmc !== undefined && (
        <section aria-label={texts.errors.bmc}>
          <p>
            <b>{bmc.status === 0 ? texts.errors.bmc : texts.errors.bmcStatus(bmc.status)}</b>
          </p>
          <ul>
            {bmc.extendedInfo.map((info, index) => (
              // biome-ignore lint/suspicious/noArrayIndexKey: a BMC may send the same twice
              <li key={index}>
                <BmcMessage info={info} />
              </li>
            ))}
          </ul>
        </section>
      )}
      {truncated && <p>{texts.errors.truncated}</p>}
    </div>
  );
}

/** A message of a BMC, of which each member may be missing or of any type. */
function BmcMessage({ info }: { info: JsonObject }) {
  const { Message: message, MessageId: id, Severity: severity, MessageSeverity: newer, Resolution: resolution } = info;
  return (
    <>
      {typeof message === 'string' ? message : <code>{JSON.stringify(info)}</code>}
      {[id, newer ?? severity].map(
        (part, index) => typeof part === 'string' && <code key={index === 0 ? 'id' : 'severity'}> {part}</code>,
      )}
      {typeof resolution === 'string' && <p className="help">{texts.errors.resolution(resolution)}</p>}
    </>
  );
}
