import type { Method } from '../core/method.ts';

/** A method in `…/methods`: exactly the recorded keys, in the recorded order. */
interface MethodEntry {
  http_methods: readonly string[];
  async: boolean;
  description: string;
  attach: boolean;
  require_exclusive_lock: boolean;
}

const prepared = new WeakMap<readonly Method<never>[], string>();

/**
 * Returns the JSON document of a list of methods. It is cached by list, which the core keeps as long as the hardware
 * type: no document is requested more often.
 */
export function methodsDocument(methods: readonly Method<never>[]): string {
  let document = prepared.get(methods);
  if (document === undefined) {
    document = JSON.stringify(Object.fromEntries(methods.map((method) => [method.name, entryOf(method)])));
    prepared.set(methods, document);
  }
  return document;
}

function entryOf(method: Method<never>): MethodEntry {
  return {
    http_methods: method.httpMethods,
    async: method.async,
    description: method.description,
    attach: method.attach,
    require_exclusive_lock: method.requireExclusiveLock,
  };
}
