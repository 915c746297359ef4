import { type Exchange, enter } from './context.ts';
import { sendHttpError } from './fault.ts';
import { readQuery } from './query.ts';
import { sendBody } from './response.ts';

/** GET /metrics: the figures for Prometheus, unless they have a listener of their own. */
export async function showMetrics(exchange: Exchange): Promise<void> {
  enter(exchange);
  readQuery(exchange.rawQuery);
  const { metrics } = exchange;
  if (metrics === null) sendHttpError(exchange, 404, 'Not Found', '');
  else sendBody(exchange, 200, metrics.mediaType, await metrics.render());
}
