import { isJsonObject, type Json, type JsonObject } from '../core/json.ts';
import { RedfishError } from './errors.ts';

/** Characters that no path on a BMC may contain: control characters, space, backslash. */
// biome-ignore lint/suspicious/noControlCharactersInRegex: this refuses them
const UNSAFE = /[\u0000-\u0020\u007f\\]/;

/**
 * Returns the path of a link in a document of `origin`. Links are absolute paths or full URLs, percent-encoded or not; a
 * fragment is dropped, a query (`nextLink` has one) and a trailing slash are kept.
 * @throws kind `failed` when the link is not a path, or leads to another host
 */
export function linkPath(link: unknown, origin: string): string {
  const text = isJsonObject(link) ? link['@odata.id'] : link;
  if (typeof text === 'string' && text !== '') {
    const url = URL.canParse(text) ? new URL(text) : undefined;
    // Behind a forwarded port, a BMC writes the port that it knows.
    if (url !== undefined && url.hostname !== new URL(origin).hostname) {
      throw new RedfishError('failed', `The BMC links to another host: ${url.origin}`);
    }
    const path = url === undefined ? text.split('#')[0]! : url.pathname + url.search;
    if (path.startsWith('/') && !path.startsWith('//')) return encodePath(path);
  }
  throw new RedfishError('failed', 'The BMC sent a link that is not a path');
}

/** Returns `linkPath` of a link; null when the document has none. */
export function optionalLinkPath(link: unknown, origin: string): string | null {
  const text = isJsonObject(link) ? link['@odata.id'] : link;
  return typeof text === 'string' && text !== '' ? linkPath(text, origin) : null;
}

/**
 * Returns the path of a `Location` header; null when there is none. BMCs behind address translation send a full URL with a
 * host of their own: only the path counts, at the address that the client has. A relative one is resolved against `base`,
 * the path of the request (RFC 9110, 10.2.2).
 */
export function locationPath(location: string | undefined, base?: string): string | null {
  const text = location?.trim() ?? '';
  if (text === '' || text.startsWith('//') || UNSAFE.test(text)) return null;
  const absolute = URL.canParse(text) || text.startsWith('/');
  if (!absolute && base === undefined) return null;
  const url = URL.parse(text, `http://bmc${absolute ? '/' : base}`);
  return url === null ? null : encodePath(url.pathname) + url.search;
}

/** Whether two paths name the same resource, regardless of trailing slashes and percent-encoding. */
export function samePath(a: string, b: string): boolean {
  return bare(a) === bare(b);
}

/** Returns the id in a resource's path: its last segment, decoded. Empty for the root. */
export function lastSegment(path: string): string {
  const segments = bare(path).split('/');
  return segments[segments.length - 1]!;
}

/**
 * Returns why `id` cannot be a path segment; null when it can. It may contain anything legal in a segment (RFC 3986, 3.3),
 * but nothing that leads elsewhere, however often it is encoded.
 */
export function segmentFault(id: string): string | null {
  if (id === '') return 'it is empty';
  if (id.length > 255) return 'it is longer than 255 characters';
  if (!id.isWellFormed()) return 'it is not well-formed Unicode';
  for (let text = id, depth = 0; ; depth++) {
    if (/[/\\?#]/.test(text)) return "it contains '/', '\\', '?' or '#'";
    if (text.includes('..') || text === '.') return "it contains '..' or is '.'";
    // biome-ignore lint/suspicious/noControlCharactersInRegex: this refuses them
    if (/[\u0000-\u001f\u007f]/.test(text)) return 'it contains control characters';
    const decoded = decode(text);
    if (decoded === null) return 'it contains an invalid percent-encoding';
    if (decoded === text) return null;
    if (depth === 3) return 'it is percent-encoded too often';
    text = decoded;
  }
}

/**
 * Returns the path of the member `id` of a collection, whose own path may end in a slash.
 * @throws TypeError when `id` is not a path segment; check it with `segmentFault` first
 */
export function memberPath(collection: string, id: string): string {
  const fault = segmentFault(id);
  if (fault !== null) throw new TypeError(`the id cannot be a path segment: ${fault}`);
  return `${collection.replace(/(?<!\/)\/+$/, '')}/${encodePath(id)}`;
}

/** Returns why `text` cannot be a resource's path that an operator configures; null when it can. */
export function pathFault(text: string): string | null {
  if (!text.startsWith('/') || text.startsWith('//')) return "it must begin with a single '/'";
  if (/[?#]/.test(text)) return "it contains '?' or '#'";
  if (UNSAFE.test(text)) return 'it contains spaces, control characters or backslashes';
  const decoded = decode(text);
  if (decoded === null) return 'it contains an invalid percent-encoding';
  return decoded.split('/').includes('..') ? "it contains '..'" : null;
}

/** Percent-encodes a path, and leaves what is encoded already. */
function encodePath(path: string): string {
  // Nearly every path.
  if (/^[\w/.~-]*$/.test(path)) return path;
  return encodeURI(path.toWellFormed()).replaceAll(/%25([0-9a-f]{2})/gi, '%$1');
}

/** Returns a path without query, trailing slashes and percent-encoding, to compare it with others. */
export function bare(path: string): string {
  // Nearly every path.
  if (/^[\w/.-]*[\w.-]$/.test(path)) return path;
  const clean = path.split(/[?#]/)[0]!.replace(/(?<!\/)\/+$/, '');
  return decode(clean) ?? clean;
}

function decode(text: string): string | null {
  try {
    return decodeURIComponent(text);
  } catch {
    return null;
  }
}

/** Returns the string under `key`, trimmed; null when it is absent, empty or not a string. */
export function textOf(document: JsonObject, key: string): string | null {
  const value = document[key];
  return typeof value === 'string' && value.trim() !== '' ? value.trim() : null;
}

/** Returns the object under `key`; an empty one when there is none. */
export function objectOf(document: JsonObject, key: string): JsonObject {
  const value = document[key];
  return isJsonObject(value) ? value : {};
}

/**
 * Returns the path of a link in any of its forms: an object with `@odata.id`, or the bare text. Null where it is empty or
 * absent.
 * @throws whatever `linkPath` throws
 */
export function anyLinkPath(link: Json | undefined, origin: string): string | null {
  return optionalLinkPath(typeof link === 'string' ? link.trim() : link, origin);
}

/** Does the same for a link that is of no use where it leads elsewhere: then it counts as absent. */
export function ownLinkPath(link: Json | undefined, origin: string): string | null {
  try {
    return anyLinkPath(link, origin);
  } catch {
    return null;
  }
}

/** Returns the paths of a list of links, without those that are of no use; empty when there is no list. */
export function linkPaths(links: Json | undefined, origin: string): string[] {
  if (!Array.isArray(links)) return [];
  return links.map((link) => ownLinkPath(link, origin)).filter((path) => path !== null);
}
