import { WatchMarker } from '../../../gen/passthru/v1/watch_pb.ts';

/** No driver has this name: a watch of its nodes or jobs begins with the marker that tells the present cursor. */
export const NOTHING = '(none)';

export function markerOf(marker: WatchMarker): 'current' | 'reset' | undefined {
  if (marker === WatchMarker.CURRENT) return 'current';
  return marker === WatchMarker.RESET ? 'reset' : undefined;
}
