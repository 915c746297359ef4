/** A queued statement with its promise. */
interface Waiting<S> {
  statement: S;
  resolve(rows: unknown[]): void;
  reject(error: unknown): void;
}

/** The connection that the statements of a group run on, one group at a time. */
export interface GroupConnection<S> {
  /** Calls `work`, which is synchronous, when the connection is free: at once if it is. */
  whenFree(work: () => void): void;
  begin(): void;
  commit(): void;
  /** Never throws. */
  rollback(): void;
  /** Runs one statement and returns its rows. */
  run(statement: S): unknown[];
}

/**
 * Commits the statements that came within one turn of the event loop together. Each commit takes and gives back the
 * locks of the file, a dozen calls of the system, which is more than the statement itself takes; under load a turn has
 * the statements of many calls.
 *
 * A statement that fails does not fail its group: the group is rolled back and each statement runs alone. Where not even
 * the group can begin, as when another program writes for too long, all of it fails at once: each would wait as long.
 *
 * @returns a function that runs a statement and resolves with its rows when it is committed
 */
export function statementGroup<S>(connection: GroupConnection<S>): (statement: S) => Promise<unknown[]> {
  let group: Waiting<S>[] = [];
  const flush = () => {
    const all = group;
    group = [];
    if (all.length === 1 || !runTogether(connection, all)) for (const each of all) runAlone(connection, each);
  };
  const free = () => connection.whenFree(flush);
  return (statement) =>
    new Promise((resolve, reject) => {
      if (group.push({ statement, resolve, reject }) === 1) setImmediate(free);
    });
}

/** False when one of `all` failed: then nothing was done. */
function runTogether<S>(connection: GroupConnection<S>, all: readonly Waiting<S>[]): boolean {
  try {
    connection.begin();
  } catch (error) {
    for (const { reject } of all) reject(error);
    return true;
  }
  let results: unknown[][];
  try {
    results = all.map(({ statement }) => connection.run(statement));
    connection.commit();
  } catch {
    connection.rollback();
    return false;
  }
  for (const [index, { resolve }] of all.entries()) resolve(results[index] as unknown[]);
  return true;
}

function runAlone<S>(connection: GroupConnection<S>, { statement, resolve, reject }: Waiting<S>): void {
  try {
    resolve(connection.run(statement));
  } catch (error) {
    reject(error);
  }
}
