import type { ServiceImpl } from '@connectrpc/connect';
import { type NodeService, type WatchNodesRequest, WatchNodesResponseSchema } from '../../gen/passthru/v1/node_pb.ts';
import { nodeToMessage } from '../contract/node.ts';
import { nodeEventToMessage } from '../contract/watch.ts';
import type { NodesWatch } from '../core/core.ts';
import { PassthruError } from '../core/errors.ts';
import { checkNodeIdent, isUuid, type Node } from '../core/node.ts';
import type { Enter } from './authorize.ts';
import { callEnd } from './deadline.ts';
import { durationMs, invalidField, invalidPageToken, nextToken, pageSize, previousKey, textOrNull } from './fields.ts';
import { newNode, nodeChanges } from './nodeInput.ts';
import { watchStreams } from './watchStream.ts';

/** Implements NodeService: enrols, watches and manages nodes. */
export function nodeService(enter: Enter): ServiceImpl<typeof NodeService> {
  const stream = watchStreams<Node, typeof WatchNodesResponseSchema>(WatchNodesResponseSchema, nodeEventToMessage);
  return {
    async createNode(request, context) {
      if (request.node === undefined) throw invalidField('node', 'must be given');
      const node = newNode(request.node);
      const { core, caller } = enter(context);
      return { node: nodeToMessage(await core.nodes.create(node, caller)) };
    },
    async getNode(request, context) {
      checkNodeIdent(request.node);
      const { core } = enter(context);
      return { node: nodeToMessage(await core.nodes.get(request.node)) };
    },
    async listNodes(request, context) {
      const size = pageSize(request.pageSize);
      const marker = previousKey('nodes', request.pageToken, isUuid);
      const { core } = enter(context);
      const page = await core.nodes
        .list({
          limit: size,
          marker,
          sortKey: 'id',
          sortDirection: 'asc',
          driver: textOrNull(request.driver) ?? undefined,
          maintenance: request.maintenance,
        })
        .catch((error) => {
          // The last node of the previous page has been removed.
          throw error instanceof PassthruError && error.kind === 'node_not_found' ? invalidPageToken() : error;
        });
      return { nodes: page.items.map(nodeToMessage), nextPageToken: nextToken('nodes', page, (node) => node.uuid) };
    },
    async updateNode(request, context) {
      checkNodeIdent(request.node);
      const { core, caller } = enter(context);
      const change = nodeChanges(request.updateMask?.paths ?? [], request.values);
      using end = callEnd(context);
      return { node: nodeToMessage(await core.nodes.update(request.node, change, caller, end.signal)) };
    },
    async deleteNode(request, context) {
      checkNodeIdent(request.node);
      const { core, caller } = enter(context);
      using end = callEnd(context);
      await core.nodes.delete(request.node, caller, end.signal);
      return {};
    },
    async lockNode(request, context) {
      const lockWait = durationMs('lock_wait', request.lockWait);
      const duration = durationMs('duration', request.duration);
      checkNodeIdent(request.node);
      const { core, caller } = enter(context);
      using end = callEnd(context);
      const { signal } = end;
      const [holder, reason] = [textOrNull(request.holder), textOrNull(request.reason)];
      const locked = await core.nodes.lock(request.node, { holder, reason, duration, lockWait, caller, signal });
      return { node: nodeToMessage(locked.node), reservationKey: locked.reservationKey };
    },
    async renewLock(request, context) {
      const duration = durationMs('duration', request.duration);
      checkNodeIdent(request.node);
      const { core, caller } = enter(context);
      const reservationKey = textOrNull(request.reservationKey);
      return { node: nodeToMessage(await core.nodes.renewLock(request.node, { reservationKey, duration, caller })) };
    },
    async unlockNode(request, context) {
      checkNodeIdent(request.node);
      const { core, caller } = enter(context);
      const reservationKey = textOrNull(request.reservationKey);
      return { node: nodeToMessage(await core.nodes.unlock(request.node, caller, reservationKey)) };
    },
    async *watchNodes(request, context) {
      const watch = nodesWatch(request);
      const { core } = enter(context);
      yield* stream(context, (sink, signal) => core.nodes.watch(watch, sink, signal));
    },
  };
}

/** Returns what a request selects. */
export function nodesWatch({ nodes, driver, cursor }: WatchNodesRequest): NodesWatch {
  return { nodes, driver: textOrNull(driver), cursor: textOrNull(cursor) };
}
