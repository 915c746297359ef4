import type { Logger } from './logger.ts';
import type { Node } from './node.ts';

/** What a method of a vendor interface works with: one call on one node. */
export interface NodeTask extends Task {
  /** The node when the call began. For an exclusive method it is this task's until the handler ends. */
  readonly node: Node;
}

/** What a driver method works with. */
export interface DriverTask extends Task {}

/** What every handler works with. */
export interface Task {
  /** The hardware type. */
  readonly driver: string;
  /** The method's name. */
  readonly method: string;
  /** The verb of the call, one of the method's. */
  readonly httpMethod: HttpMethod;
  /** The caller's name. */
  readonly requestedBy: string;
  /**
   * Fires on the caller's deadline or leaving (synchronous), on cancel, and on shutdown. Give it to every wait; a
   * handler that has stopped because of it throws `signal.reason`.
   */
  readonly signal: AbortSignal;
  /** The caller's deadline; null when there is none. */
  readonly deadline: Date | null;
  /** The number of the reservation that the task runs under, which grows with each; null for a method that needs none. */
  readonly fence: number | null;
  /**
   * Call it in the tick in which a request goes to the machine. Throws, and nothing must be sent, when the lease of the
   * reservation has run out, because the process was stopped or the store out of reach: another may have the node.
   */
  beforeSend(): void;
  /** Reports how far the work has come; `fraction` from 0 to 1, null when unknown. Ignored by a synchronous call. */
  progress(fraction: number | null, message: string): void;
  readonly log: Logger;
}

/** The verbs of a vendor method. */
export type HttpMethod = 'GET' | 'POST' | 'PUT' | 'PATCH' | 'DELETE';

export const HTTP_METHODS: readonly HttpMethod[] = ['GET', 'POST', 'PUT', 'PATCH', 'DELETE'];
