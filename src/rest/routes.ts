import { listConductors, showConductor } from './conductors.ts';
import { listDrivers, showDriver, showDriverProperties } from './drivers.ts';
import { showHealth } from './health.ts';
import { streamJobEvents } from './jobEvents.ts';
import { cancelJob, listJobs, showJob } from './jobs.ts';
import { listNodes, listNodesInDetail } from './nodeList.ts';
import {
  createNode,
  deleteNode,
  patchNode,
  setMaintenance,
  showNode,
  unsetMaintenance,
  validateNode,
} from './nodes.ts';
import { UNSERVED_ROUTES } from './notServed.ts';
import { callDriverMethod, callNodeMethod, listDriverMethods, listNodeMethods } from './passthru.ts';
import { showRoot, showV1 } from './rootDocuments.ts';
import type { Route, Verb } from './router.ts';

const READ: readonly Verb[] = ['GET', 'HEAD'];
/** A call takes every verb: which of them a method has is the method's to say, after the checks that come before. */
const CALL: readonly Verb[] = ['GET', 'HEAD', 'POST', 'PUT', 'PATCH', 'DELETE'];

/** Every route of the service. The router and the tests are made of it. */
export const ROUTES: readonly Route[] = [
  { verbs: READ, path: '/', action: 'read the root documents', handler: showRoot },
  { verbs: READ, path: '/healthz', action: 'check the health', handler: showHealth },
  { verbs: READ, path: '/v1', action: 'read the root documents', handler: showV1 },

  { verbs: READ, path: '/v1/nodes', action: 'list nodes', handler: listNodes },
  { verbs: ['POST'], path: '/v1/nodes', action: 'enrol a node', handler: createNode },
  { verbs: READ, path: '/v1/nodes/detail', action: 'list nodes', handler: listNodesInDetail },
  { verbs: READ, path: '/v1/nodes/:ident', action: 'show a node', handler: showNode },
  { verbs: ['PATCH'], path: '/v1/nodes/:ident', action: 'change a node', handler: patchNode },
  { verbs: ['DELETE'], path: '/v1/nodes/:ident', action: 'remove a node', handler: deleteNode },
  { verbs: ['PUT'], path: '/v1/nodes/:ident/maintenance', action: 'change a node', handler: setMaintenance },
  { verbs: ['DELETE'], path: '/v1/nodes/:ident/maintenance', action: 'change a node', handler: unsetMaintenance },
  { verbs: READ, path: '/v1/nodes/:ident/validate', action: 'validate a node', handler: validateNode },
  { verbs: READ, path: '/v1/nodes/:ident/vendor_passthru/methods', action: 'list methods', handler: listNodeMethods },
  { verbs: CALL, path: '/v1/nodes/:ident/vendor_passthru', action: 'call a method', handler: callNodeMethod },
  { verbs: CALL, path: '/v1/nodes/:ident/vendor_passthru/:method', action: 'call a method', handler: callNodeMethod },

  { verbs: READ, path: '/v1/drivers', action: 'list drivers', handler: listDrivers },
  { verbs: READ, path: '/v1/drivers/:driver', action: 'list drivers', handler: showDriver },
  { verbs: READ, path: '/v1/drivers/:driver/properties', action: 'list drivers', handler: showDriverProperties },
  {
    verbs: READ,
    path: '/v1/drivers/:driver/vendor_passthru/methods',
    action: 'list methods',
    handler: listDriverMethods,
  },
  { verbs: CALL, path: '/v1/drivers/:driver/vendor_passthru', action: 'call a method', handler: callDriverMethod },
  {
    verbs: CALL,
    path: '/v1/drivers/:driver/vendor_passthru/:method',
    action: 'call a method',
    handler: callDriverMethod,
  },

  { verbs: READ, path: '/v1/conductors', action: 'list conductors', handler: listConductors },
  { verbs: READ, path: '/v1/conductors/:host', action: 'list conductors', handler: showConductor },

  { verbs: READ, path: '/v1/jobs', action: 'list jobs', handler: listJobs },
  { verbs: READ, path: '/v1/jobs/:id', action: 'show a job', handler: showJob },
  { verbs: ['DELETE'], path: '/v1/jobs/:id', action: 'cancel a job', handler: cancelJob },
  { verbs: ['GET'], path: '/v1/jobs/:id/events', action: 'watch a job', handler: streamJobEvents },

  ...UNSERVED_ROUTES,
];
