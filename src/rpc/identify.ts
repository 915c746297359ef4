import { Code, ConnectError } from '@connectrpc/connect';
import type { Access } from '../auth/access.ts';
import type { Action } from '../auth/actions.ts';
import { credentialsOf } from '../auth/credentials.ts';
import { RETRY_AFTER_SECONDS } from '../contract/errorMapping.ts';
import type { Caller } from '../core/caller.ts';
import { PassthruError } from '../core/errors.ts';
import type { Logger } from '../core/logger.ts';
import type { RequestHead } from '../http/message.ts';
import { toConnectError } from './errors.ts';

/** The method that is called. */
interface Called {
  /** Its path without the leading slash, for logs. */
  readonly name: string;
  readonly action: Action | undefined;
  /** Whether it needs no authentication. */
  readonly isOpen: boolean;
}

/**
 * Returns the authenticated caller of `request`; null for a method without authentication. Refusals reject with the
 * ConnectError for the caller.
 * @param begin lets the call begin for its caller, or throws
 */
export function identify(
  request: RequestHead,
  { name, action, isOpen }: Called,
  access: Access,
  begin: (caller: Caller | null) => void,
  log: Logger,
): Caller | Promise<Caller> | null {
  const begun = (caller: Caller) => {
    begin(caller);
    return caller;
  };
  try {
    if (isOpen) {
      begin(null);
      return null;
    }
    const identity = access.identify(credentialsOf(request), action);
    if (!(identity instanceof Promise)) return begun(identity);
    return handled(identity.then(begun).catch((error: unknown) => Promise.reject(refusal(error, access, log, name))));
  } catch (error) {
    return handled(Promise.reject(refusal(error, access, log, name)));
  }
}

/** Returns the error for a caller who is not let in. */
function refusal(thrown: unknown, access: Access, log: Logger, name: string): ConnectError {
  const error = toConnectError(thrown, log, name);
  if (error.code === Code.Unauthenticated && access.challenge !== null) {
    error.metadata.set('WWW-Authenticate', access.challenge);
  }
  if (error.cause instanceof PassthruError && error.cause.kind === 'rate_limited') {
    error.metadata.set('Retry-After', String(RETRY_AFTER_SECONDS));
  }
  return error;
}

/** Returns `promise`, kept from being an unhandled rejection while no one awaits it yet. */
function handled<T>(promise: Promise<T>): Promise<T> {
  promise.catch(() => {});
  return promise;
}

/**
 * Yields `body` once its sender is authenticated. Fails with the refusal of an unauthenticated sender, whose body is
 * read without being kept, only to report that it is too large.
 * @param maxBytes the largest body; null for a stream, which has no bound
 */
export async function* afterIdentity(
  body: AsyncIterable<Uint8Array>,
  identity: Promise<unknown>,
  maxBytes: number | null,
): AsyncGenerator<Uint8Array> {
  try {
    await identity;
  } catch (refusal) {
    if (maxBytes !== null) await refuseLarge(body, maxBytes);
    throw refusal;
  }
  yield* body;
}

async function refuseLarge(body: AsyncIterable<Uint8Array>, maxBytes: number): Promise<void> {
  let length = 0;
  for await (const chunk of body) {
    length += chunk.length;
    if (length > maxBytes) throw tooLarge(maxBytes);
  }
}

/** Returns the error of a message that is too large, of a sender who is not authenticated. */
export function tooLarge(maxBytes: number): ConnectError {
  return new ConnectError(`The message is larger than ${maxBytes} bytes`, Code.ResourceExhausted);
}
