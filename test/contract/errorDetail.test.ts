import { toBinary } from '@bufbuild/protobuf';
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { ErrorDetailSchema, ErrorReason } from '../../gen/passthru/v1/error_pb.ts';
import { errorDetail, STATUS_DETAIL_BYTES, trimmedDetail } from '../../src/contract/errorDetail.ts';
import { cutText } from '../../src/core/bounds.ts';
import { PassthruError } from '../../src/core/errors.ts';
import type { Json, JsonObject } from '../../src/core/json.ts';

const sizes = fc.constantFrom(0, 3, 300, 5000, 70_000);
const texts = fc.tuple(sizes, fc.constantFrom('x', 'ü', '😀', '\ud800')).map(([size, unit]) => unit.repeat(size));

const errors = fc
  .record({
    message: texts,
    violations: fc.array(fc.record({ field: texts, description: texts }), { maxLength: 20 }),
    lock: fc.option(fc.record({ holder: texts, requestedBy: texts, job: texts })),
    entries: fc.array(fc.record({ Message: texts, MessageArgs: fc.array(texts, { maxLength: 3 }) }), { maxLength: 20 }),
  })
  .map(({ message, violations, lock, entries }) => {
    return new PassthruError('node_locked', message, {
      violations,
      lock: lock
        ? { ...lock, kind: 'call', method: 'm', since: new Date(0), reason: null, expireTime: null }
        : undefined,
      bmc: { status: 400, extendedInfo: entries },
    });
  });

test('a status detail of any error is under 4 KiB, and complete unless marked as truncated', () => {
  fc.assert(
    fc.property(errors, (error) => {
      const detail = trimmedDetail(error);
      expect(toBinary(ErrorDetailSchema, detail).byteLength).toBeLessThan(STATUS_DETAIL_BYTES);
      expect(detail.reason).toBe(ErrorReason.NODE_LOCKED);
      if (!detail.truncated) expect(detail).toEqual(errorDetail(error));
    }),
    { numRuns: 200 },
  );
});

test('values that a Struct cannot hold (NaN, infinities, deep nesting) become null', () => {
  let deep: Json = 1;
  for (let level = 0; level < 5000; level++) deep = [deep];
  const entry = { Message: 'm', nan: Number.NaN, infinity: Number.POSITIVE_INFINITY, deep } as JsonObject;
  const detail = errorDetail(new PassthruError('bmc_failed', 'x', { bmc: { status: 500, extendedInfo: [entry] } }));
  expect(detail.bmc?.extendedInfo[0]).toMatchObject({ Message: 'm', nan: null, infinity: null });
  toBinary(ErrorDetailSchema, detail);
});

test('a text is truncated between characters', () => {
  expect(cutText('abc', 3)).toBe('abc');
  expect(cutText('abcdef', 5)).toBe('ab…');
  expect(cutText('😀😀', 7)).toBe('😀…');
  expect(cutText('ü'.repeat(10), 8)).toBe('üü…');
});
