import type { EventsInterface } from './events/eventsInterface.ts';
import type { Method } from './method.ts';
import type { Node } from './node.ts';
import type { DriverTask, NodeTask } from './task.ts';

/** A set of vendor methods that a node can use. */
export interface VendorInterface {
  /** The name, for example `redfish` or `no-vendor`. */
  name: string;
  methods: readonly Method<NodeTask>[];
  /**
   * Checks `node.driverInfo` without a request, in each call. Throws kind `invalid_argument` that names what is missing or
   * invalid, or returns a promise that rejects with it, within 10 s.
   */
  validate?(node: Node): unknown;
}

/** A kind of machine: Ironic's hardware type, which its REST API calls driver. */
export interface HardwareType {
  /** The name, for example `redfish`. */
  name: string;
  /** The interfaces that a node can choose; the first is the default. */
  vendorInterfaces: readonly [VendorInterface, ...VendorInterface[]];
  /** Methods of the driver itself, called without a node. */
  driverMethods?: readonly Method<DriverTask>[];
  /** The keys of driver_info that the driver reads, with a description of each. */
  properties: Readonly<Record<string, string>>;
  /**
   * The keys among `properties` whose values are secrets. They show as `******`, whatever their names, and so do members and
   * arguments of the same names everywhere else. Names that mean a secret (`api_key`, `password` …) need not be given.
   */
  secretKeys?: readonly string[];
  /**
   * The keys among `properties` that hold the address of a machine's API: a URL of http or https, or a host. A URL of another
   * scheme is refused when a node is enrolled, and when the key is changed.
   */
  addressKeys?: readonly string[];
  /**
   * Returns the longest time, in milliseconds, that a request to the machine of `node` may be under way after
   * `task.beforeSend()`. When a process is lost, its nodes stay reserved for that long. Default 60 s.
   */
  longestRequest?(node: Node): number;
  /** How the events of its nodes are received; without it they cannot be. */
  events?: EventsInterface;
  /** Called when a node is removed or its driver_info changes; drops what is cached for it. Waited for up to 10 s. */
  release?(node: Node): Promise<void>;
  /** Closes connections and sessions; called once at shutdown, after the last task. Waited for up to 5 s. */
  close?(): Promise<void>;
}
