/** What a watcher of many jobs, nodes or events is told. The cursor resumes after it; '' while the current state is told. */
export type WatchEvent<T> =
  /** The job or node after a change, or as it is in the current state. */
  | { kind: 'item'; item: T; cursor: string }
  /** A node was removed, or no longer matches. */
  | { kind: 'removed'; uuid: string; cursor: string }
  /**
   * `current`: the current state has been told; `reset`: the cursor is too old, and the current state follows. Without a current
   * state: what came after the cursor has been told; what is left of it follows.
   */
  | { kind: 'marker'; marker: 'current' | 'reset'; cursor: string };

/** Takes what one watcher is told. */
export interface WatchSink<T> {
  /** Called once when the watch has begun: it was not refused, though there may be nothing to tell yet. */
  begin?(): void;
  /**
   * Takes events, in order. Returns false when no more should come before `ready` resolves. Many sinks get the same array,
   * which they must not change, so that what they derive of it can be shared.
   */
  put(events: readonly WatchEvent<T>[]): boolean;
  /** Resolves when more events may come. Throws the signal's reason. */
  ready(signal: AbortSignal): Promise<void>;
}

/** Tells watchers the changes of jobs or nodes, or events. `C` is a change, `F` a filter, `T` a job, node or event. */
export interface Feed<C extends { position: number }, F extends { key: string }, T> {
  /** Returns the first changes above `after`; null when they are not known any more. */
  read(after: number): Promise<C[] | null>;
  /** Returns what a watcher with this filter is told of a change; null for nothing. */
  select(change: C, filter: F, cursor: string): WatchEvent<T> | null;
  /**
   * Whether a change that this process has committed is of the log `log`; absent when changes have no positions until they are
   * read.
   */
  isOf?(change: C, log: string): boolean;
  /**
   * Yields all that match as they are, page by page, but for those that have changed since the position `since`. Null when the
   * log tells what has happened, which is no state of anything.
   */
  readonly current: ((filter: F, since: number) => AsyncGenerator<T[], void>) | null;
}
