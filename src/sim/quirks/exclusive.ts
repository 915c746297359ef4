import type { Quirk } from '../bmc.ts';

/** The quirks that are different answers to one question, of which a BMC can give only one. */
const CHOICES: readonly RegExp[] = [
  /^(media-under-(manager|system|both)|no-virtual-media)$/,
  /^eject-wants-object-/,
  /^insert-(wants-(protocol|method)|405-in-first-slot|refused-by-first-slot)$/,
  /^patch-refuses-inserted/,
  /^image-(without-scheme|hidden)$/,
  /^(events-disabled|no-event-service$)/,
  /^event-(not-repeated|retries-lost|suspends)$/,
  /^event-restart-/,
  /^event-stream-/,
  /^event-message-(empty|missing|null)$/,
  /^event-message-id-/,
  /^event-args-/,
  /^event-origin-/,
  /^event-severity-/,
  /^event-timestamp-/,
  /^event-type-/,
  /^event-id-/,
  /^event-body-(single|alerts|link|bare)$/,
  /^event-context-/,
  /^test-event-(missing|ilo|idrac|xcc|needs-type|fixed|lost|500)$/,
  /^test-event-ids-/,
  /^test-event-message-id-/,
  /^create-/,
  /^one-per-destination-/,
  /^refuses-context/,
  /^refuses-event-types/,
  /^refuses-protocol/,
  /^context-/,
  /^http-headers-/,
  /^destination-(port|no-port|hidden)$/,
  /^destination-(lower|upper)-host$/,
  /^destination-(slash|no-slash)$/,
  /^unreadable-device-/,
  /^(unreadable-subscription|closed-subscriptions)-/,
  /^media-(without-members|error-200|page-missing|page-loop)$/,
  /^subscriptions-(without-members|error-200|page-missing|page-loop)$/,
  /^(sleeping|failing|closed|no)-managers?$/,
  /^(sleeping|closed)-system$/,
  /^root-/,
  /^redirect-(to|from)-slash$/,
  /^redirects-to-slash-/,
  /^links-/,
  /^(etag-(empty|missing)|weak-etags)/,
  /^errors-/,
  /^busy-/,
  /^first-read-/,
  /^tasks/,
  /^(log-in-|sessions-(refused|disabled)$|no-session-service)/,
  /^wrong-password-/,
  /^ended-session-/,
  /^session-serves-/,
  /^(few-requests|one-request)-/,
  /^tls-/,
];

/**
 * Returns the first two of `quirks` that exclude each other: with both, one of them would have no effect. Null when all can
 * be had together.
 */
export function excluding(quirks: readonly Quirk[]): [Quirk, Quirk] | null {
  for (const choice of CHOICES) {
    const [first, ...others] = quirks.filter(({ name }) => choice.test(name));
    const second = others.find(({ name }) => name !== first?.name);
    if (first !== undefined && second !== undefined) return [first, second];
  }
  return null;
}
