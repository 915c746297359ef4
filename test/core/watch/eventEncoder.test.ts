import { expect, test, vi } from 'vitest';
import { EventEncoder } from '../../../src/core/watch/eventEncoder.ts';
import type { WatchEvent } from '../../../src/core/watch/watchEvent.ts';

const event = (item: object, cursor: string): WatchEvent<object> => ({ kind: 'item', item, cursor });

test('encodes an event once for all watchers', () => {
  const encode = vi.fn(() => Buffer.from('event'));
  const encoder = new EventEncoder(encode);
  const item = {};
  encoder.encode([event(item, 'a')]);
  expect(Buffer.from(encoder.encode([event(item, 'a')])).toString()).toBe('event');
  expect(encode).toHaveBeenCalledTimes(1);
  encoder.encode([event(item, 'b')]);
  expect(encode).toHaveBeenCalledTimes(2);
});

test('keeps the bytes of an event without the rest of the pool that they were made in', () => {
  const pooled = Buffer.from('event');
  expect(pooled.buffer.byteLength).toBeGreaterThan(1000);
  const encoder = new EventEncoder(() => pooled);
  expect(encoder.encode([event({}, 'a')]).buffer.byteLength).toBe(5);
});
