import { listConductors, showConductor } from './conductors.ts';
import { listDrivers, showDriver, showDriverProperties } from './drivers.ts';
import { streamJobEvents } from './jobEvents.ts';
import { cancelJob, listJobs, showJob } from './jobs.ts';
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
import * as describe from './openapi/descriptions.ts';
import { showOpenApi } from './openapi/document.ts';
import { callDriverMethod, callNodeMethod, listDriverMethods, listNodeMethods } from './passthru.ts';
import { showHealth, showMetrics, showRoot, showV1 } from './rootDocuments.ts';
import type { Route, Verb } from './router.ts';
import { UNSUPPORTED_ROUTES } from './unsupportedRoutes.ts';

const READ: readonly Verb[] = ['GET', 'HEAD'];
/** Calls take every verb: the method's own verbs are checked later, by the core. */
const CALL: readonly Verb[] = ['GET', 'HEAD', 'POST', 'PUT', 'PATCH', 'DELETE'];

/** All routes of the service. The router, the OpenAPI document and the tests are built from this table. */
export const ROUTES: readonly Route[] = [
  { verbs: READ, path: '/', action: 'read the root documents', handler: showRoot, description: describe.root },
  { verbs: READ, path: '/healthz', action: 'check the health', handler: showHealth, description: describe.health },
  {
    verbs: READ,
    path: '/metrics',
    action: 'read the figures',
    handler: showMetrics,
    description: describe.metrics,
  },
  {
    verbs: READ,
    path: '/openapi.json',
    action: 'read the descriptions of the services',
    handler: showOpenApi(() => ROUTES),
    description: describe.openApi,
  },
  { verbs: READ, path: '/v1', action: 'read the root documents', handler: showV1, description: describe.v1 },

  { verbs: READ, path: '/v1/nodes', action: 'list nodes', handler: listNodes, description: describe.nodes },
  { verbs: ['POST'], path: '/v1/nodes', action: 'enrol a node', handler: createNode, description: describe.newNode },
  {
    verbs: READ,
    path: '/v1/nodes/detail',
    action: 'list nodes',
    handler: listNodesInDetail,
    description: describe.nodesInDetail,
  },
  { verbs: READ, path: '/v1/nodes/:ident', action: 'show a node', handler: showNode, description: describe.node },
  {
    verbs: ['PATCH'],
    path: '/v1/nodes/:ident',
    action: 'change a node',
    handler: patchNode,
    description: describe.nodePatch,
  },
  {
    verbs: ['DELETE'],
    path: '/v1/nodes/:ident',
    action: 'remove a node',
    handler: deleteNode,
    description: describe.nodeRemoval,
  },
  {
    verbs: ['PUT'],
    path: '/v1/nodes/:ident/maintenance',
    action: 'change a node',
    handler: setMaintenance,
    description: describe.maintenance,
  },
  {
    verbs: ['DELETE'],
    path: '/v1/nodes/:ident/maintenance',
    action: 'change a node',
    handler: unsetMaintenance,
    description: describe.noMaintenance,
  },
  {
    verbs: READ,
    path: '/v1/nodes/:ident/validate',
    action: 'validate a node',
    handler: validateNode,
    description: describe.validation,
  },
  {
    verbs: READ,
    path: '/v1/nodes/:ident/vendor_passthru/methods',
    action: 'list methods',
    handler: listNodeMethods,
    description: describe.nodeMethods,
  },
  {
    verbs: CALL,
    path: '/v1/nodes/:ident/vendor_passthru',
    action: 'call a method',
    handler: callNodeMethod,
    description: describe.nodeCall,
  },
  {
    verbs: CALL,
    path: '/v1/nodes/:ident/vendor_passthru/:method',
    action: 'call a method',
    handler: callNodeMethod,
    description: describe.nodeCallByPath,
  },

  { verbs: READ, path: '/v1/drivers', action: 'list drivers', handler: listDrivers, description: describe.drivers },
  {
    verbs: READ,
    path: '/v1/drivers/:driver',
    action: 'list drivers',
    handler: showDriver,
    description: describe.driver,
  },
  {
    verbs: READ,
    path: '/v1/drivers/:driver/properties',
    action: 'list drivers',
    handler: showDriverProperties,
    description: describe.driverProperties,
  },
  {
    verbs: READ,
    path: '/v1/drivers/:driver/vendor_passthru/methods',
    action: 'list methods',
    handler: listDriverMethods,
    description: describe.driverMethods,
  },
  {
    verbs: CALL,
    path: '/v1/drivers/:driver/vendor_passthru',
    action: 'call a method',
    handler: callDriverMethod,
    description: describe.driverCall,
  },
  {
    verbs: CALL,
    path: '/v1/drivers/:driver/vendor_passthru/:method',
    action: 'call a method',
    handler: callDriverMethod,
    description: describe.driverCallByPath,
  },

  {
    verbs: READ,
    path: '/v1/conductors',
    action: 'list conductors',
    handler: listConductors,
    description: describe.conductors,
  },
  {
    verbs: READ,
    path: '/v1/conductors/:host',
    action: 'list conductors',
    handler: showConductor,
    description: describe.conductor,
  },

  { verbs: READ, path: '/v1/jobs', action: 'list jobs', handler: listJobs, description: describe.jobs },
  { verbs: READ, path: '/v1/jobs/:id', action: 'show a job', handler: showJob, description: describe.job },
  {
    verbs: ['DELETE'],
    path: '/v1/jobs/:id',
    action: 'cancel a job',
    handler: cancelJob,
    description: describe.jobCancel,
  },
  {
    verbs: ['GET'],
    path: '/v1/jobs/:id/events',
    action: 'watch a job',
    handler: streamJobEvents,
    description: describe.jobEvents,
  },

  ...UNSUPPORTED_ROUTES,
];
