import { type ErrorKind, PassthruError } from '../../core/errors.ts';
import { RedfishError, type RedfishErrorKind } from '../../redfish/index.ts';

const KINDS: Record<RedfishErrorKind, ErrorKind> = {
  unreachable: 'bmc_unreachable',
  busy: 'bmc_busy',
  tls: 'bmc_tls_failed',
  timeout: 'bmc_timeout',
  auth: 'bmc_refused',
  refused: 'bmc_refused',
  'not-found': 'bmc_refused',
  failed: 'bmc_failed',
  'outcome-unknown': 'outcome_unknown',
  stopped: 'cancelled',
  unsupported: 'bmc_unsupported',
};

/**
 * Maps a RedfishError to the caller's error, worded as Ironic does (recorded: "BMC unreachable", "get_subscription absent").
 * Returns other errors (an abort's reason, a PassthruError, a defect) unchanged.
 *
 * @param subject the owner of the BMC: `node UUID`, or an address
 * @param failed what failed, for example `Failed to create subscription on node UUID`; null to report only the BMC's error
 * @param kind replaces the kind that follows from the error
 */
export function toBmcError(error: unknown, subject: string, failed: string | null = null, kind?: ErrorKind): unknown {
  if (!(error instanceof RedfishError)) return error;
  if (error.kind === 'stopped' && error.cause instanceof PassthruError) {
    // Keeps the reason: a cancel, a deadline, a shutdown.
    return new PassthruError(error.cause.kind, `${error.cause.message}: ${error.message}`, { cause: error });
  }
  return new PassthruError(kind ?? KINDS[error.kind], describe(error, subject, failed), {
    cause: error,
    bmc: { status: error.status, extendedInfo: error.extendedInfo },
  });
}

function describe(error: RedfishError, subject: string, failed: string | null): string {
  const { message, url } = error;
  switch (error.kind) {
    case 'unreachable':
    case 'tls':
      return `Redfish connection failed for ${subject}: Unable to connect to ${url ?? 'the BMC'}. Error: ${message}`;
    case 'busy':
      return `Redfish connection failed for ${subject}: nothing was sent to ${url ?? 'the BMC'}. Error: ${message}`;
    case 'timeout':
      return `Redfish connection failed for ${subject}: ${url ?? 'The BMC'} did not respond. Error: ${message}`;
    default:
      return `Redfish exception occurred. Error: ${failed === null ? '' : `${failed}. Error: `}${message}`;
  }
}
