import type { HardwareType } from '../../src/core/hardware.ts';
import type { JsonObject } from '../../src/core/json.ts';
import { silentLogger } from '../../src/core/logger.ts';
import type { Method } from '../../src/core/method.ts';
import type { Node } from '../../src/core/node.ts';
import type { DriverTask, NodeTask } from '../../src/core/task.ts';

/** Returns a free node of `driver` with that driver_info. */
export function nodeOf(driver: string, driverInfo: JsonObject = {}): Node {
  return {
    uuid: '22222222-2222-4222-8222-222222222222',
    name: 'n-1',
    driver,
    vendorInterface: 'any',
    driverInfo,
    extra: {},
    properties: {},
    description: null,
    maintenance: false,
    maintenanceReason: null,
    attributes: {},
    lastError: null,
    reservation: null,
    createTime: new Date(0),
    updateTime: null,
  };
}

/** A call on a node, and what its handler reported. */
export interface RecordedTask {
  task: NodeTask & DriverTask;
  progress: { fraction: number | null; message: string }[];
  abort: AbortController;
}

/** Returns a task as the core would pass to a handler. `onProgress` is called at each report. */
export function taskOn(node: Node, onProgress: () => void = () => {}): RecordedTask {
  const abort = new AbortController();
  const progress: RecordedTask['progress'] = [];
  const task = {
    driver: node.driver,
    method: 'any',
    httpMethod: 'POST' as const,
    requestedBy: 'test',
    signal: abort.signal,
    deadline: null,
    fence: 1,
    beforeSend() {},
    progress(fraction: number | null, message: string) {
      progress.push({ fraction, message });
      onProgress();
    },
    log: silentLogger,
    recorder: null,
    node,
  };
  return { task, progress, abort };
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
