import { create } from '@bufbuild/protobuf';
import { type WatchJobsResponse, WatchJobsResponseSchema } from '../../gen/passthru/v1/job_pb.ts';
import { type WatchNodesResponse, WatchNodesResponseSchema } from '../../gen/passthru/v1/node_pb.ts';
import { WatchMarker } from '../../gen/passthru/v1/watch_pb.ts';
import type { ShownJob } from '../core/jobs/shownJob.ts';
import type { Node } from '../core/node.ts';
import type { WatchEvent } from '../core/watch/watchEvent.ts';
import { jobToMessage } from './job.ts';
import { nodeToMessage } from './node.ts';

/** Converts what a watcher of jobs is told to its message. */
export function jobEventToMessage(event: WatchEvent<ShownJob>): WatchJobsResponse {
  const { cursor } = event;
  if (event.kind === 'item') {
    return create(WatchJobsResponseSchema, { event: { case: 'job', value: jobToMessage(event.item) }, cursor });
  }
  // Jobs are not told to be removed.
  const marker = event.kind === 'marker' ? MARKERS[event.marker] : WatchMarker.UNSPECIFIED;
  return create(WatchJobsResponseSchema, { event: { case: 'marker', value: marker }, cursor });
}

/** Converts what a watcher of nodes is told to its message. */
export function nodeEventToMessage(event: WatchEvent<Node>): WatchNodesResponse {
  const { cursor } = event;
  switch (event.kind) {
    case 'item':
      return create(WatchNodesResponseSchema, { event: { case: 'node', value: nodeToMessage(event.item) }, cursor });
    case 'removed':
      return create(WatchNodesResponseSchema, { event: { case: 'removedUuid', value: event.uuid }, cursor });
    case 'marker':
      return create(WatchNodesResponseSchema, { event: { case: 'marker', value: MARKERS[event.marker] }, cursor });
  }
}

const MARKERS = { current: WatchMarker.CURRENT, reset: WatchMarker.RESET } as const;
