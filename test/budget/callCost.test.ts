import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { asyncCall, call, listMethods } from '../../bench/serving/requests.ts';
import type { Request } from '../../bench/serving/work.ts';
import { type CalledService, startCalledService } from './calledService.ts';
import type { Counts } from './counters.ts';

// What one call may take. No time is measured: the counts are the same on each machine and under any load, within 1 % from
// run to run. They are those of V8's interpreter, which allocates more than compiled code.

const FAKE_NODE = '00000000-0000-4000-8000-000000000000';
const REDFISH_NODE = 'ffffffff-0000-4000-8000-000000000000';

/**
 * The budgets. A test fails when a call takes a quarter more or less. When a change makes a call cheaper, or dearer for a good
 * reason, enter the counts that the failed test shows, so that a later doubling is noticed too; the body of the commit says
 * why it became dearer.
 */
const BUDGETS: Record<string, { request: Request; budget: Counts }> = {
  'REST methods list': {
    request: listMethods('rest', REDFISH_NODE),
    budget: { bytes: 16_100, promises: 1, listeners: 4, timers: 3, abortControllers: 0, headers: 0, statements: 0 },
  },
  'REST exclusive call': {
    request: call('rest', FAKE_NODE),
    budget: { bytes: 40_400, promises: 30, listeners: 8, timers: 5, abortControllers: 1, headers: 0, statements: 0 },
  },
  'REST asynchronous call, with its job to the end': {
    request: asyncCall(FAKE_NODE),
    budget: { bytes: 83_100, promises: 104, listeners: 8, timers: 8, abortControllers: 1, headers: 0, statements: 5 },
  },
  'Connect exclusive call (JSON)': {
    request: call('connect-json', FAKE_NODE),
    budget: { bytes: 88_400, promises: 90, listeners: 18, timers: 4, abortControllers: 5, headers: 5, statements: 0 },
  },
  'gRPC exclusive call': {
    request: call('grpc', FAKE_NODE),
    budget: { bytes: 48_600, promises: 28, listeners: 13, timers: 4, abortControllers: 2, headers: 0, statements: 0 },
  },
  'gRPC ListNodeMethods': {
    request: listMethods('grpc', REDFISH_NODE),
    budget: { bytes: 26_500, promises: 9, listeners: 12, timers: 3, abortControllers: 0, headers: 0, statements: 0 },
  },
};

/** What a count may be away from its budget: a share of it, and at least half of one. Statements may not be more or fewer. */
const TOLERANCE = 0.25;

const CALLS = 30;
/** Odd, for the median: now and then V8 collects garbage in one of them. */
const BATCHES = 3;

describe('what a call takes', () => {
  let service: CalledService;
  const measured: Record<string, Counts> = {};

  beforeAll(async () => {
    service = await startCalledService([
      { uuid: FAKE_NODE, name: 'fake-1', driver: 'fake-hardware' },
      { uuid: REDFISH_NODE, name: 'rf-1', driver: 'redfish' },
    ]);
    const requests = Object.entries(BUDGETS).map(([name, { request }]) => [name, request] as const);
    const bytes: Record<string, number> = {};
    for (const [name, request] of requests) bytes[name] = await countBytes(request);
    await service.ask('count');
    for (const [name, request] of requests) measured[name] = { ...(await countRest(request)), bytes: bytes[name]! };
  });
  afterAll(() => service?.stop());

  test.each(Object.entries(BUDGETS))('%s takes what its budget says', (name, { budget }) => {
    const counts = measured[name]!;
    const away = (Object.keys(budget) as (keyof Counts)[]).filter((key) => {
      const tolerance = key === 'statements' ? 0 : TOLERANCE * budget[key];
      return Math.abs(counts[key] - budget[key]) > Math.max(0.5, tolerance);
    });
    expect(away, `${name} took ${JSON.stringify(counts)}, its budget is ${JSON.stringify(budget)}`).toEqual([]);
  });

  async function sendAll(request: Request): Promise<void> {
    for (let sent = 0; sent < CALLS; sent++) {
      const { status, body } = await service.send(request);
      if (status >= 300) throw new Error(`${status} ${body}`);
    }
  }

  /** Returns the bytes that one call takes. */
  async function countBytes(request: Request): Promise<number> {
    await sendAll(request);
    const batches: number[] = [];
    while (batches.length < BATCHES) {
      const before = await service.ask('collect');
      await sendAll(request);
      const after = await service.ask('report');
      batches.push((after.bytes - before.bytes) / CALLS);
    }
    return Math.round(batches.toSorted((a, b) => a - b)[BATCHES >> 1]!);
  }

  /** Returns what else it takes. */
  async function countRest(request: Request): Promise<Counts> {
    const before = await service.ask('report');
    await sendAll(request);
    const after = await service.ask('report');
    const each = (Object.keys(after) as (keyof Counts)[]).map((key) => [
      key,
      Math.round((after[key] - before[key]) / CALLS),
    ]);
    return Object.fromEntries(each);
  }
});
