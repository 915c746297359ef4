import { PassthruError } from '../core/errors.ts';
import type { HardwareType } from '../core/hardware.ts';
import { type Exchange, enter } from './context.ts';
import { baseUrl, selfAndBookmark } from './links.ts';
import { badParameter, booleanParameter, readQuery } from './query.ts';
import { sendJson } from './response.ts';

/** The interfaces of Ironic's hardware types, in the order that its documents list them; one of them is served. */
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

/** Keys of driver_info that Ironic's deployment reads. Clients look for them; a node may hold them; nothing reads them. */
const UNREAD_PROPERTIES = Object.fromEntries(
  [
    'deploy_kernel',
    'deploy_ramdisk',
    'image_http_proxy',
    'image_https_proxy',
    'image_no_proxy',
    'image_download_source',
    'deploy_forces_oob_reboot',
    'agent_verify_ca',
    'force_persistent_boot_device',
    'rescue_kernel',
    'rescue_ramdisk',
    'kernel_append_params',
  ].map((key) => [key, "Kept with the node for Ironic's sake. This service does not deploy, and does not read it."]),
);

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
    // Worded as recorded ("driver show unknown"); the other routes have another text.
    const message = `Could not find the following driver(s) or hardware type(s): ${driver}.`;
    throw new PassthruError('driver_not_found', message);
  }
  sendJson(exchange, 200, driverDocument(exchange, found, await core.hosts(), true));
}

/** GET /v1/drivers/D/properties */
export function showDriverProperties(exchange: Exchange): void {
  readQuery(exchange.rawQuery);
  const { properties } = enter(exchange).drivers.get(exchange.params.driver ?? '');
  sendJson(exchange, 200, { ...properties, ...UNREAD_PROPERTIES, ...properties });
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
