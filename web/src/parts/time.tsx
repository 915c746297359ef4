import { type Timestamp, timestampDate } from '@bufbuild/protobuf/wkt';
import { useSyncExternalStore } from 'react';
import { texts } from '../texts.ts';

let now = Date.now();
const listeners = new Set<() => void>();
setInterval(() => {
  now = Date.now();
  for (const listener of listeners) listener();
}, 1000);

function subscribe(listener: () => void): () => void {
  listeners.add(listener);
  return () => listeners.delete(listener);
}

/** Returns the time in ms, renewed each second. */
export function useNow(): number {
  return useSyncExternalStore(subscribe, () => now);
}

export function millis(time: Timestamp | undefined): number | null {
  return time === undefined ? null : timestampDate(time).getTime();
}

/** Returns a duration in its two largest units. */
export function duration(milliseconds: number): string {
  const seconds = Math.max(0, Math.round(milliseconds / 1000));
  if (seconds < 60) return texts.time.seconds(seconds);
  if (seconds < 3600) return texts.time.minutes(Math.floor(seconds / 60), seconds % 60);
  if (seconds < 86_400) return texts.time.hours(Math.floor(seconds / 3600), Math.floor((seconds % 3600) / 60));
  return texts.time.days(Math.floor(seconds / 86_400), Math.floor((seconds % 86_400) / 3600));
}

const clock = new Intl.DateTimeFormat(undefined, { dateStyle: 'medium', timeStyle: 'medium' });

const shortClock = new Intl.DateTimeFormat(undefined, {
  month: 'short',
  day: 'numeric',
  hour: '2-digit',
  minute: '2-digit',
  second: '2-digit',
  hourCycle: 'h23',
});

/** A time without its year; the whole of it is its title. */
export function Clock({ at }: { at: number }) {
  return (
    <time dateTime={new Date(at).toISOString()} title={clockTime(at)}>
      {shortClock.format(at)}
    </time>
  );
}

export function clockTime(milliseconds: number): string {
  return clock.format(milliseconds);
}

/** How long ago, or until, a time is; the exact time is its title. */
export function Since({ at, until = false }: { at: number | null; until?: boolean }) {
  const present = useNow();
  if (at === null) return null;
  return (
    <time dateTime={new Date(at).toISOString()} title={clockTime(at)}>
      {until ? duration(at - present) : duration(present - at)}
    </time>
  );
}
