import { type Compilable, type CompiledQuery, sql } from 'kysely';

/** The SQL of all prepared queries: a small set, which PostgreSQL may keep as named statements. */
const texts = new Set<string>();

/** Whether `sql` is the text of a prepared query. */
export function isPrepared(sql: string): boolean {
  return texts.has(sql);
}

/**
 * Compiles a query once for many runs, before its first; building it each time takes kysely several times what SQLite needs to
 * run it.
 *
 * @param build builds the query from blanks, each of which stands for a run's value of that name; a blank can only be used
 *   as a parameter, and cannot decide the shape of the query
 */
export function prepareQuery<V extends object, O>(
  build: (blanks: V) => Compilable<O>,
): (values: V) => CompiledQuery<O> {
  let compiled: CompiledQuery<O> | null = null;
  return (values) => {
    if (compiled === null) {
      const blanks = new Proxy({}, { get: (_, name) => new Blank(name as keyof V) });
      compiled = build(blanks as V).compile();
      texts.add(compiled.sql);
    }
    return fill(compiled, values);
  };
}

/** Maximum number of shapes of one query that are named statements: each connection keeps its own. */
const MAX_NAMED = 40;

/** Maximum number of its other shapes. */
const MAX_SHAPES = 500;

/** Compiles a query whose shape depends on the values once for each shape. */
export class ShapedQuery<V extends object, O> {
  readonly #constant: readonly (keyof V)[];
  readonly #named = new Map<string, CompiledQuery<O>>();
  readonly #others = new Map<string, CompiledQuery<O>>();

  /**
   * @param constant the values that become constants of a named statement: those of few kinds, and by which PostgreSQL plans,
   *   such as limits
   */
  constructor(constant: readonly (keyof V)[] = []) {
    this.#constant = constant;
  }

  /**
   * @param shape the same for values that differ only in what `build` uses as parameters
   * @param build builds the query from blanks, as for `prepareQuery`
   * @param named whether PostgreSQL may plan it once for all values that are no constants: then whichever they are, the plan is
   *   good. Beyond a maximum it plans each time
   */
  compile(shape: string, values: V, build: (blanks: V) => Compilable<O>, named: boolean): CompiledQuery<O> {
    const name = named ? `${shape} ${this.#constant.map((each) => values[each])}` : '';
    let compiled = this.#named.get(name) ?? this.#others.get(shape);
    if (compiled === undefined) {
      if (named && this.#named.size < MAX_NAMED) {
        compiled = build(blanksFor(values, this.#constant)).compile();
        texts.add(compiled.sql);
        this.#named.set(name, compiled);
      } else {
        compiled = build(blanksFor(values, [])).compile();
        if (this.#others.size === MAX_SHAPES) this.#others.clear();
        this.#others.set(shape, compiled);
      }
    }
    return fill(compiled, values);
  }
}

function blanksFor<V extends object>(values: V, constant: readonly (keyof V)[]): V {
  const blanks = Object.entries(values).map(([key, value]) => {
    if (value == null) return [key, value];
    return [key, constant.includes(key as keyof V) ? sql.lit(value) : new Blank(key)];
  });
  return Object.fromEntries(blanks);
}

function fill<V extends object, O>(compiled: CompiledQuery<O>, values: V): CompiledQuery<O> {
  const parameters = compiled.parameters.map((parameter) =>
    parameter instanceof Blank ? values[parameter.name as keyof V] : parameter,
  );
  return { ...compiled, parameters };
}

class Blank {
  readonly name: PropertyKey;
  constructor(name: PropertyKey) {
    this.name = name;
  }
}
