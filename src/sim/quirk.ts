import type { SecureVersion } from 'node:tls';
import type { BmcState } from './bmc.ts';
import type { ConnectionHabits } from './connections.ts';
import type { RedfishDocument } from './documents.ts';
import { refuse } from './messages.ts';
import type { Answer, RedfishRequest } from './response.ts';

/**
 * One thing that a machine does otherwise than Redfish says, or than most do. Quirks are values that are put together
 * at will: what one remembers of a BMC it keeps in a `WeakMap` by `BmcState`, which a BMC that is reset has anew.
 */
export interface Quirk {
  /** The word for `--quirk`. */
  name: string;
  /** One line for `--list-quirks`: what the BMC does, and which machines do. */
  description: string;
  /** Changes what the BMC has before any request, once for a whole fleet; `documents` is by path. */
  shapes?(documents: Map<string, RedfishDocument>): void;
  /** Answers before credentials are looked at; undefined: the request goes on. */
  precedes?(request: RedfishRequest, bmc: BmcState): Answer | undefined;
  /** Stands between a request whose credentials are good and what the BMC does: `next` is the rest of the way. */
  handles?(request: RedfishRequest, bmc: BmcState, next: Next): Answer;
  /** Changes every answer on its way out, refusals too. */
  finishes?(answer: Answer, request: RedfishRequest, bmc: BmcState): Answer;
  /** What becomes of a subscription whose events could not be delivered; `path` is its. */
  deliveryFailed?(path: string, bmc: BmcState): void;
  /** What the BMC has lost when it has restarted. */
  restarted?(bmc: BmcState): void;
  connections?: Partial<ConnectionHabits>;
  /** Sessions that the BMC holds, in place of the fleet's number. */
  maxSessions?: number;
  /** In place of what this Node serves; without a key and a certificate nothing. */
  tls?: { minVersion: SecureVersion; maxVersion: SecureVersion; ciphers: string };
}

/** Carries a request on; a quirk may pass another than it got, and pass it later. */
export type Next = (request: RedfishRequest) => Answer;

/** The answer to `request`, whose credentials are good, when all `quirks` have had their say; the first stands outermost. */
export function handleWith(
  quirks: readonly Quirk[],
  request: RedfishRequest,
  bmc: BmcState,
  carryOut: Next,
  from = 0,
): Answer {
  for (let index = from; index < quirks.length; index++) {
    const quirk = quirks[index] as Quirk;
    if (quirk.handles) {
      return quirk.handles(request, bmc, (passed) => handleWith(quirks, passed, bmc, carryOut, index + 1));
    }
  }
  return carryOut(request);
}

/** The name of the action whose target is the request's path, such as `VirtualMedia.EjectMedia`; undefined for others. */
export function actionName(request: RedfishRequest, bmc: BmcState): string | undefined {
  return request.method === 'POST' ? bmc.blueprint.actions.get(request.path)?.name : undefined;
}

/** Whether the request makes a subscription. */
export function isSubscribe(request: RedfishRequest, bmc: BmcState): boolean {
  return request.method === 'POST' && request.path === bmc.blueprint.subscriptions;
}

/** Whether the request wants a change that is no log-in or log-out. */
export function isChange({ method, path }: RedfishRequest, bmc: BmcState): boolean {
  const { sessions } = bmc.blueprint;
  return method !== 'GET' && method !== 'HEAD' && (sessions === null || !path.startsWith(sessions));
}

/** The request's JSON object; empty when it has none. What a quirk then makes of it, the BMC still checks. */
export function objectIn(request: RedfishRequest): Record<string, unknown> {
  try {
    const value: unknown = JSON.parse(request.body);
    return typeof value === 'object' && value !== null ? { ...value } : {};
  } catch {
    return {};
  }
}

/** 405, as a BMC says it of what it does not do. */
export function notAllowed(allow: string): Answer {
  const answer = refuse('OperationNotAllowed');
  return { ...answer, headers: { ...answer.headers, Allow: allow } };
}
