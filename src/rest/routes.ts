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
  { verbs: READ, path: '/', handler: showRoot },
  { verbs: READ, path: '/healthz', handler: showHealth },
  { verbs: READ, path: '/v1', handler: showV1 },

  { verbs: READ, path: '/v1/nodes', handler: listNodes },
  { verbs: ['POST'], path: '/v1/nodes', handler: createNode },
  { verbs: READ, path: '/v1/nodes/detail', handler: listNodesInDetail },
  { verbs: READ, path: '/v1/nodes/:ident', handler: showNode },
  { verbs: ['PATCH'], path: '/v1/nodes/:ident', handler: patchNode },
  { verbs: ['DELETE'], path: '/v1/nodes/:ident', handler: deleteNode },
  { verbs: ['PUT'], path: '/v1/nodes/:ident/maintenance', handler: setMaintenance },
  { verbs: ['DELETE'], path: '/v1/nodes/:ident/maintenance', handler: unsetMaintenance },
  { verbs: READ, path: '/v1/nodes/:ident/validate', handler: validateNode },
  { verbs: READ, path: '/v1/nodes/:ident/vendor_passthru/methods', handler: listNodeMethods },
  { verbs: CALL, path: '/v1/nodes/:ident/vendor_passthru', handler: callNodeMethod },
  { verbs: CALL, path: '/v1/nodes/:ident/vendor_passthru/:method', handler: callNodeMethod },

  { verbs: READ, path: '/v1/drivers', handler: listDrivers },
  { verbs: READ, path: '/v1/drivers/:driver', handler: showDriver },
  { verbs: READ, path: '/v1/drivers/:driver/properties', handler: showDriverProperties },
  { verbs: READ, path: '/v1/drivers/:driver/vendor_passthru/methods', handler: listDriverMethods },
  { verbs: CALL, path: '/v1/drivers/:driver/vendor_passthru', handler: callDriverMethod },
  { verbs: CALL, path: '/v1/drivers/:driver/vendor_passthru/:method', handler: callDriverMethod },

  { verbs: READ, path: '/v1/conductors', handler: listConductors },
  { verbs: READ, path: '/v1/conductors/:host', handler: showConductor },

  { verbs: READ, path: '/v1/jobs', handler: listJobs },
  { verbs: READ, path: '/v1/jobs/:id', handler: showJob },
  { verbs: ['DELETE'], path: '/v1/jobs/:id', handler: cancelJob },
  { verbs: ['GET'], path: '/v1/jobs/:id/events', handler: streamJobEvents },

  ...UNSERVED_ROUTES,
];
