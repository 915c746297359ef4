import type { Method } from './method.ts';
import type { Node } from './node.ts';
import type { DriverTask, NodeTask } from './task.ts';

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
  /**
   * Returns the longest time, in milliseconds, that a request to the machine of `node` may be under way after
   * `task.beforeSend()`. When a process is lost, its nodes stay reserved for that long. Default 60 s.
   */
  longestRequest?(node: Node): number;
  /** Called when a node is removed or its driver_info changes: forget what was kept for it. */
  release?(node: Node): Promise<void>;
  /** Ends connections and sessions; called once at shutdown, after the last task. */
  close?(): Promise<void>;
}
