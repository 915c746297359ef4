import { randomUUID } from 'node:crypto';
import type { BmcState } from './bmc.ts';
import { ROOT } from './bmc.ts';
import { memberPath } from './documents.ts';
import { lastSegment } from './path.ts';

/** How a BMC comes back from a restart. */
export interface RestartOptions {
  /** Milliseconds for which it refuses connections; the fleet's by default. */
  bootTime?: number | undefined;
  /** What is new in its service root afterwards: nothing, a property and so the ETag (new firmware), or its UUID. */
  serviceRoot?: 'same' | 'etag' | 'uuid' | undefined;
}

/** What a BMC loses when it restarts: its sessions, and what its quirks say. */
export function forgetAtRestart(bmc: BmcState, { serviceRoot = 'same' }: RestartOptions): void {
  bmc.sessions?.endAll();
  for (const quirk of bmc.blueprint.quirks) quirk.restarted?.(bmc);
  const root = bmc.documents.get(ROOT);
  if (!root || serviceRoot === 'same') return;
  if (serviceRoot === 'uuid') bmc.documents.set(ROOT, { ...root, UUID: randomUUID() });
  else bmc.documents.set(ROOT, { ...root, Product: `${root.Product ?? root.Name}, updated` });
}

/** The paths of the subscriptions that there are; with `id` that of the one, or none. */
export function subscriptionPaths(bmc: BmcState, id?: string): string[] {
  const { subscriptions } = bmc.blueprint;
  const members = subscriptions === null ? undefined : bmc.documents.get(subscriptions)?.Members;
  const paths = Array.isArray(members) ? members.map(memberPath).filter((path) => path !== null) : [];
  return id === undefined ? paths : paths.filter((path) => lastSegment(path) === id);
}
