import { PassthruError } from '../core/errors.ts';
import { MAX_MINOR } from './apiTable.ts';

/** Ironic's own version header, in lower case: `1.82` or `latest`. */
export const VERSION_HEADER = 'x-openstack-ironic-api-version';

/** The version header of all OpenStack services, in lower case: `compute 2.1, baremetal 1.82`. Ironic reads it since 2024.2. */
export const STANDARD_VERSION_HEADER = 'openstack-api-version';

const SERVICE_TYPE = 'baremetal';

const MIN_MINOR = 1;

export const MIN_VERSION = `1.${MIN_MINOR}`;
export const MAX_VERSION = `1.${MAX_MINOR}`;

/** The headers of a response without a negotiated version. */
export const RANGE_HEADERS: readonly string[] = [
  'X-OpenStack-Ironic-API-Minimum-Version',
  MIN_VERSION,
  'X-OpenStack-Ironic-API-Maximum-Version',
  MAX_VERSION,
];

const headersByMinor = Array.from({ length: MAX_MINOR + 1 }, (_, minor): readonly string[] => [
  ...RANGE_HEADERS,
  'X-OpenStack-Ironic-API-Version',
  `1.${minor}`,
]);

/**
 * Returns the version that a request's headers name; undefined when they name none. As in Ironic, the standard header takes
 * precedence, its last entry for this service counts, and entries without a version are ignored; of several values of the
 * other header the last counts.
 */
export function requestedVersion(standard: string | undefined, own: string | undefined): string | undefined {
  if (standard === undefined && own !== undefined && minorByVersion.has(own)) return own;
  const entries = standard?.split(',').map((entry) => entry.trim().split(/\s+(.*)/, 2)) ?? [];
  const entry = entries.findLast(([service, version]) => service?.toLowerCase() === SERVICE_TYPE && version);
  // As in Ironic, an empty header is none.
  return entry?.[1] ?? (own?.split(',').at(-1)?.trim() || undefined);
}

/** The minor of each version as clients write it. */
const minorByVersion: ReadonlyMap<string, number> = new Map(
  headersByMinor.map((_, minor) => [`1.${minor}`, minor] as [string, number]).slice(MIN_MINOR),
);

/**
 * Returns the minor version that a request's headers select, as in Ironic the lowest when they name none.
 * Throws `version_not_acceptable`, worded as recorded ("version too high", "version 2.0", "version garbage").
 */
export function negotiateMinor(requested: string | undefined): number {
  if (requested === undefined) return MIN_MINOR;
  const known = minorByVersion.get(requested);
  if (known !== undefined) return known;
  if (requested.trim().toLowerCase() === 'latest') return MAX_MINOR;
  const notAcceptable = (message: string) => new PassthruError('version_not_acceptable', message);
  const [major, minor, ...others] = requested.split('.').map(pythonInteger);
  if (major === undefined || minor === undefined || others.length > 0) {
    // Ironic names this header for an invalid value of either.
    throw notAcceptable('Invalid value for X-OpenStack-Ironic-API-Version header');
  }
  const version = `${major}.${minor}`;
  const range = `[${MIN_VERSION}, ${MAX_VERSION}]`;
  const unsupported = `not supported by this service. The supported version range is: ${range}.`;
  if (major !== 1) {
    throw notAcceptable(`Mutually exclusive versions requested. Version ${version} requested but ${unsupported}`);
  }
  if (minor < MIN_MINOR || minor > MAX_MINOR) {
    throw notAcceptable(`Version ${version} was requested but the minor version is ${unsupported}`);
  }
  return minor;
}

/** Returns the integer in `text` as Python's `int` reads it, which Ironic uses (`01`, `+1`, `1_0`); undefined if it is none. */
function pythonInteger(text: string): number | undefined {
  const [, digits] = /^\s*([+-]?\d+(?:_\d+)*)\s*$/.exec(text) ?? [];
  const value = Number(digits?.replaceAll('_', ''));
  return Number.isSafeInteger(value) ? value : undefined;
}

/** Returns the headers of every response under /v1 at a negotiated version. */
export function versionHeaders(minor: number): readonly string[] {
  return headersByMinor[minor] ?? RANGE_HEADERS;
}
