// The Redfish client: clients of BMCs (DSP0266) and the resources that the drivers use.
export type { BmcExchange, RedfishTarget } from './bmcContext.ts';
export type { RedfishClient } from './client.ts';
export { createRedfishClients, type RedfishClients } from './clients.ts';
export { RedfishError, type RedfishErrorKind } from './errors.ts';
export { type ManagerState, readBmcState } from './events/bmcState.ts';
export { readEventStream } from './events/eventStream.ts';
export {
  listEventSubscriptions,
  readEventSubscription,
  readLinked,
  removeEventSubscription,
  subscribeToEvents,
} from './events/eventSubscriptions.ts';
export { readMessages } from './events/messageRegistries.ts';
export { submitTestEvent } from './events/testEvent.ts';
export { pathFault, segmentFault } from './links.ts';
export type { AuthType } from './login/account.ts';
export type { CertificateFacts } from './probe/certificate.ts';
export { ProbeStopped } from './probe/crawl.ts';
export { type ProbeResult, probeBmc } from './probe/probe.ts';
export type { ProbeReport } from './probe/report.ts';
export { ejectMedia } from './resources/ejectMedia.ts';
export {
  deleteSubscription,
  EVENT_TYPES,
  getEventService,
  getSubscription,
  listSubscriptions,
} from './resources/eventService.ts';
export type { Medium } from './resources/insertDevice.ts';
export { protocolOf } from './resources/insertDevice.ts';
export { insertMedia } from './resources/insertMedia.ts';
export { listMedia } from './resources/listMedia.ts';
export { getServiceRoot } from './resources/serviceRoot.ts';
export { createSubscription, type NewSubscription } from './resources/subscription.ts';
export { type ComputerSystem, getSystem, listSystems, managersOf } from './resources/system.ts';
export { maySleep, readParts, type Unreadable } from './resources/unreadable.ts';
export { type MediaListing, MediaSearch } from './resources/virtualMedia.ts';
export { describeKnown } from './transcript/known.ts';
export { type Authorities, AuthoritiesError, isPem, isWithin, pemFault } from './wire/authorities.ts';
export type { Patience } from './wire/repeat.ts';
export { ciphersFault, type TlsSettings, tlsContexts } from './wire/tls.ts';
