export type { AuthType } from './account.ts';
export type { RedfishClient, RequestOptions } from './client.ts';
export type { RedfishClients, RedfishClientsOptions, RedfishTarget } from './clients.ts';
export { createRedfishClients } from './clients.ts';
export type { CreateOutcome, NewSubscription } from './createSubscription.ts';
export { createSubscription } from './createSubscription.ts';
export type { EjectOutcome } from './ejectDevice.ts';
export type { EjectedDevice, EjectOptions } from './ejectMedia.ts';
export { ejectMedia } from './ejectMedia.ts';
export type { RedfishErrorKind } from './errors.ts';
export { hasStatus, isNotFound, RedfishError } from './errors.ts';
export type { EventService } from './eventService.ts';
export {
  deleteSubscription,
  EVENT_TYPES,
  getEventService,
  getSubscription,
  listSubscriptions,
} from './eventService.ts';
export type { Manager } from './manager.ts';
export { managersOf } from './manager.ts';
export { pathFault, segmentFault } from './paths.ts';
export type { ServiceRoot } from './serviceRoot.ts';
export { getServiceRoot } from './serviceRoot.ts';
export type { ComputerSystem } from './system.ts';
export { getSystem, listSystems } from './system.ts';
export type { TlsSettings } from './tls.ts';
export { ciphersFault } from './tls.ts';
export type { ObservedExchange, RequestLimits } from './transport.ts';
export type { MediaDevice, MediaSlot } from './virtualMedia.ts';
export { listMediaDevices } from './virtualMedia.ts';
