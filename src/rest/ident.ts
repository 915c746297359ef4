import { PassthruError } from '../core/errors.ts';
import { isNodeIdent, isUuid } from '../core/node.ts';
import { NAMES_MINOR } from './apiVersion.ts';
import type { Exchange } from './exchange.ts';

/**
 * The node that the path names. Before version 1.5 nodes have no names, so that a name finds nothing (recorded: "no
 * version header: node name unknown at 1.1"); what can be neither a UUID nor a name is the core's to refuse.
 */
export function nodeIdent({ params, minor }: Exchange): string {
  const ident = params.ident ?? '';
  if (minor < NAMES_MINOR && isNodeIdent(ident) && !isUuid(ident)) {
    throw new PassthruError('node_not_found', `Node ${ident} could not be found.`);
  }
  return ident;
}
