import type { Action } from '../auth/actions.ts';
import { routeFrom } from './apiTable.ts';
import { listConductors, showConductor } from './conductors.ts';
import type { Handler } from './context.ts';
import { listDrivers, showDriver, showDriverProperties } from './drivers.ts';
import {
  deleteEventSource,
  listEventSources,
  setEventSource,
  showEventSource,
  testEventSource,
} from './eventSources.ts';
import { listEvents } from './events.ts';
import { streamJobEvents } from './jobEvents.ts';
import { cancelJob, listJobs, showJob, showTranscript } from './jobs.ts';
import { listNodes, listNodesInDetail } from './nodes/nodeList.ts';
import {
  createNode,
  deleteNode,
  patchNode,
  setMaintenance,
  showNode,
  unsetMaintenance,
  validateNode,
} from './nodes/nodes.ts';
import { endReservation, renewReservation, showReservation, takeReservation } from './nodes/reservation.ts';
import { listShards } from './nodes/shards.ts';
import { attachVmedia, detachVmedia, listVmedia } from './nodes/vmedia.ts';
import type { RouteDescription } from './openapi/description.ts';
import * as docs from './openapi/descriptions.ts';
import { showOpenApi } from './openapi/document.ts';
import * as eventDocs from './openapi/eventDescriptions.ts';
import * as sources from './openapi/eventSourceDescriptions.ts';
import { callDriverMethod, callNodeMethod, listDriverMethods, listNodeMethods } from './passthru.ts';
import { showHealth, showMetrics, showRoot, showV1 } from './rootDocuments.ts';
import { type Route, VERBS, type Verb } from './router.ts';
import { UNSUPPORTED_ROUTES } from './unsupportedRoutes.ts';
import { streamEvents, streamJobs, streamNodes } from './watchEvents.ts';

const READ: readonly Verb[] = ['GET', 'HEAD'];

/** All routes of the service. The router, the OpenAPI document and the tests are built from this table. */
export const ROUTES: readonly Route[] = [
  route(READ, '/', 'read the root documents', showRoot, docs.root),
  route(READ, '/healthz', 'check the health', showHealth, docs.health),
  route(READ, '/metrics', 'read the metrics', showMetrics, docs.metrics),
  route(
    READ,
    '/openapi.json',
    'read the descriptions of the services',
    showOpenApi(() => ROUTES),
    docs.openApi,
  ),
  route(READ, '/v1', 'read the root documents', showV1, docs.v1),

  route(READ, '/v1/nodes', 'list nodes', listNodes, docs.nodes),
  route(['POST'], '/v1/nodes', 'enrol a node', createNode, docs.newNode),
  route(READ, '/v1/nodes/detail', 'list nodes', listNodesInDetail, docs.nodesInDetail),
  route(['GET'], '/v1/nodes/events', 'watch nodes', streamNodes, docs.nodesEvents),
  route(READ, '/v1/nodes/:ident', 'show a node', showNode, docs.node),
  route(['PATCH'], '/v1/nodes/:ident', 'change a node', patchNode, docs.nodePatch),
  route(['DELETE'], '/v1/nodes/:ident', 'remove a node', deleteNode, docs.nodeRemoval),
  route(['PUT'], '/v1/nodes/:ident/maintenance', 'change a node', setMaintenance, docs.maintenance),
  route(['DELETE'], '/v1/nodes/:ident/maintenance', 'change a node', unsetMaintenance, docs.noMaintenance),
  route(READ, '/v1/nodes/:ident/reservation', 'show a node', showReservation, docs.reservation),
  route(['PUT'], '/v1/nodes/:ident/reservation', 'lock a node', takeReservation, docs.newReservation),
  route(['PATCH'], '/v1/nodes/:ident/reservation', 'renew a lock', renewReservation, docs.reservationRenewal),
  route(['DELETE'], '/v1/nodes/:ident/reservation', 'unlock a node', endReservation, docs.reservationEnd),
  route(READ, '/v1/nodes/:ident/event_source', 'show an event source', showEventSource, sources.eventSource),
  route(['PUT'], '/v1/nodes/:ident/event_source', 'set an event source', setEventSource, sources.newEventSource),
  route(
    ['DELETE'],
    '/v1/nodes/:ident/event_source',
    'delete an event source',
    deleteEventSource,
    sources.noEventSource,
  ),
  route(
    ['POST'],
    '/v1/nodes/:ident/event_source/test',
    'test an event source',
    testEventSource,
    sources.eventSourceTest,
  ),
  route(READ, '/v1/nodes/:ident/validate', 'validate a node', validateNode, docs.validation),
  route(READ, '/v1/nodes/:ident/vendor_passthru/methods', 'list methods', listNodeMethods, docs.nodeMethods),
  // Calls take every verb: the method's own verbs are checked later, by the core.
  route(VERBS, '/v1/nodes/:ident/vendor_passthru', 'call a method', callNodeMethod, docs.nodeCall),
  route(VERBS, '/v1/nodes/:ident/vendor_passthru/:method', 'call a method', callNodeMethod, docs.nodeCallByPath),
  route(['GET'], '/v1/nodes/:ident/vmedia', 'call a method', listVmedia, docs.vmedia),
  route(['POST'], '/v1/nodes/:ident/vmedia', 'call a method', attachVmedia, docs.vmediaAttachment),
  route(['DELETE'], '/v1/nodes/:ident/vmedia', 'call a method', detachVmedia, docs.vmediaDetachment),
  route(READ, '/v1/shards', 'list nodes', listShards, docs.shards),

  route(READ, '/v1/drivers', 'list drivers', listDrivers, docs.drivers),
  route(READ, '/v1/drivers/:driver', 'list drivers', showDriver, docs.driver),
  route(READ, '/v1/drivers/:driver/properties', 'list drivers', showDriverProperties, docs.driverProperties),
  route(READ, '/v1/drivers/:driver/vendor_passthru/methods', 'list methods', listDriverMethods, docs.driverMethods),
  route(VERBS, '/v1/drivers/:driver/vendor_passthru', 'call a method', callDriverMethod, docs.driverCall),
  route(VERBS, '/v1/drivers/:driver/vendor_passthru/:method', 'call a method', callDriverMethod, docs.driverCallByPath),

  route(READ, '/v1/conductors', 'list conductors', listConductors, docs.conductors),
  route(READ, '/v1/conductors/:host', 'list conductors', showConductor, docs.conductor),

  route(READ, '/v1/event_sources', 'list event sources', listEventSources, sources.eventSources),

  route(READ, '/v1/jobs', 'list jobs', listJobs, docs.jobs),
  route(['GET'], '/v1/jobs/events', 'watch jobs', streamJobs, docs.jobsEvents),
  route(READ, '/v1/jobs/:id', 'show a job', showJob, docs.job),
  route(['DELETE'], '/v1/jobs/:id', 'cancel a job', cancelJob, docs.jobCancel),
  route(['GET'], '/v1/jobs/:id/events', 'watch a job', streamJobEvents, docs.jobEvents),
  route(READ, '/v1/jobs/:id/transcript', 'read a transcript', showTranscript, docs.transcript),

  // In every version: Ironic has the path for another purpose, since one of its versions.
  { ...route(READ, '/v1/events', 'list events', listEvents, eventDocs.events), from: 1 },
  { ...route(['GET'], '/v1/events/stream', 'watch events', streamEvents, eventDocs.eventsStream), from: 1 },

  ...UNSUPPORTED_ROUTES,
];

function route(
  verbs: readonly Verb[],
  path: string,
  action: Action,
  handler: Handler,
  description: RouteDescription,
): Route {
  return { verbs, path, action, handler, from: routeFrom(path), description };
}
