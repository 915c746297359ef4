import type { z } from 'zod';
import { showValue } from './problems.ts';
import { integerSetting } from './setting.ts';

/** The key `workers`. */
export const workersKey = integerSetting(
  { initial: 1, least: 1, most: 128 },
  'The number of processes that serve the addresses, each as a replica of its own; see "Several processes" in docs/operating.md. More than 1 needs PostgreSQL. Every limit is that of one process. How many asynchronous methods run at once is `workers_pool_size`.',
);

/** Reports several workers on a store that one process owns. Members may be of a wrong type: the schema reports those. */
export function checkWorkers({ workers, store }: Record<string, unknown>, context: z.RefinementCtx): void {
  if (typeof workers !== 'number' || workers <= 1 || typeof store !== 'string') return;
  if (!store.startsWith('sqlite:')) return;
  const message = `1 with store ${showValue('store', store)}, because one process owns a SQLite database; for more set store to postgres://USER@HOST/DATABASE`;
  context.addIssue({ code: 'custom', path: ['workers'], message });
}
