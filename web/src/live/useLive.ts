import { useEffect } from 'react';
import { useChanges } from '../parts/emitter.ts';
import type { LiveTable } from './liveTable.ts';

/** Follows `table` from the first component that shows it on; renders again after changes. */
export function useLive<T extends Pick<LiveTable<never>, 'start' | 'subscribe' | 'version' | 'emit'>>(table: T): T {
  useChanges(table as never);
  useEffect(() => table.start(), [table]);
  return table;
}
