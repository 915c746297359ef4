import { createClient } from '@connectrpc/connect';
import { type Node, NodeService } from '../../../gen/passthru/v1/node_pb.ts';
import { WatchMarker } from '../../../gen/passthru/v1/watch_pb.ts';
import { session } from '../session/session.ts';
import { type Change, LiveTable } from './liveTable.ts';
import { markerOf, NOTHING } from './marker.ts';

/** Small: decoding a page must not hold up the page that shows it. */
const PAGE_SIZE = 200;

const client = createClient(NodeService, session.transport);

/** All nodes. */
export const liveNodes = new LiveTable<Node>({
  keyOf: ({ uuid }) => uuid,
  async *pages(signal) {
    let pageToken = '';
    do {
      const page = await client.listNodes({ pageSize: PAGE_SIZE, pageToken }, { signal });
      yield page.nodes;
      pageToken = page.nextPageToken;
    } while (pageToken !== '');
  },
  async *watch(cursor, signal): AsyncGenerator<Change<Node>, void> {
    const request = cursor === null ? { driver: NOTHING } : { cursor };
    for await (const { event, cursor: reached } of client.watchNodes(request, { signal })) {
      if (event.case === 'node') yield { item: event.value, cursor: reached };
      else if (event.case === 'removedUuid') yield { removed: event.value, cursor: reached };
      else yield { marker: markerOf(event.value ?? WatchMarker.UNSPECIFIED), cursor: reached };
    }
  },
});
