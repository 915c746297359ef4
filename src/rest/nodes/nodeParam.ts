import type { Core } from '../../core/core.ts';
import { PassthruError } from '../../core/errors.ts';
import { checkNodeIdent, isUuid } from '../../core/node.ts';
import { NAMES_MINOR } from '../apiVersion.ts';
import { type Exchange, enter } from '../context.ts';

/**
 * As `enter`, and the node that the path names. Before version 1.5 nodes have no names, so that a name finds nothing
 * (recorded: "no version header: node name unknown at 1.1").
 * @throws kind `invalid_argument` for what can be neither a UUID nor a name, `permission_denied`, `node_not_found`
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
