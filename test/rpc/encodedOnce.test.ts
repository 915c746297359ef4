import { expect, test } from 'vitest';
import { encoded, encodeOnce } from '../../src/rpc/encodedOnce.ts';

/** Encodes to another byte each time. */
function encoder(): () => Uint8Array {
  let calls = 0;
  return () => Uint8Array.of(++calls);
}

test('a message that never changes is encoded once, when it is first sent', () => {
  const encode = encoder();
  const message = encodeOnce({ methods: [] });
  expect([encoded(message, encode), encoded(message, encode)]).toEqual([Uint8Array.of(1), Uint8Array.of(1)]);
});

test('every other message is encoded each time', () => {
  const encode = encoder();
  const message = { outcome: true };
  expect([encoded(message, encode), encoded(message, encode)]).toEqual([Uint8Array.of(1), Uint8Array.of(2)]);
});

test('an encoding that fails is tried again', () => {
  const message = encodeOnce({ methods: [] });
  const fail = () => {
    throw new Error('too large');
  };
  expect(() => encoded(message, fail)).toThrow('too large');
  expect(encoded(message, encoder())).toEqual(Uint8Array.of(1));
});
