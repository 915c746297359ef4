/** Follows what happens to nodes. Its methods never reject. */
export interface NodeFollower {
  /** The driver or the driver_info of a node was changed. */
  nodeChanged(nodeUuid: string): Promise<void>;
  /** A node was deleted. What is still to be done with its machine is done when the promise resolves, or later. */
  nodeDeleted(nodeUuid: string): Promise<void>;
}
