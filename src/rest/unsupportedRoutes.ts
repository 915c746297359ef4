import { PassthruError } from '../core/errors.ts';
import { enter, type Handler } from './context.ts';
import type { Route } from './router.ts';

const VERBS = ['GET', 'HEAD', 'POST', 'PUT', 'PATCH', 'DELETE'] as const;

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
  'vmedia',
  'vifs',
  'volume',
];

/** What Ironic has and this service has not: named, so that a client learns more than that a path is unknown. */
export const UNSERVED_ROUTES: readonly Route[] = [
  ...COLLECTIONS.flatMap((name) => refuse(`/v1/${name}`, name)),
  ...NODE_PARTS.flatMap((name) => refuse(`/v1/nodes/:ident/${name}`, `the ${name} of a node`)),
  ...refuse('/v1/drivers/:driver/raid', 'the RAID properties of a driver'),
];

function refuse(path: string, what: string): Route[] {
  const action = 'ask for what is not served';
  const handler: Handler = (exchange) => {
    enter(exchange);
    throw new PassthruError(
      'not_served',
      `Not served here: ${what}. Of Ironic's API this service has vendor passthru and the nodes that it needs.`,
    );
  };
  return [
    { verbs: VERBS, path, action, handler, description: null },
    { verbs: VERBS, path: `${path}/*`, action, handler, description: null },
  ];
}
