import { type Exchange, enter } from '../context.ts';
import { readQuery } from '../query.ts';
import { sendJson } from '../response.ts';

/** GET /v1/shards: as in Ironic, the largest first, and the nodes without a shard as one of the name `None`. */
export async function listShards(exchange: Exchange): Promise<void> {
  readQuery(exchange.rawQuery);
  const counts = await enter(exchange).nodes.shards();
  const shards = counts.map(({ value, count }) => ({ name: value ?? 'None', count }));
  sendJson(exchange, 200, { shards: shards.sort((a, b) => b.count - a.count || (a.name < b.name ? -1 : 1)) });
}
