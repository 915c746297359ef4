import { expect, test, vi } from 'vitest';
import { PassthruError } from '../../src/core/errors.ts';
import { startCore } from './harness.ts';

test('is not ready while the lease is lost, and is again with a new one', async () => {
  const { core, store } = await startCore([], { lease: 500 }, true);
  await core.checkReady();
  const renew = vi.spyOn(store, 'renewConductor').mockResolvedValue(false);
  const join = vi.spyOn(store, 'addConductor').mockRejectedValue(new PassthruError('store_unavailable', 'away'));
  await vi.waitFor(() => expect(core.checkReady()).rejects.toThrow(/longer than the lease/), { timeout: 10_000 });
  renew.mockRestore();
  join.mockRestore();
  await vi.waitFor(() => core.checkReady(), { timeout: 10_000 });
  await core.shutdown(0);
  await expect(core.checkReady()).rejects.toMatchObject({ kind: 'shutting_down' });
  await store.close();
});
