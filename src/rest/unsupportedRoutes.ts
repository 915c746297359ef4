import { PassthruError } from '../core/errors.ts';
import { routeFrom } from './apiTable.ts';
import { type Exchange, enter } from './context.ts';
import { sendHttpError } from './fault.ts';
import { type Route, VERBS, type Verb } from './router.ts';
import { notYet } from './versionGate.ts';

const COLLECTIONS = [
  'allocations',
  'chassis',
  'continue_inspection',
  'deploy_templates',
  'heartbeat',
  'inspection_rules',
  'lookup',
  'portgroups',
  'ports',
  'runbooks',
  'volume',
];

const NODE_PARTS = [
  'allocation',
  'bios',
  'children',
  'firmware',
  'history',
  'inventory',
  'management',
  'portgroups',
  'ports',
  'states',
  'traits',
  'vifs',
  'volume',
];

/** What Ironic returns for a route before its first version, by verb; 404 for verbs that are not listed. */
type EarlyStatus = Readonly<Record<string, 405 | 406>>;

const NO_WRITES: EarlyStatus = { POST: 405, PUT: 405, PATCH: 405, DELETE: 405 };

const EARLY: ReadonlyMap<string, EarlyStatus> = new Map<string, EarlyStatus>([
  ['/v1/allocations', NO_WRITES],
  ['/v1/deploy_templates', NO_WRITES],
  ['/v1/inspection_rules', NO_WRITES],
  ['/v1/runbooks', NO_WRITES],
  ['/v1/nodes/:ident/traits', { GET: 406, HEAD: 406, PUT: 405 }],
  ['/v1/nodes/:ident/states/raid', { ...NO_WRITES, PUT: 406 }],
  ['/v1/drivers/:driver/raid', { ...NO_WRITES, GET: 406, HEAD: 406 }],
]);

/** Ironic's routes that are not supported here. They get an error of their own instead of 404. */
export const UNSUPPORTED_ROUTES: readonly Route[] = [
  ...COLLECTIONS.flatMap((name) => unsupported(`/v1/${name}`, name)),
  // Ironic's events, of networks, are posted to it. The events of hardware are read here.
  ...unsupported('/v1/events', 'events of networks', ['POST', 'PUT', 'PATCH', 'DELETE']),
  ...NODE_PARTS.flatMap((name) => unsupported(`/v1/nodes/:ident/${name}`, `the ${name} of a node`)),
  ...unsupported('/v1/nodes/:ident/states/raid', 'the states of a node'),
  // Ironic has these in the reverse order as well, with the node at the end.
  ...['management', 'states'].map((name) => refusing(`/v1/nodes/${name}/*`, `the ${name} of a node`)),
  ...unsupported('/v1/drivers/:driver/raid', 'the RAID properties of a driver'),
];

function unsupported(path: string, subject: string, verbs: readonly Verb[] = VERBS): Route[] {
  const early = EARLY.get(path);
  return [path, `${path}/*`].map((each) => refusing(each, subject, early, each === path ? verbs : VERBS));
}

function refusing(path: string, subject: string, early?: EarlyStatus, verbs: readonly Verb[] = VERBS): Route {
  const from = routeFrom(path);
  const handler = (exchange: Exchange): void => {
    enter(exchange);
    if (exchange.minor < from) {
      refuseEarly(exchange, subject, from, early?.[exchange.request.method ?? '']);
      return;
    }
    throw new PassthruError(
      'not_served',
      `Not served here: ${subject}. This service supports Ironic's vendor passthru and the nodes that it needs.`,
    );
  };
  return {
    verbs,
    path,
    action: 'request an unserved route',
    handler,
    from: early === undefined ? from : 1,
    description: null,
  };
}

function refuseEarly(exchange: Exchange, subject: string, from: number, status: 405 | 406 | undefined): void {
  if (status === 406) throw notYet('path', from, subject);
  if (status === 405) {
    sendHttpError(exchange, 405, 'Method Not Allowed', `The path exists since version 1.${from}`, ['Allow', 'OPTIONS']);
  } else sendHttpError(exchange, 404, 'Not Found', '');
}
