import { afterEach, expect, test, vi } from 'vitest';
import { createRedfishClients } from '../../../src/redfish/index.ts';
import { startScriptedBmc } from '../scriptedBmc.ts';
import { failure, forever, target } from '../target.ts';

afterEach(() => {
  vi.useRealTimers();
});

const anonymous = { account: { username: null, password: '', authType: 'auto' as const } };
const options = { signal: forever };

/** Starts a BMC that returns 503 with `body` to requests beyond `few` concurrent ones. */
async function start(few: () => number, body?: object) {
  let under = 0;
  let most = 0;
  let turnedAway = 0;
  const bmc = await startScriptedBmc(async () => {
    under++;
    most = Math.max(most, under);
    try {
      await new Promise((resolve) => setTimeout(resolve, 5));
      if (under <= few()) return { status: 200, body: {} };
      turnedAway++;
      return { status: 503, ...(body ? { body } : {}) };
    } finally {
      under--;
    }
  });
  const clients = createRedfishClients();
  const client = clients.for(target(bmc.url, anonymous), options);
  return {
    client,
    bmc,
    /** Returns the maximum number of concurrent requests since the last call. */
    most() {
      const seen = most;
      most = 0;
      return seen;
    },
    turnedAway: () => turnedAway,
    async [Symbol.asyncDispose]() {
      await clients.close();
      await bmc.close();
    },
  };
}

test('concurrency is reduced for a minute after a BMC turned requests away, then restored', async () => {
  vi.useFakeTimers({ toFake: ['performance'] });
  let few = 1;
  await using machine = await start(() => few);
  const send = () => Promise.all(Array.from({ length: 8 }, () => machine.client.post('/a', null)));
  await send();
  machine.most();
  const before = machine.turnedAway();
  expect(before).toBeGreaterThan(0);
  await send();
  expect(machine.most()).toBe(1);
  expect(machine.turnedAway()).toBe(before);
  few = 4;
  vi.advanceTimersByTime(60_001);
  await send();
  expect(machine.most()).toBe(4);
});

test('a request with a 503 of another cause is not repeated although others were in flight', async () => {
  const entry = { MessageId: 'Base.1.8.SessionLimitExceeded', Message: 'No session is left.' };
  await using machine = await start(() => 0, { error: { '@Message.ExtendedInfo': [entry] } });
  const errors = await Promise.all([1, 2].map(() => failure(machine.client.post('/a', null))));
  expect(errors.map(({ status }) => status)).toEqual([503, 503]);
  expect(machine.bmc.requests).toHaveLength(2);
});

test('a BMC that turns away every request is reported after a few tries', async () => {
  await using machine = await start(() => 0);
  const errors = await Promise.all([1, 2, 3, 4].map(() => failure(machine.client.post('/a', null))));
  for (const error of errors) expect(error.status).toBe(503);
  expect(machine.bmc.requests.length).toBeLessThanOrEqual(20);
});
