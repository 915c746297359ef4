import type { Core } from '../core/core.ts';
import { PassthruError } from '../core/errors.ts';
import { sendJson } from './answer.ts';
import { type Exchange, enter } from './exchange.ts';
import { baseUrl, selfAndBookmark } from './links.ts';
import { booleanParameter, readQuery } from './query.ts';

/** GET /v1/conductors: the process that answers, which is the only one. */
export function listConductors(exchange: Exchange): void {
  const query = readQuery(exchange.rawQuery, 'detail', 'limit', 'marker', 'sort_key', 'sort_dir');
  const detail = booleanParameter(query, 'detail') ?? false;
  const core = enter(exchange);
  sendJson(exchange, 200, { conductors: [conductorDocument(exchange, core, detail)] });
}

/** GET /v1/conductors/HOST */
export function showConductor(exchange: Exchange): void {
  readQuery(exchange.rawQuery);
  const { host } = exchange.params;
  const core = enter(exchange);
  if (host !== core.host) {
    throw new PassthruError('node_not_found', `Conductor ${host} could not be found.`);
  }
  sendJson(exchange, 200, conductorDocument(exchange, core, true));
}

function conductorDocument(exchange: Exchange, { host, drivers }: Core, detail: boolean) {
  return {
    hostname: host,
    conductor_group: '',
    links: selfAndBookmark(baseUrl(exchange), `conductors/${encodeURIComponent(host)}`),
    alive: true,
    ...(detail ? { drivers: drivers.list().map(({ name }) => name) } : {}),
  };
}
