import { randomBytes } from 'node:crypto';

let lastTime = 0;
let counter = 0;

/**
 * Returns a UUID of version 7 (RFC 9562, 5.7), which sorts by its time of creation; within one process strictly, since the
 * 12 bits after the time count up within a millisecond (method 1 of 6.2).
 */
export function uuid7(now: number = Date.now()): string {
  if (now > lastTime) {
    lastTime = now;
    counter = 0;
  } else if (++counter > 0xfff) {
    lastTime++;
    counter = 0;
  }
  const time = lastTime.toString(16).padStart(12, '0');
  const random = randomBytes(8);
  random[0] = ((random[0] as number) & 0x3f) | 0x80;
  const tail = random.toString('hex');
  return `${time.slice(0, 8)}-${time.slice(8)}-7${counter.toString(16).padStart(3, '0')}-${tail.slice(0, 4)}-${tail.slice(4)}`;
}
