import type { Compilable, CompiledQuery } from 'kysely';

/** A query compiled once; returns it with `values` as its parameters. */
export type PreparedQuery<V extends object, O> = (values: V) => CompiledQuery<O>;

/** SQL of all prepared queries; a small fixed set, safe to name as server-side prepared statements. */
const texts = new Set<string>();

/** Whether `sql` is the text of a prepared query. */
export function isPrepared(sql: string): boolean {
  return texts.has(sql);
}

/**
 * Compiles a query once for many runs: building and compiling costs kysely several times what SQLite needs to run it.
 *
 * @param build makes the query; a property of its argument stands for the value that each run gives under that name,
 *   and may be used only where a plain value can be (not in what shapes the query, such as a limit that is left out)
 */
export function prepareQuery<V extends object, O>(build: (blanks: V) => Compilable<O>): PreparedQuery<V, O> {
  const blanks = new Proxy({}, { get: (_, name) => new Blank(name as keyof V) });
  const { parameters, ...compiled } = build(blanks as V).compile();
  texts.add(compiled.sql);
  return (values) => ({
    ...compiled,
    parameters: parameters.map((parameter) =>
      parameter instanceof Blank ? values[parameter.name as keyof V] : parameter,
    ),
  });
}

class Blank {
  readonly name: PropertyKey;
  constructor(name: PropertyKey) {
    this.name = name;
  }
}
