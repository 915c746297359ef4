import { PassthruError } from '../core/errors.ts';
import type { HardwareType } from '../core/hardware.ts';
import { type Exchange, enter } from './context.ts';
import { baseUrl, selfAndBookmark } from './links.ts';
import { badParameter, booleanParameter, readQuery } from './query.ts';
import { sendJson } from './response.ts';

/** The interfaces of Ironic's hardware types, in the order of its documents. Only `vendor` is supported here. */
export const INTERFACES = [
  'network',
  'management',
  'power',
  'deploy',
  'bios',
  'vendor',
  'storage',
  'rescue',
  'console',
  'raid',
  'boot',
  'inspect',
];

/** GET /v1/drivers */
export async function listDrivers(exchange: Exchange): Promise<void> {
  const query = readQuery(exchange.rawQuery, ['type', 'detail']);
  const type = query.get('type') ?? 'dynamic';
  if (type !== 'dynamic' && type !== 'classic') {
    throw badParameter('type', "must be 'classic' or 'dynamic'", `Invalid driver type: ${type}`);
  }
  const detail = booleanParameter(query, 'detail') ?? false;
  const core = enter(exchange);
  const drivers = type === 'dynamic' ? core.drivers.list() : [];
  const hosts = await core.hosts();
  sendJson(exchange, 200, { drivers: drivers.map((driver) => driverDocument(exchange, driver, hosts, detail)) });
}

/** GET /v1/drivers/D */
export async function showDriver(exchange: Exchange): Promise<void> {
  readQuery(exchange.rawQuery);
  const { driver = '' } = exchange.params;
  const core = enter(exchange);
  const found = core.drivers.list().find(({ name }) => name === driver);
  if (found === undefined) {
    // Worded as recorded ("driver show unknown"); Ironic's other routes word it differently.
    const message = `Could not find the following driver(s) or hardware type(s): ${driver}.`;
    throw new PassthruError('driver_not_found', message);
  }
  sendJson(exchange, 200, driverDocument(exchange, found, await core.hosts(), true));
}

/** GET /v1/drivers/D/properties */
export function showDriverProperties(exchange: Exchange): void {
  readQuery(exchange.rawQuery);
  sendJson(exchange, 200, enter(exchange).drivers.get(exchange.params.driver ?? '').properties);
}

function driverDocument(
  exchange: Exchange,
  { name, vendorInterfaces }: HardwareType,
  hosts: string[],
  detail: boolean,
) {
  const base = baseUrl(exchange);
  const path = `drivers/${encodeURIComponent(name)}`;
  const document: Record<string, unknown> = {
    name,
    hosts,
    links: selfAndBookmark(base, path),
    properties: selfAndBookmark(base, `${path}/properties`),
    type: 'dynamic',
  };
  if (!detail) return document;
  for (const kind of INTERFACES) {
    const names = kind === 'vendor' ? vendorInterfaces.map((served) => served.name) : [];
    document[`default_${kind}_interface`] = names[0] ?? null;
    document[`enabled_${kind}_interfaces`] = names;
  }
  return document;
}
