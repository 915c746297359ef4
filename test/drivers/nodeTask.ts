// Calls of methods of hardware types in tests, by the tasks of `passthru/testing`.
import type { HardwareType } from '../../src/core/hardware.ts';
import type { JsonObject } from '../../src/core/json.ts';
import type { Method } from '../../src/core/method.ts';
import type { Node } from '../../src/core/node.ts';
import type { DriverTask, NodeTask } from '../../src/core/task.ts';
import { createTask, type ReportedProgress } from '../../src/testing.ts';

/** Returns a free node of `driver` with that driver_info. */
export function nodeOf(driver: string, driverInfo: JsonObject = {}): Node {
  return createTask({ driver, driverInfo, node: { name: 'n-1' } }).task.node;
}

/** A call on a node, and what its handler reported. */
export interface RecordedTask {
  task: NodeTask & DriverTask;
  progress: ReportedProgress[];
  abort: AbortController;
}

/** Returns a task as the core would pass to a handler. `onProgress` is called at each report. */
export function taskOn(node: Node, onProgress: () => void = () => {}): RecordedTask {
  const abort = new AbortController();
  const progress: ReportedProgress[] = [];
  const { task } = createTask({
    driver: node.driver,

    signal: abort.signal,
    progress(fraction, message) {
      progress.push({ fraction, message });
      onProgress();
    },
  });
  // The same object, by which drivers know what they have read of it.
  return { task: { ...task, node }, progress, abort };
}

/** Returns a method of a hardware type by name, of its nodes or the driver's own. */
export function methodOf(hardwareType: HardwareType, name: string): Method<NodeTask & DriverTask> {
  const methods = [
    ...hardwareType.vendorInterfaces.flatMap((each) => each.methods),
    ...(hardwareType.driverMethods ?? []),
  ];
  const method = methods.find((each) => each.name === name);
  if (method === undefined) throw new Error(`${hardwareType.name} has no method ${name}`);
  return method as Method<NodeTask & DriverTask>;
}
