/**
 * `target` of a request, or the value of an `@odata.id`, as the key under which a document is kept: without query,
 * fragment and trailing slashes, each segment percent-decoded. BMCs take all of these forms for the same resource.
 * Null when it is not a path, or when a segment would decode to more than one (`%2f`) or to nothing sensible.
 */
export function documentPath(target: string): string | null {
  if (!target.startsWith('/')) return null;
  const path = target.replace(/[?#].*$/s, '').replace(/\/+$/, '');
  const segments: string[] = [];
  for (const raw of path.split('/').slice(1)) {
    let segment: string;
    try {
      segment = decodeURIComponent(raw);
    } catch {
      return null;
    }
    if (segment === '' || segment === '.' || segment === '..' || segment.includes('/')) return null;
    segments.push(segment);
  }
  return `/${segments.join('/')}`;
}

/** The path of the resource or collection that holds `path`. */
export function parentPath(path: string): string {
  return path.slice(0, path.lastIndexOf('/'));
}

/** The last segment of `path`: a member's Id. */
export function lastSegment(path: string): string {
  return path.slice(path.lastIndexOf('/') + 1);
}
