import { PassthruError } from '../core/errors.ts';
import type { HardwareType } from '../core/hardware.ts';
import { DRIVER_FIELDS, INTERFACES, PARAMETERS } from './apiTable.ts';
import { type Exchange, enter } from './context.ts';
import { interfaceNames } from './interfaceNames.ts';
import { baseUrl, selfAndBookmark } from './links.ts';
import { badParameter, booleanParameter, fieldsParameter, readQuery } from './query.ts';
import { sendJson } from './response.ts';
import { readParameters } from './versionGate.ts';

/** GET /v1/drivers */
export async function listDrivers(exchange: Exchange): Promise<void> {
  const query = readParameters(exchange, PARAMETERS.drivers);
  const type = query.get('type') ?? 'dynamic';
  if (type !== 'dynamic' && type !== 'classic') {
    throw badParameter('type', "must be 'classic' or 'dynamic'", `Invalid driver type: ${type}`);
  }
  const fields = checkDriverFields(exchange, fieldsParameter(query));
  const detail = booleanParameter(query, 'detail') ?? false;
  if (detail && fields !== null) {
    const message = 'Can not specify ?detail=True and fields in the same request.';
    throw badParameter('detail', "excludes 'fields'", message);
  }
  const core = enter(exchange);
  const drivers = type === 'dynamic' ? core.drivers.list() : [];
  const hosts = await core.hosts();
  const shown = fields ?? (detail ? [...DRIVER_FIELDS.keys()] : SUMMARY_FIELDS);
  sendJson(exchange, 200, { drivers: drivers.map((driver) => driverDocument(exchange, driver, hosts, shown)) });
}

/** GET /v1/drivers/D */
export async function showDriver(exchange: Exchange): Promise<void> {
  const fields = checkDriverFields(exchange, fieldsParameter(readParameters(exchange, PARAMETERS.driver)));
  const { driver = '' } = exchange.params;
  const core = enter(exchange);
  const found = core.drivers.list().find(({ name }) => name === driver);
  if (found === undefined) {
    // Worded as recorded ("driver show unknown"); Ironic's other routes word it differently.
    const message = `Could not find the following driver(s) or hardware type(s): ${driver}.`;
    throw new PassthruError('driver_not_found', message);
  }
  const shown = fields ?? [...DRIVER_FIELDS.keys()];
  sendJson(exchange, 200, driverDocument(exchange, found, await core.hosts(), shown));
}

/** GET /v1/drivers/D/properties */
export function showDriverProperties(exchange: Exchange): void {
  readQuery(exchange.rawQuery);
  sendJson(exchange, 200, enter(exchange).drivers.get(exchange.params.driver ?? '').properties);
}

const SUMMARY_FIELDS = ['name', 'hosts', 'links', 'properties', 'type'];

/** Returns `fields`. Throws `invalid_argument`, in Ironic's words, for one that a driver does not have at this version. */
function checkDriverFields({ minor }: Exchange, fields: readonly string[] | null): readonly string[] | null {
  const unknown = (fields ?? []).filter((key) => (DRIVER_FIELDS.get(key) ?? Infinity) > minor);
  if (unknown.length === 0) return fields;
  throw badParameter('fields', `${unknown[0]} is not a field`, `Field(s) "${unknown.join(', ')}" are not valid`);
}

function driverDocument(
  exchange: Exchange,
  { name, vendorInterfaces }: HardwareType,
  hosts: string[],
  fields: readonly string[],
): Record<string, unknown> {
  const base = baseUrl(exchange);
  const path = `drivers/${encodeURIComponent(name)}`;
  const values: Record<string, unknown> = {
    name,
    hosts,
    links: selfAndBookmark(base, path),
    properties: selfAndBookmark(base, `${path}/properties`),
    type: 'dynamic',
  };
  for (const kind of INTERFACES.keys()) {
    const isVendor = kind === 'vendor';
    const names = isVendor ? vendorInterfaces.map((served) => served.name) : interfaceNames(name, kind);
    // A node has no interface of another kind until one is set.
    values[`default_${kind}_interface`] = isVendor ? (names[0] ?? null) : null;
    values[`enabled_${kind}_interfaces`] = names;
  }
  const shown = [...DRIVER_FIELDS].filter(
    ([key, from]) => exchange.minor >= from && (key === 'links' || fields.includes(key)),
  );
  return Object.fromEntries(shown.map(([key]) => [key, values[key]]));
}
