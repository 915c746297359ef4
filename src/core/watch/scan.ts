import { countFitting } from '../page.ts';
import type { Scanned } from './changeStore.ts';

/** Yields the keys of a scan, as many at once as fit on a page. */
export async function* pages<S extends { after: string; limit: number }>(
  first: S,
  read: (scan: S) => Promise<Scanned[]>,
): AsyncGenerator<string[], void> {
  let scan = first;
  for (;;) {
    const found = await read(scan);
    const page = found.slice(0, countFitting(found.map(({ size }) => size)));
    const last = page.at(-1);
    if (last === undefined) return;
    yield page.map(({ key }) => key);
    if (found.length < scan.limit && page.length === found.length) return;
    scan = { ...scan, after: last.place };
  }
}
