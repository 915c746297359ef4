import { ConnectError } from '@connectrpc/connect';
import { useEffect, useMemo, useState } from 'react';
import type { Event } from '../../../gen/passthru/v1/event_pb.ts';
import { eventsBefore, eventTable, type Filter } from '../live/events.ts';
import { useChanges } from '../parts/emitter.ts';

interface ShownEvents {
  /** The newest first. */
  events: readonly Event[];
  complete: boolean;
  /** Why events cannot be read, in the service's words. */
  problem: string | null;
  /** Reads what came before the last; null when there is no more. */
  readOlder: (() => Promise<void>) | null;
}

/** What was read of the past, as long as nothing between it and the present was dropped. */
interface Past {
  events: readonly Event[];
  dropped: number;
  end: boolean;
  problem: string | null;
}

const NOTHING: Past = { events: [], dropped: 0, end: false, problem: null };

/** Follows the events of `filter`, which must be the same object while it selects the same. */
export function useEvents(filter: Filter): ShownEvents {
  const table = useMemo(() => eventTable(filter), [filter]);
  const version = useChanges(table);
  const [read, setRead] = useState<{ of: typeof table; past: Past }>({ of: table, past: NOTHING });
  useEffect(() => {
    table.start();
    return () => table.stop();
  }, [table]);
  const { dropped, complete, items } = table;
  const past = read.of === table && read.past.dropped === dropped ? read.past : NOTHING;
  // biome-ignore lint/correctness/useExhaustiveDependencies: the table changes in place, and its version tells when
  const events = useMemo(() => [...items.toReversed(), ...past.events], [version, items, past]);
  const last = events.at(-1);
  const readOlder = async () => {
    if (last === undefined) return;
    const known = new Set(events.map(({ id }) => id));
    try {
      const older = (await eventsBefore(last, filter)).filter(({ id }) => !known.has(id));
      const next = { events: [...past.events, ...older], dropped, end: older.length === 0, problem: null };
      setRead({ of: table, past: next });
    } catch (thrown) {
      setRead({ of: table, past: { ...past, dropped, problem: ConnectError.from(thrown).rawMessage } });
    }
  };
  return {
    events,
    complete,
    problem: table.problem?.rawMessage ?? past.problem,
    readOlder: last === undefined || past.end ? null : readOlder,
  };
}
