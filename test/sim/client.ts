import type { SimulatedBmc } from '../../src/sim/index.ts';

/** A response. */
export interface Reply {
  status: number;
  headers: Headers;
  text: string;
  // biome-ignore lint/suspicious/noExplicitAny: tests look into documents of many shapes
  json: any;
}

export interface CallOptions {
  /** Sent as JSON; a string is sent unchanged. */
  body?: unknown;
  headers?: Record<string, string>;
  /** Basic credentials as `user:password`, a session's token, or none; `u:p` by default. */
  auth?: { basic: string } | { token: string } | 'none';
  signal?: AbortSignal;
}

/** Sends one request to a simulated BMC. */
export async function call(bmc: SimulatedBmc, method: string, path: string, options: CallOptions = {}): Promise<Reply> {
  const { body, auth = { basic: 'u:p' } } = options;
  const headers: Record<string, string> = { ...options.headers };
  if (auth !== 'none' && 'basic' in auth) headers.Authorization = `Basic ${btoa(auth.basic)}`;
  if (auth !== 'none' && 'token' in auth) headers['X-Auth-Token'] = auth.token;
  if (body !== undefined) headers['Content-Type'] = 'application/json';
  const response = await fetch(`${bmc.url}${path}`, {
    method,
    headers,
    signal: options.signal ?? null,
    body: body === undefined ? null : typeof body === 'string' ? body : JSON.stringify(body),
  });
  const text = await response.text();
  let json: unknown;
  try {
    json = JSON.parse(text);
  } catch {
    json = undefined;
  }
  return { status: response.status, headers: response.headers, text, json };
}

/** Returns the MessageIds of a Redfish error, without the registry's name and version. */
export function messages(reply: Reply): string[] {
  const info: { MessageId: string }[] = reply.json?.error?.['@Message.ExtendedInfo'] ?? [];
  return info.map(({ MessageId: id }) => id.slice(id.lastIndexOf('.') + 1));
}

export const SESSIONS = '/redfish/v1/SessionService/Sessions';
export const SUBSCRIPTIONS = '/redfish/v1/EventService/Subscriptions';
export const SYSTEM = '/redfish/v1/Systems/437XR1138R2';
export const CD = `${SYSTEM}/VirtualMedia/CD1`;

/** Logs in as u; returns the token and the path of the session. */
export async function logIn(bmc: SimulatedBmc): Promise<{ token: string; path: string }> {
  const reply = await call(bmc, 'POST', SESSIONS, { auth: 'none', body: { UserName: 'u', Password: 'p' } });
  return { token: reply.headers.get('X-Auth-Token') ?? '', path: reply.headers.get('Location') ?? '' };
}
