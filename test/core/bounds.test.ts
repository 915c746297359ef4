import fc from 'fast-check';
import { expect, test } from 'vitest';
import { cutEntries, cutText, isLongerThan, PAGE_BYTES } from '../../src/core/bounds.ts';
import { CallSecrets } from '../../src/core/calls/callSecrets.ts';
import { PassthruError, toErrorRecord } from '../../src/core/errors.ts';
import { lastErrorText } from '../../src/core/job.ts';
import type { Json, JsonObject } from '../../src/core/json.ts';
import { countFitting } from '../../src/core/page.ts';
import { redactText } from '../../src/core/redaction.ts';
import { maskSecrets } from '../../src/core/secrets.ts';

const sizes = fc.constantFrom(0, 1, 40, 5000, 300_000);
const texts = fc.tuple(sizes, fc.constantFrom('x', 'ü', '😀', '\ud800', '\0')).map(([size, unit]) => unit.repeat(size));
const entries = fc.array(
  fc.oneof(
    fc.dictionary(texts, fc.oneof(texts, fc.array(texts, { maxLength: 5 }))),
    fc.constant({ many: Array.from({ length: 50_000 }, () => 'x') } as object),
    fc.constant(nested(100_000)),
    fc.constantFrom(null, 5, 'text', undefined, 10n, () => {}),
  ),
  { maxLength: 60 },
);

function nested(levels: number): JsonObject {
  let deep: Json = 1;
  for (let level = 0; level < levels; level++) deep = level % 2 === 0 ? [deep] : { deep };
  return { Message: 'm', deep };
}

test('any error is bounded, and says so when something was left out', () => {
  fc.assert(
    fc.property(
      texts,
      entries,
      fc.array(fc.record({ field: texts, description: texts }), { maxLength: 60 }),
      (message, given, violations) => {
        const bmc = { status: 400, extendedInfo: given as JsonObject[] };
        const error = new PassthruError('bmc_failed', message, { bmc, violations });
        const record = toErrorRecord(error);
        expect(Buffer.byteLength(JSON.stringify(record))).toBeLessThan(1024 * 1024);
        expect(Buffer.byteLength(record.message)).toBeLessThanOrEqual(4096);
        expect(Buffer.byteLength(lastErrorText('m', record.message))).toBeLessThanOrEqual(4096);
        if (!error.truncated) {
          expect(record).toEqual({ kind: 'bmc_failed', message, violations, lock: null, bmc });
        }
        // Masking keeps the bounds.
        expect(new CallSecrets([{ password: 'xüx' }]).mask(error).message.length).toBeLessThanOrEqual(4096);
      },
    ),
    { numRuns: 60 },
  );
});

test('an error says what was left out: of its message, its violations, its entries', () => {
  const truncated = (message: string, context: object) => new PassthruError('bmc_failed', message, context).truncated;
  const violations = (count: number) => Array.from({ length: count }, () => ({ field: 'f', description: 'd' }));
  const info = (count: number) => ({
    status: 400,
    extendedInfo: Array.from({ length: count }, () => ({ Message: 'm' })),
  });
  expect(truncated('m', { violations: violations(32), bmc: info(32) })).toBe(false);
  expect(truncated('m'.repeat(5000), {})).toBe(true);
  expect(truncated('m', { violations: violations(33) })).toBe(true);
  expect(truncated('m', { violations: [{ field: 'f', description: 'd'.repeat(2000) }] })).toBe(true);
  expect(truncated('m', { bmc: info(33) })).toBe(true);
  expect(truncated('m', { bmc: { status: 400, extendedInfo: [{ Message: 'm'.repeat(50_000) }] } })).toBe(true);
});

test('a document of 100,000 levels is masked without an end of the stack', () => {
  const document = { ...nested(100_000), password: 'secret' };
  expect(maskSecrets(document)).toMatchObject({ Message: 'm', password: '******' });
  const secrets = new CallSecrets([{ password: 'secret' }]);
  expect(secrets.document(document)).toMatchObject({ Message: 'm' });
  const error = new PassthruError('bmc_failed', 'no', { bmc: { status: 400, extendedInfo: [document] } });
  expect(secrets.mask(error)).toMatchObject({ kind: 'bmc_failed', message: 'no', truncated: true });
  expect(cutEntries([document])).toMatchObject({ entries: [{ Message: 'm', password: 'secret' }], cut: true });
});

test('the part of a secret that a cut leaves is masked too, in every form', () => {
  const password = 'Sec<ret&"pw\'x y-and-more';
  // Each with the length that four characters of the password take: fewer tell too little to be found.
  const forms: [form: string, least: number][] = [
    [password, 4],
    [JSON.stringify(password).slice(1, -1), 4],
    [encodeURIComponent(password), 'Sec%3C'.length],
    [btoa(password), 4],
  ];
  for (const [form, least] of forms) {
    for (let length = least; length < form.length; length++) {
      const text = cutText(`${'x'.repeat(4096 - 3 - length)}${form}${'x'.repeat(9000)}`, 4096);
      const clean = redactText(text, [password]);
      // The backslash of an escape that was cut may stay.
      expect(clean).toMatch(/^x+(\*{6}\\?…|…)$/);
      expect(redactText(`${text} ${text}`, [password])).toBe(`${clean} ${clean}`);
    }
  }
  expect(redactText('nothing of it…', [password])).toBe('nothing of it…');
});

test('a length is measured without an error for any JSON', () => {
  fc.assert(
    fc.property(fc.json().map(JSON.parse), fc.integer({ min: 0, max: 500 }), (value, bytes) => {
      const length = Buffer.byteLength(JSON.stringify(value));
      // Escapes are not counted; each name and item takes a comma.
      if (length > 6 * bytes + 20) expect(isLongerThan(value, bytes)).toBe(true);
      if (2 * length + 5 <= bytes) expect(isLongerThan(value, bytes)).toBe(false);
    }),
  );
});

test('a page takes all that fit, and at least one', () => {
  expect(countFitting([])).toBe(0);
  expect(countFitting([PAGE_BYTES * 5])).toBe(1);
  expect(countFitting([PAGE_BYTES * 5, 1])).toBe(1);
  expect(countFitting([1, PAGE_BYTES * 5, 1])).toBe(1);
  expect(countFitting([PAGE_BYTES / 2, PAGE_BYTES / 2, 1])).toBe(2);
});
