/**
 * The public API for drivers, imported as `passthru/driver`; see docs/drivers.md. The service imports nothing from here,
 * and no other module of the service is stable.
 */
export { z } from 'zod';
export { looseBoolean } from './core/arguments.ts';
export type { Role } from './core/caller.ts';
export {
  type BmcAnswer,
  type ErrorContext,
  type ErrorKind,
  type FieldViolation,
  PassthruError,
} from './core/errors.ts';
export type { EventSeverity } from './core/events/event.ts';
export type { EventSelection } from './core/events/eventSource.ts';
export type {
  BmcState,
  EventStreamSink,
  EventSubscription,
  EventSubscriptions,
  EventsInterface,
  EventsTask,
  NewEventSubscription,
  RegistryMessage,
} from './core/events/eventsInterface.ts';
export type { HardwareType, VendorInterface } from './core/hardware.ts';
export type { Json, JsonObject } from './core/json.ts';
export type { Logger } from './core/logger.ts';
export { Attachment, defineMethod, type Method, type MethodDefinition } from './core/method.ts';
export type { Node } from './core/node.ts';
export type { DriverTask, HttpMethod, NodeTask, Task } from './core/task.ts';
export type { Recorder } from './core/transcript.ts';
export type { DriverContext, DriverModule } from './drivers/load.ts';
