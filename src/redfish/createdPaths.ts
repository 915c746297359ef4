import type { JsonObject } from '../core/json.ts';
import { bare, lastSegment, locationPath, memberPath, samePath, segmentFault, textOf } from './links.ts';
import type { RedfishResponse } from './wire/response.ts';

/**
 * Returns the paths at which a new member of `collection` may be, the likeliest first, by the response to the POST. Empty
 * when it does not tell: BMCs also send the collection's own path or that of the service, or nothing.
 */
export function createdPaths(response: RedfishResponse | null, collection: string): string[] {
  const document = response?.document ?? {};
  // In a 202 and in an ended task, the location is that of the task.
  if (response === null || response.status === 202 || isTask(document)) return [];
  const told = [response.headers.location, textOf(document, '@odata.id') ?? undefined].map((place) =>
    locationPath(place, collection),
  );
  for (const path of told) {
    if (path === null || isInside(collection, path) || samePath(collection, path)) continue;
    if (isInside(path, collection)) return [path];
    // Relative to the collection, or the path that a proxy before the BMC has.
    const id = lastSegment(path);
    return segmentFault(id) === null ? [memberPath(collection, id), path] : [path];
  }
  const id = textOf(document, 'Id');
  const isItself = id !== null && id === lastSegment(collection);
  return id === null || isItself || segmentFault(id) !== null ? [] : [memberPath(collection, id)];
}

/** Whether `path` is below `place`. */
export function isInside(path: string, place: string): boolean {
  return bare(path).startsWith(`${bare(place)}/`);
}

function isTask(document: JsonObject): boolean {
  return textOf(document, 'TaskState') !== null || textOf(document, 'JobState') !== null;
}
