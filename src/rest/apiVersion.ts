import { PassthruError } from '../core/errors.ts';

/** Name of the version header, in lower case. */
export const VERSION_HEADER = 'x-openstack-ironic-api-version';

const MIN_MINOR = 1;
const MAX_MINOR = 82;

export const MIN_VERSION = `1.${MIN_MINOR}`;
export const MAX_VERSION = `1.${MAX_MINOR}`;

/** First minor version in which nodes have names. */
export const NAMES_MINOR = 5;

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
 * Returns the minor version that a request's header selects, as in Ironic the lowest without a header.
 * Throws `version_not_acceptable`, worded as recorded ("version too high", "version 2.0", "version garbage").
 */
export function negotiateMinor(requested: string | undefined): number {
  if (requested === undefined) return MIN_MINOR;
  if (requested.trim().toLowerCase() === 'latest') return MAX_MINOR;
  const [, major, minor] = /^\s*(\d{1,9})\.(\d{1,9})\s*$/.exec(requested)?.map(Number) ?? [];
  const notAcceptable = (message: string) => new PassthruError('version_not_acceptable', message);
  if (major === undefined || minor === undefined) {
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

/** Returns the headers of every response under /v1 at a negotiated version. */
export function versionHeaders(minor: number): readonly string[] {
  return headersByMinor[minor] ?? RANGE_HEADERS;
}
