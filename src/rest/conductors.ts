import type { Core } from '../core/core.ts';
import { PassthruError } from '../core/errors.ts';
import { type Exchange, enter } from './context.ts';
import { baseUrl, selfAndBookmark } from './links.ts';
import { booleanParameter, readQuery } from './query.ts';
import { sendJson } from './response.ts';

/** GET /v1/conductors: the processes that share this store. */
export async function listConductors(exchange: Exchange): Promise<void> {
  const query = readQuery(exchange.rawQuery, ['detail', 'limit', 'marker', 'sort_key', 'sort_dir']);
  const detail = booleanParameter(query, 'detail') ?? false;
  const core = enter(exchange);
  const hosts = await core.hosts();
  sendJson(exchange, 200, { conductors: hosts.map((host) => conductorDocument(exchange, core, host, detail)) });
}

/** GET /v1/conductors/HOST */
export async function showConductor(exchange: Exchange): Promise<void> {
  readQuery(exchange.rawQuery);
  const { host = '' } = exchange.params;
  const core = enter(exchange);
  if (!(await core.hosts()).includes(host)) {
    throw new PassthruError('node_not_found', `Conductor ${host} could not be found.`);
  }
  sendJson(exchange, 200, conductorDocument(exchange, core, host, true));
}

function conductorDocument(exchange: Exchange, { drivers }: Core, host: string, detail: boolean) {
  return {
    hostname: host,
    conductor_group: '',
    links: selfAndBookmark(baseUrl(exchange), `conductors/${encodeURIComponent(host)}`),
    alive: true,
    ...(detail ? { drivers: drivers.list().map(({ name }) => name) } : {}),
  };
}
