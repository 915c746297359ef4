import { createdPaths } from '../createdPaths.ts';
import { RedfishError } from '../errors.ts';
import { deliver, type RequestLimits, type Transport } from '../wire/delivery.ts';
import type { RawResponse } from '../wire/request.ts';
import { type RedfishResponse, readResponse, responseError } from '../wire/response.ts';
import type { OrphanedSessions, OwnSession } from './orphanedSessions.ts';

/** A session that the BMC has opened. */
export interface OpenSession {
  token: string;
  /** The path and the time of creation; null when the BMC sent no path. */
  resource: OwnSession | null;
  /** Where it is when it is not at the path of `resource`; null without doubt. */
  otherPath: string | null;
  /** The collection in which it was made. */
  collection: string;
}

/** Limits of the requests that delete sessions, which must not hold up their caller. */
export const TIDY_LIMITS = { timeoutMs: 1500, connectionAttempts: 1, connectionRetryIntervalMs: 0, patienceMs: 0 };
const TIDY_TRIES = 3;

/**
 * Returns the paths at which the new session of a login may be, the likeliest first; see `createdPaths`. A BMC may have its
 * sessions elsewhere than in the collection to which it links, so that an absolute path counts as it is.
 */
export function sessionPaths(response: RedfishResponse, collection: string): string[] {
  const { location } = response.headers;
  const isRelative = location !== undefined && !location.startsWith('/') && !URL.canParse(location);
  const paths = createdPaths(response, collection);
  return isRelative ? paths : paths.reverse();
}

/** Deletes a session by means of itself. */
export async function deleteSession(
  transport: Transport,
  open: OpenSession,
  limits: RequestLimits,
  signal: AbortSignal,
): Promise<void> {
  if (open.resource === null) return;
  const { status } = await tidy(transport, 'DELETE', open.resource.path, open, limits, signal);
  if ([404, 405].includes(status) && open.otherPath !== null) {
    await tidy(transport, 'DELETE', open.otherPath, open, limits, signal);
  }
}

/** Deletes the sessions that lost logins may have left; if that fails, they are still remembered. */
export async function endOrphaned(
  transport: Transport,
  orphaned: OrphanedSessions,
  open: OpenSession,
  limits: RequestLimits,
  signal: AbortSignal,
): Promise<void> {
  const { origin } = transport.connections;
  const read = async (path: string) => {
    const raw = await tidy(transport, 'GET', path, open, limits, signal);
    const { document } = readResponse(raw);
    if (raw.status < 300 && document !== null) return document;
    throw responseError('GET', origin + path, raw, [open.token]);
  };
  const remove = async (path: string) => {
    const raw = await tidy(transport, 'DELETE', path, open, limits, signal);
    if (raw.status >= 500) throw responseError('DELETE', origin + path, raw, [open.token]);
  };
  await orphaned.endSessions(open.collection, origin, open.resource, read, remove).catch(() => undefined);
}

/** Sends a request that is safe to repeat, and repeats it when the BMC fails or does not respond. */
async function tidy(
  transport: Transport,
  method: 'GET' | 'DELETE',
  path: string,
  { token }: OpenSession,
  limits: RequestLimits,
  signal: AbortSignal,
): Promise<RawResponse> {
  const request = { method, path, headers: { 'x-auth-token': token }, body: null };
  for (let tries = 1; ; tries++) {
    try {
      const raw = await deliver(transport, request, { limits, signal });
      if (raw.status < 500 || tries === TIDY_TRIES) return raw;
    } catch (error) {
      const retry =
        error instanceof RedfishError && (error.reset || ['outcome-unknown', 'timeout'].includes(error.kind));
      if (!retry || tries === TIDY_TRIES) throw error;
    }
  }
}
