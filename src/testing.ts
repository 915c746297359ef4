/**
 * The public API for tests of drivers, imported as `passthru/testing`; see docs/drivers.md. The service imports nothing from
 * here.
 */
import { PassthruError } from './core/errors.ts';
import type { JsonObject } from './core/json.ts';
import type { Node } from './core/node.ts';
import type { NodeTask } from './core/task.ts';

export * from './sim/index.ts';

/** One report of progress. */
export interface ReportedProgress {
  /** From 0 to 1; null when unknown. */
  fraction: number | null;
  message: string;
}

/** A line that a handler logged. */
export interface LoggedLine {
  level: 'debug' | 'info' | 'warn' | 'error';
  fields: object;
  message: string;
}

/** A task for a method's `run`, and what its handler did with it. */
export interface TestTask {
  task: NodeTask;
  /** The reports of progress, in order. */
  progress: ReportedProgress[];
  /** The lines that were logged, in order. */
  logged: LoggedLine[];
  /** Aborts `task.signal`, as the cancellation of a job does. */
  cancel(): void;
}

/** What a test decides of a task; the rest has defaults. */
export interface TestTaskOptions extends Partial<Omit<NodeTask, 'node'>> {
  /** The driver_info of the node. */
  driverInfo?: JsonObject;
  /** Other members of the node. */
  node?: Partial<Node>;
}

/** Makes a task as the service would pass it to a handler: a call on a reserved node, whose reservation stays valid. */
export function createTask({ driverInfo = {}, node = {}, ...given }: TestTaskOptions = {}): TestTask {
  const controller = new AbortController();
  const progress: ReportedProgress[] = [];
  const logged: LoggedLine[] = [];
  const log = (level: LoggedLine['level']) => (fields: object, message: string) => {
    logged.push({ level, fields, message });
  };
  const { driver = 'test', method = 'test' } = given;
  const task: NodeTask = {
    driver,
    method,
    httpMethod: 'POST',
    requestedBy: 'test',
    signal: controller.signal,
    deadline: null,
    fence: 1,
    beforeSend() {},
    progress: (fraction, message) => void progress.push({ fraction, message }),
    log: { debug: log('debug'), info: log('info'), warn: log('warn'), error: log('error') },
    recorder: null,
    ...given,
    node: { ...testNode(driver), driverInfo, ...node },
  };
  return {
    task,
    progress,
    logged,
    cancel: () => controller.abort(new PassthruError('cancelled', 'The job was cancelled')),
  };
}

function testNode(driver: string): Node {
  return {
    uuid: '22222222-2222-4222-8222-222222222222',
    name: 'test-node',
    driver,
    vendorInterface: driver,
    driverInfo: {},
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
