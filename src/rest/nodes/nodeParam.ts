import type { Core } from '../../core/core.ts';
import { PassthruError } from '../../core/errors.ts';
import { checkNodeIdent, isUuid } from '../../core/node.ts';
import { NAMES_MINOR } from '../apiVersion.ts';
import { type Exchange, enter } from '../context.ts';

/**
 * Returns the core, as `enter`, and the node's UUID or name from the path. Before version 1.5 nodes have no names, so
 * names are not found (recorded: "no version header: node name unknown at 1.1").
 * @throws kind `invalid_argument` if it can be neither a UUID nor a name, `permission_denied`, `node_not_found`
 */
export function enterNode(exchange: Exchange): { core: Core; ident: string } {
  const ident = exchange.params.ident ?? '';
  checkNodeIdent(ident);
  const core = enter(exchange);
  if (exchange.minor < NAMES_MINOR && !isUuid(ident)) {
    throw new PassthruError('node_not_found', `Node ${ident} could not be found.`);
  }
  return { core, ident };
}
