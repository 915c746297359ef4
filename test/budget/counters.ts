// Preloaded into a process of the service: counts what calls cost it, and reports it when the test asks.
import { createHook } from 'node:async_hooks';
import { EventEmitter } from 'node:events';
import { DatabaseSync, StatementSync } from 'node:sqlite';

/** What calls took so far. */
export interface Counts {
  /** Bytes of the JavaScript heap. Reported only while nothing else is counted, since counting allocates. */
  bytes: number;
  promises: number;
  /** Listeners of event emitters and event targets. */
  listeners: number;
  /** Timeouts and immediates. */
  timers: number;
  abortControllers: number;
  headers: number;
  /** Statements of SQLite that were run. */
  statements: number;
}

const counts: Counts = {
  bytes: 0,
  promises: 0,
  listeners: 0,
  timers: 0,
  abortControllers: 0,
  headers: 0,
  statements: 0,
};

const hook = createHook({
  init(_id, type) {
    if (type === 'PROMISE') counts.promises++;
    else if (type === 'Timeout' || type === 'Immediate') counts.timers++;
  },
});

/** Replaces methods of a prototype by ones that count their calls. */
function countCalls<T extends object>(prototype: T, names: (keyof T)[], key: keyof Counts): void {
  for (const name of names) {
    const original = prototype[name] as (...args: unknown[]) => unknown;
    prototype[name] = function (this: unknown, ...args: unknown[]) {
      counts[key]++;
      return original.apply(this, args);
    } as T[keyof T];
  }
}

/** Returns a subclass that counts its instances. */
function countInstances<T extends new (...args: never[]) => object>(type: T, key: keyof Counts): T {
  return new Proxy(type, {
    construct(target, args, newTarget) {
      counts[key]++;
      return Reflect.construct(target, args, newTarget);
    },
  });
}

function startCounting(): void {
  countCalls(EventEmitter.prototype, ['on', 'addListener', 'prependListener'], 'listeners');
  countCalls(EventTarget.prototype, ['addEventListener'], 'listeners');
  countCalls(StatementSync.prototype, ['run', 'all', 'get', 'iterate'], 'statements');
  countCalls(DatabaseSync.prototype, ['exec'], 'statements');
  globalThis.AbortController = countInstances(AbortController, 'abortControllers');
  globalThis.Headers = countInstances(Headers, 'headers');
  hook.enable();
}

process.on('message', (question: 'collect' | 'count' | 'report') => {
  if (question === 'collect') globalThis.gc?.();
  else if (question === 'count') startCounting();
  counts.bytes = process.memoryUsage().heapUsed;
  process.send?.(counts);
});
process.once('disconnect', () => process.kill(process.pid, 'SIGKILL'));
process.channel?.unref();
