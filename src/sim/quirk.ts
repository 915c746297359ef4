import type { Answer, BmcState, Next, Quirk, RedfishRequest } from './bmc.ts';
import { refuse } from './messages.ts';

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
