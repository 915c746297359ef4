import { type ErrorKind, PassthruError } from '../../core/errors.ts';
import type { Node } from '../../core/node.ts';
import type { NodeTask } from '../../core/task.ts';
import {
  describeKnown,
  type RedfishClient,
  type RedfishClients,
  RedfishError,
  type RedfishErrorKind,
} from '../../redfish/index.ts';
import type { NodeBmc, RedfishSettings } from './driverInfo.ts';

/** What access to a BMC needs of a task. */
type BmcTask = Pick<NodeTask, 'node' | 'fence' | 'signal' | 'recorder' | 'beforeSend'>;

/**
 * Runs `use` with the BMC of a task's node and the path of its system; null to use the BMC's only one.
 * @param failed the part of an error before `node UUID`, for example `Failed to create subscription on`
 * @throws kind `invalid_argument` when driver_info is invalid; the result of `toBmcError` for an error of `use`
 */
export type UseBmc = <T>(
  task: BmcTask,
  failed: string,
  use: (client: RedfishClient, systemPath: string | null) => Promise<T>,
) => Promise<T>;

/**
 * Returns access by `clients`, whose connections and session the nodes of one BMC and account share.
 * @param read does the same as `readDriverInfo`
 */
export function accessBy(
  clients: RedfishClients,
  { fenceHeader }: RedfishSettings,
  read: (node: Node) => NodeBmc,
): UseBmc {
  return async (task, failed, use) => {
    const { node, fence, signal, recorder } = task;
    const { target, systemPath } = read(node);
    const headers: Record<string, string> =
      fenceHeader && fence !== null ? { 'x-passthru-node': node.uuid, 'x-passthru-fence': String(fence) } : {};
    const client = clients.for(target, { signal, headers, beforeSend: () => task.beforeSend(), recorder });
    recorder?.context(describeKnown(client, systemPath));
    try {
      return await use(client, systemPath);
    } catch (error) {
      const subject = `node ${node.uuid}`;
      throw toBmcError(error, subject, `${failed} ${subject}`);
    }
  };
}

const KINDS: Record<RedfishErrorKind, ErrorKind> = {
  unreachable: 'bmc_unreachable',
  busy: 'bmc_busy',
  tls: 'bmc_tls_failed',
  timeout: 'bmc_timeout',
  auth: 'bmc_refused',
  refused: 'bmc_refused',
  // Only subscriptions are addressed by the caller, and created.
  'not-found': 'subscription_not_found',
  exists: 'subscription_exists',
  occupied: 'failed_precondition',
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
 */
export function toBmcError(error: unknown, subject: string, failed: string | null = null): unknown {
  if (!(error instanceof RedfishError)) return error;
  if (error.kind === 'stopped' && error.cause instanceof PassthruError) {
    // Keeps the reason: a cancel, a deadline, a shutdown.
    return new PassthruError(error.cause.kind, `${error.cause.message.replace(/\.$/, '')}: ${error.message}`, {
      cause: error,
    });
  }
  const { kind, status, extendedInfo } = error;
  const message = describe(error, subject, failed);
  return new PassthruError(KINDS[kind], message, { cause: error, bmc: { status, extendedInfo } });
}

function describe({ kind, message, url }: RedfishError, subject: string, failed: string | null): string {
  switch (kind) {
    case 'unreachable':
    case 'tls':
      return `Redfish connection failed for ${subject}: Unable to connect to ${url ?? 'the BMC'}. Error: ${message}`;
    case 'busy':
      return `Redfish connection failed for ${subject}: nothing was sent to ${url ?? 'the BMC'}. Error: ${message}`;
    case 'timeout':
      return `Redfish connection failed for ${subject}: ${url ?? 'The BMC'} did not respond. Error: ${message}`;
    case 'exists':
      return `Redfish exception occurred. Error: ${failed}: ${message}`;
    default:
      return `Redfish exception occurred. Error: ${failed === null ? '' : `${failed}. Error: `}${message}`;
  }
}
