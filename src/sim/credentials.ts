import type { IncomingHttpHeaders } from 'node:http';
import type { Answer, BmcState } from './bmc.ts';
import { refuse } from './messages.ts';

/** How a request says who it comes from. */
export type AuthKind = 'none' | 'basic' | 'session';

/** Which credentials a request carries. A token counts before Basic when both are there. */
export function authKind(headers: IncomingHttpHeaders): AuthKind {
  if (headers['x-auth-token'] !== undefined) return 'session';
  return headers.authorization === undefined ? 'none' : 'basic';
}

/** The refusal of a request whose credentials are absent or wrong (DSP0266, "Authentication"), or undefined. */
export function refuseStranger(headers: IncomingHttpHeaders, bmc: BmcState): Answer | undefined {
  if (bmc.accounts === null) return undefined;
  switch (authKind(headers)) {
    case 'session':
      return bmc.sessions?.use(String(headers['x-auth-token'])) ? undefined : challenge(refuse('NoValidSession'));
    case 'basic': {
      const account = basicAccount(headers.authorization ?? '');
      const known = account !== null && knows(bmc, account.userName, account.password);
      return known ? undefined : challenge(refuse('AccessDenied', bmc.blueprint.profile.name));
    }
    case 'none':
      return challenge(refuse('NoValidSession'));
  }
}

/** Whether the BMC has this account; one that asks for no credentials takes any. */
export function knows(bmc: BmcState, userName: string, password: string): boolean {
  return bmc.accounts === null || bmc.accounts.get(userName) === password;
}

/** A 401 that says how to do better. */
export function challenge(answer: Answer): Answer {
  return { ...answer, headers: { ...answer.headers, 'WWW-Authenticate': 'Basic realm="simulated BMC"' } };
}

function basicAccount(authorization: string): { userName: string; password: string } | null {
  const [, encoded] = /^Basic ([A-Za-z0-9+/=]+)$/i.exec(authorization.trim()) ?? [];
  if (encoded === undefined) return null;
  const text = Buffer.from(encoded, 'base64').toString();
  const colon = text.indexOf(':');
  return colon < 0 ? null : { userName: text.slice(0, colon), password: text.slice(colon + 1) };
}
