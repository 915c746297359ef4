import { isJsonObject, type Json, type JsonObject } from '../core/json.ts';
import { RedfishError } from './errors.ts';

/** What no path on a BMC and no id may hold: control characters, space, backslash. */
// biome-ignore lint/suspicious/noControlCharactersInRegex: it is there to refuse them
const UNSAFE = /[\u0000-\u0020\u007f\\]/;

/**
 * The path that a link in a document of `origin` leads to. Links come as absolute paths and as full URLs, percent-encoded
 * or not; a fragment is dropped, a query (`nextLink` has one) and a trailing slash stay as they are.
 * @throws kind `failed` when the link is no path, or leads to another host
 */
export function linkPath(link: unknown, origin: string): string {
  const text = isJsonObject(link) ? link['@odata.id'] : link;
  if (typeof text === 'string' && text !== '') {
    const url = URL.canParse(text) ? new URL(text) : undefined;
    if (url !== undefined && url.host !== new URL(origin).host) {
      throw new RedfishError('failed', `The BMC links to another host: ${url.origin}`);
    }
    const path = url === undefined ? text.split('#')[0]! : url.pathname + url.search;
    if (path.startsWith('/') && !path.startsWith('//')) return encodePath(path);
  }
  throw new RedfishError('failed', 'The BMC gave a link that is not a path');
}

/** `linkPath`, or null where the document has no such link. */
export function optionalLinkPath(link: unknown, origin: string): string | null {
  const text = isJsonObject(link) ? link['@odata.id'] : link;
  return typeof text === 'string' && text !== '' ? linkPath(text, origin) : null;
}

/**
 * The path of a `Location` header. BMCs behind address translation give a full URL with their own idea of the host; only
 * the path counts, and it is asked for at the address that the client has. Null when there is none.
 */
export function locationPath(location: string | undefined): string | null {
  if (location === undefined || location === '') return null;
  if (URL.canParse(location)) {
    const url = new URL(location);
    return url.pathname + url.search;
  }
  return location.startsWith('/') && !location.startsWith('//') ? encodePath(location.split('#')[0]!) : null;
}

/** Whether two paths name one resource: trailing slashes and percent-encoding do not count. */
export function samePath(a: string, b: string): boolean {
  return bare(a) === bare(b);
}

/** The id in a resource's path: its last segment, decoded. Empty for the root. */
export function lastSegment(path: string): string {
  const segments = bare(path).split('/');
  return segments[segments.length - 1]!;
}

/**
 * Why `id` cannot be one segment of a path, or null when it can. What a caller gives may hold anything legal in a
 * segment (RFC 3986, 3.3), but nothing that would lead elsewhere, encoded once or more.
 */
export function segmentFault(id: string): string | null {
  if (id === '') return 'it is empty';
  if (id.length > 255) return 'it is longer than 255 characters';
  if (!id.isWellFormed()) return 'it is no well-formed text';
  for (let text = id, depth = 0; ; depth++) {
    if (/[/\\?#]/.test(text)) return "it holds '/', '\\', '?' or '#'";
    if (text.includes('..') || text === '.') return "it holds '..' or is '.'";
    // biome-ignore lint/suspicious/noControlCharactersInRegex: it is there to refuse them
    if (/[\u0000-\u001f\u007f]/.test(text)) return 'it holds control characters';
    const decoded = decode(text);
    if (decoded === null) return 'it holds a % that encodes nothing';
    if (decoded === text) return null;
    if (depth === 3) return 'it is percent-encoded too many times';
    text = decoded;
  }
}

/**
 * The path of the member `id` of a collection. Some BMCs' collections end in a slash, some do not.
 * @throws TypeError when `id` is no path segment; check it with `segmentFault` first
 */
export function memberPath(collection: string, id: string): string {
  const fault = segmentFault(id);
  if (fault !== null) throw new TypeError(`the id cannot be a path segment: ${fault}`);
  return `${collection.replace(/\/+$/, '')}/${encodePath(id)}`;
}

/** Why `text` cannot be the path of a resource, as an operator gives it, or null when it can. */
export function pathFault(text: string): string | null {
  if (!text.startsWith('/') || text.startsWith('//')) return "it must begin with one '/'";
  if (/[?#]/.test(text)) return "it holds '?' or '#'";
  if (UNSAFE.test(text)) return 'it holds spaces, control characters or backslashes';
  const decoded = decode(text);
  if (decoded === null) return 'it holds a % that encodes nothing';
  return decoded.split('/').includes('..') ? "it holds '..'" : null;
}

/** Encodes what may not stand in a path as it is, and leaves what is encoded already. */
function encodePath(path: string): string {
  // As nearly every path is.
  if (/^[\w/.~-]*$/.test(path)) return path;
  return encodeURI(path.toWellFormed()).replaceAll(/%25([0-9a-f]{2})/gi, '%$1');
}

function bare(path: string): string {
  const clean = path.split(/[?#]/)[0]!.replace(/\/+$/, '');
  return decode(clean) ?? clean;
}

function decode(text: string): string | null {
  try {
    return decodeURIComponent(text);
  } catch {
    return null;
  }
}

/** The text under `key`; null when it is absent, empty or no text. */
export function textOf(document: JsonObject, key: string): string | null {
  const value = document[key];
  return typeof value === 'string' && value.trim() !== '' ? value.trim() : null;
}

/** The paths of a list of links; empty when there is no list. */
export function linkPaths(links: Json | undefined, origin: string): string[] {
  if (!Array.isArray(links)) return [];
  return links.filter((link) => isJsonObject(link)).map((link) => linkPath(link, origin));
}
