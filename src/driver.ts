/**
 * What the author of a driver imports, as `passthru/driver`: see docs/drivers.md. The service imports nothing from
 * here, and nothing else of the service is promised to stay as it is.
 */
export { z } from 'zod';
export { looseBoolean } from './core/arguments.ts';
export {
  type BmcAnswer,
  type ErrorContext,
  type ErrorKind,
  type FieldViolation,
  PassthruError,
} from './core/errors.ts';
export type { HardwareType, VendorInterface } from './core/hardware.ts';
export type { Json, JsonObject } from './core/json.ts';
export type { Logger } from './core/logger.ts';
export { Attachment, defineMethod, type Method, type MethodDefinition } from './core/method.ts';
export type { Node } from './core/node.ts';
export type { DriverTask, HttpMethod, NodeTask, Task } from './core/task.ts';
export type { DriverContext, DriverModule } from './drivers/load.ts';
