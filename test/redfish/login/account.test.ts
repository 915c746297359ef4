import { expect, test } from 'vitest';
import { type Account, LoginCache } from '../../../src/redfish/login/account.ts';

const ORIGIN = 'https://bmc.example';
const ACCOUNT: Account = { username: 'u', password: 'p', authType: 'auto' };
const now = () => 0;

test('a login that outlives its client delays the next login of its account, which learns of its refusal', async () => {
  const { signal } = new AbortController();
  const cache = new LoginCache();
  // A node is removed while its BMC does not respond to the login, and enrolled again.
  const first = cache.join(ORIGIN, ACCOUNT, now);
  const end = await first.turn(null, signal);
  cache.leave(first);
  const second = cache.join(ORIGIN, ACCOUNT, now);
  const turn = second.turn(0, signal);
  await expect(turn).rejects.toThrow('another request of this account is trying the password first');
  first.refuse('session', 'wrong');
  end();
  expect(second.refusal('session')?.why).toBe('wrong');
  expect(second.refusal('basic')).toBeNull();
});

test('the state of a login that has ended is dropped', async () => {
  const cache = new LoginCache();
  const first = cache.join(ORIGIN, ACCOUNT, now);
  const end = await first.turn(null, new AbortController().signal);
  cache.leave(first);
  end();
  cache.sweep(0);
  expect(cache.join(ORIGIN, ACCOUNT, now)).not.toBe(first);
});
