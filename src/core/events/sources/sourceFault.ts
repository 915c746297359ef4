import { PassthruError } from '../../errors.ts';
import { maskOwnSecrets } from '../../secrets.ts';
import type { EventSourceState } from '../eventSource.ts';

/** Why a source is not active, in the operator's words. */
export interface SourceFault {
  state: Extract<EventSourceState, 'degraded' | 'failed'>;
  reason: string;
  /** Whether the BMC takes no subscription, so that another transport may work. */
  refused: boolean;
}

/** The begin of a reason. */
export const UNREACHABLE = 'The BMC cannot be reached';

/** The begin of the reason of a BMC that sends nothing to anybody. */
export const SWITCHED_OFF = 'Switch on the EventService of the BMC';

/** What the BMC's words mean, and what to do. The first that matches counts. */
const REFUSALS: { words: RegExp; advice: string }[] = [
  {
    words:
      /SubscriptionLimit|LimitExceeded|(?:maximum|max\.?) number|too many subscriptions|no (?:more )?(?:free|seat)|\blimit\b/i,
    advice:
      'The BMC has no room for another subscription: delete one that nobody needs (get_all_subscriptions, delete_subscription)',
  },
  {
    words: /switched off|ServiceEnabled|ServiceDisabled/i,
    advice: `${SWITCHED_OFF} (ServiceEnabled)`,
  },
  { words: /no EventService|has no Subscriptions/i, advice: 'Delete the source: this BMC cannot send events' },
  {
    words: /Destination/,
    advice:
      'The BMC does not take events.url as a destination: some want https, a port of their own, or a name that they can resolve',
  },
];

/** Returns what a failed step means for a source. */
export function sourceFault(error: unknown): SourceFault {
  if (!(error instanceof PassthruError)) {
    return { state: 'degraded', reason: 'Internal error; the log of the service has more', refused: false };
  }
  const said = maskOwnSecrets(error.message).replace(/\.$/, '');
  const degraded = (advice: string): SourceFault => ({
    state: 'degraded',
    reason: `${advice}. ${said}`,
    refused: false,
  });
  switch (error.kind) {
    case 'bmc_unreachable':
    case 'bmc_timeout':
    case 'bmc_busy':
      return degraded(`${UNREACHABLE}; the service tries again`);
    case 'bmc_tls_failed':
      return degraded(
        'The certificate of the BMC is not trusted, as after a change of the certificate: set redfish_verify_ca to its authority',
      );
    case 'outcome_unknown':
      return degraded('The BMC did not tell what became of a request; the service looks again');
    case 'node_locked':
      return degraded('The node is locked; the service goes on when it is free');
    case 'invalid_argument':
      return degraded('Correct the driver_info of the node');
    case 'driver_not_found':
      return degraded('The driver of the node is not loaded');
    case 'store_unavailable':
    case 'shutting_down':
    case 'worker_lost':
    case 'cancelled':
      return degraded('The service goes on when it can');
  }
  if (error.bmc?.status === 401 || /password|credentials|log ?in/i.test(said)) {
    return degraded('The BMC refuses the credentials: correct them in the driver_info of the node');
  }
  const words = `${said} ${JSON.stringify(error.bmc?.extendedInfo ?? [])}`;
  const advice = REFUSALS.find((refusal) => refusal.words.test(words))?.advice;
  const state = error.kind === 'bmc_unsupported' ? 'failed' : 'degraded';
  return { state, reason: advice === undefined ? said : `${advice}. ${said}`, refused: true };
}

/** A wrong clock, beyond what certificates and logs bear, in milliseconds. */
const WRONG_CLOCK = 5 * 60_000;

/** Returns how wrong the clock of a BMC is; null when it is right or unknown. */
export function clockFault(clock: Date | null, now: Date): string | null {
  if (clock === null) return null;
  const ahead = clock.getTime() - now.getTime();
  if (Math.abs(ahead) < WRONG_CLOCK) return null;
  const minutes = Math.round(Math.abs(ahead) / 60_000);
  const size =
    minutes < 120
      ? `${minutes} minutes`
      : minutes < 2880
        ? `${Math.round(minutes / 60)} hours`
        : `${Math.round(minutes / 1440)} days`;
  return `The clock of the BMC is ${size} ${ahead > 0 ? 'ahead' : 'behind'}: set it, as a BMC with a wrong clock may refuse the certificate of events.url`;
}
