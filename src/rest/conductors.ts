import { PassthruError } from '../core/errors.ts';
import { sendJson } from './answer.ts';
import type { Exchange } from './exchange.ts';
import { baseUrl, selfAndBookmark } from './links.ts';
import { booleanParameter, readQuery } from './query.ts';

/** GET /v1/conductors: the processes that serve the same store. */
export async function listConductors(exchange: Exchange): Promise<void> {
  const query = readQuery(exchange.rawQuery, 'detail', 'limit', 'marker', 'sort_key', 'sort_dir');
  const detail = booleanParameter(query, 'detail') ?? false;
  const hosts = await exchange.core.hosts();
  sendJson(exchange, 200, { conductors: hosts.map((host) => conductorDocument(exchange, host, detail)) });
}

/** GET /v1/conductors/HOST */
export async function showConductor(exchange: Exchange): Promise<void> {
  readQuery(exchange.rawQuery);
  const { host = '' } = exchange.params;
  if (!(await exchange.core.hosts()).includes(host)) {
    throw new PassthruError('node_not_found', `Conductor ${host} could not be found.`);
  }
  sendJson(exchange, 200, conductorDocument(exchange, host, true));
}

function conductorDocument(exchange: Exchange, host: string, detail: boolean) {
  return {
    hostname: host,
    conductor_group: '',
    links: selfAndBookmark(baseUrl(exchange), `conductors/${encodeURIComponent(host)}`),
    alive: true,
    ...(detail ? { drivers: exchange.core.drivers.list().map(({ name }) => name) } : {}),
  };
}
