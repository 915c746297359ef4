// The Redfish client: clients of BMCs (DSP0266) and the resources that the drivers use.
export type { BmcExchange } from './bmcContext.ts';
export type { RedfishClient, RequestOptions } from './client.ts';
export type { RedfishClients, RedfishClientsOptions, RedfishTarget } from './clients.ts';
export { createRedfishClients } from './clients.ts';
export type { RedfishErrorKind } from './errors.ts';
export { hasStatus, isNotFound, RedfishError } from './errors.ts';
export type { ServiceRoot } from './identity.ts';
export { pathFault, segmentFault } from './links.ts';
export type { AuthType } from './login/account.ts';
export type { EjectOutcome } from './resources/ejectDevice.ts';
export type { EjectedDevice, EjectOptions } from './resources/ejectMedia.ts';
export { ejectMedia } from './resources/ejectMedia.ts';
export type { EventService } from './resources/eventService.ts';
export {
  deleteSubscription,
  EVENT_TYPES,
  getEventService,
  getSubscription,
  listSubscriptions,
} from './resources/eventService.ts';
export type { Manager } from './resources/manager.ts';
export { managersOf } from './resources/manager.ts';
export { getServiceRoot } from './resources/serviceRoot.ts';
export type { CreateOutcome, NewSubscription } from './resources/subscription.ts';
export { createSubscription } from './resources/subscription.ts';
export type { ComputerSystem } from './resources/system.ts';
export { getSystem, listSystems } from './resources/system.ts';
export type { MediaDevice, MediaSlot } from './resources/virtualMedia.ts';
export { listMediaDevices } from './resources/virtualMedia.ts';
export type { ObservedExchange, RequestLimits } from './wire/delivery.ts';
export type { TlsSettings } from './wire/tls.ts';
export { ciphersFault } from './wire/tls.ts';
