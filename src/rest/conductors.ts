import { PassthruError } from '../core/errors.ts';
import { sendJson } from './answer.ts';
import type { Exchange } from './exchange.ts';
import { baseUrl, selfAndBookmark } from './links.ts';
import { booleanParameter, readQuery } from './query.ts';

/** GET /v1/conductors: the process that answers, which is the only one. */
export function listConductors(exchange: Exchange): void {
  const query = readQuery(exchange.rawQuery, 'detail', 'limit', 'marker', 'sort_key', 'sort_dir');
  const detail = booleanParameter(query, 'detail') ?? false;
  sendJson(exchange, 200, { conductors: [conductorDocument(exchange, detail)] });
}

/** GET /v1/conductors/HOST */
export function showConductor(exchange: Exchange): void {
  readQuery(exchange.rawQuery);
  const { host } = exchange.params;
  if (host !== exchange.core.host) {
    throw new PassthruError('node_not_found', `Conductor ${host} could not be found.`);
  }
  sendJson(exchange, 200, conductorDocument(exchange, true));
}

function conductorDocument(exchange: Exchange, detail: boolean) {
  const { host, drivers } = exchange.core;
  return {
    hostname: host,
    conductor_group: '',
    links: selfAndBookmark(baseUrl(exchange), `conductors/${encodeURIComponent(host)}`),
    alive: true,
    ...(detail ? { drivers: drivers.list().map(({ name }) => name) } : {}),
  };
}
