import { expect, test, vi } from 'vitest';
import { createThrottledLog } from '../../src/auth/throttledLog.ts';
import { silentLogger } from '../../src/core/logger.ts';

test('logs a repeated error once in ten seconds of the monotonic clock, with the number of suppressed ones', () => {
  let now = 5;
  const lines: unknown[] = [];
  const warn = createThrottledLog({ ...silentLogger, warn: (fields) => void lines.push(fields) }, () => now);
  try {
    vi.useFakeTimers({ toFake: ['Date'] });
    for (let count = 0; count < 3; count++) warn({ reason: 'away' }, 'Keystone check failed');
    vi.setSystemTime(Date.now() - 3_600_000);
    now += 9_999;
    warn({ reason: 'away' }, 'Keystone check failed');
    expect(lines).toEqual([{ reason: 'away', suppressed: 0 }]);
    now += 1;
    warn({ reason: 'away' }, 'Keystone check failed');
    expect(lines.slice(1)).toEqual([{ reason: 'away', suppressed: 3 }]);
  } finally {
    vi.useRealTimers();
  }
});
