import type { Compilable, CompiledQuery } from 'kysely';

/** The SQL of all prepared queries: a small fixed set, which PostgreSQL may keep as named statements. */
const texts = new Set<string>();

/** Whether `sql` is the text of a prepared query. */
export function isPrepared(sql: string): boolean {
  return texts.has(sql);
}

/**
 * Compiles a query once for many runs; building it each time takes kysely several times what SQLite needs to run it.
 *
 * @param build builds the query from blanks, each of which stands for a run's value of that name; a blank can only be used
 *   as a parameter, and cannot decide the shape of the query
 */
export function prepareQuery<V extends object, O>(
  build: (blanks: V) => Compilable<O>,
): (values: V) => CompiledQuery<O> {
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
