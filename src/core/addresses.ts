import { invalidArgument } from './errors.ts';
import type { HardwareType } from './hardware.ts';
import type { JsonObject } from './json.ts';

const SCHEMES = ['http', 'https'];

/**
 * Throws `invalid_argument` if an address in `driverInfo` that differs from the one before is a URL of another scheme than
 * http and https: no call could succeed. The message has the scheme alone, since a URL may hold a password.
 */
export function checkAddresses(
  driverInfo: JsonObject,
  { name, addressKeys = [] }: Pick<HardwareType, 'name' | 'addressKeys'>,
  before: JsonObject,
): void {
  for (const key of addressKeys) {
    const address = driverInfo[key];
    if (typeof address !== 'string' || address === before[key]) continue;
    const scheme = /^\s*([a-z][a-z0-9+.-]*):\/\//i.exec(address)?.[1]?.toLowerCase();
    if (scheme === undefined || SCHEMES.includes(scheme)) continue;
    const field = `driver_info.${key}`;
    const allowed = `must be a URL of the scheme ${SCHEMES.join(' or ')}, not ${scheme.slice(0, 40)}`;
    throw invalidArgument(field, allowed, `${field} of a node with driver ${name} ${allowed}`);
  }
}
