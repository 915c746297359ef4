import type { Logger } from './logger.ts';
import type { Method } from './method.ts';
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

/** A set of vendor methods that a node may have. */
export interface VendorInterface {
  /** The name, for example `redfish` or `no-vendor`. */
  name: string;
  methods: readonly Method<NodeTask>[];
  /**
   * Checks that `node.driverInfo` has what the methods need, without asking the machine.
   * Throws a PassthruError of kind `invalid_argument` that says what is missing.
   */
  validate?(node: Node): void;
}

/** What kind of machine a node is: Ironic's hardware type, called driver in its REST API. */
export interface HardwareType {
  /** The name, for example `redfish`. */
  name: string;
  /** The interfaces that a node may name; the first is the default. */
  vendorInterfaces: readonly [VendorInterface, ...VendorInterface[]];
  /** Methods of the driver itself, which need no node. */
  driverMethods?: readonly Method<DriverTask>[];
  /** The keys of driver_info that are read, and what each means. */
  properties: Readonly<Record<string, string>>;
  /** Called when a node is removed or its driver_info changes: forget what was kept for it. */
  release?(node: Node): Promise<void>;
  /** Ends connections and sessions; called once at shutdown, after the last task. */
  close?(): Promise<void>;
}
