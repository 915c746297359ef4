import { PassthruError } from '../core/errors.ts';
import { routeFrom } from './apiTable.ts';
import { enter, type Handler } from './context.ts';
import { type Route, VERBS } from './router.ts';

const COLLECTIONS = [
  'allocations',
  'chassis',
  'continue_inspection',
  'deploy_templates',
  'events',
  'heartbeat',
  'inspection_rules',
  'lookup',
  'portgroups',
  'ports',
  'runbooks',
  'shards',
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

/** Ironic's routes that are not supported here. They get an error of their own instead of 404. */
export const UNSUPPORTED_ROUTES: readonly Route[] = [
  ...COLLECTIONS.flatMap((name) => unsupported(`/v1/${name}`, name)),
  ...NODE_PARTS.flatMap((name) => unsupported(`/v1/nodes/:ident/${name}`, `the ${name} of a node`)),
  ...unsupported('/v1/drivers/:driver/raid', 'the RAID properties of a driver'),
];

function unsupported(path: string, subject: string): Route[] {
  const action = 'request an unserved route';
  const handler: Handler = (exchange) => {
    enter(exchange);
    throw new PassthruError(
      'not_served',
      `Not served here: ${subject}. This service supports Ironic's vendor passthru and the nodes that it needs.`,
    );
  };
  return [path, `${path}/*`].map((path) => ({
    verbs: VERBS,
    path,
    action,
    handler,
    from: routeFrom(path),
    description: null,
  }));
}
