import fc from 'fast-check';
import { expect, test } from 'vitest';
import { findInexactNumber } from '../../src/core/exactNumbers.ts';

test.each<[text: string, path: string[]]>([
  ['1e400', []],
  ['{"extra": {"a": 1e400}}', ['extra', 'a']],
  ['{"extra": {"a": -1e999}}', ['extra', 'a']],
  ['[1, 12345678901234567890]', ['1']],
  ['{"a": 9007199254740993}', ['a']],
  ['{"a": -9007199254740993}', ['a']],
  ['{"a": [{"b": 1}, {"b": 18446744073709551615}]}', ['a', '1', 'b']],
  ['{"a": 1e-400}', ['a']],
  ['{"a": 3.14159265358979323846}', ['a']],
  ['{"a": 0.1234567890123456789e5}', ['a']],
  ['{"__proto__": 123456789012345678901}', ['__proto__']],
  ['{"a.b": {"": 1E+309}}', ['a.b', '']],
  ['-0', []],
  ['{"a": [-0.0]}', ['a', '0']],
  ['{"a": -0e5}', ['a']],
])('%s has a number that would be changed, at %j', (text, path) => {
  expect(findInexactNumber(text)).toEqual(path);
});

test.each([
  '0',
  '-0.5',
  '-0.05e1',
  '{"-0": "-0"}',
  '0.0e5',
  '0e999',
  '1.50',
  '100000000000000000000',
  '9007199254740992',
  '9007199254740994',
  '1e23',
  '1.7976931348623157e308',
  '5e-324',
  '0.30000000000000004',
  '1.000000000000000000000',
  '{"text": "12345678901234567890 1e400", "1e400": 1}',
  '"12345678901234567890"',
  'null',
])('%s is kept', (text) => {
  expect(findInexactNumber(text)).toBeNull();
});

test('every number that JavaScript writes is kept', () => {
  fc.assert(
    fc.property(fc.json(), fc.double({ noNaN: true, noDefaultInfinity: true }), (json, number) => {
      expect(findInexactNumber(json)).toBeNull();
      expect(findInexactNumber(JSON.stringify({ a: [number] }))).toBeNull();
    }),
  );
});

test('every integer is kept or found', () => {
  fc.assert(
    fc.property(fc.bigInt(-(10n ** 30n), 10n ** 30n), (integer) => {
      expect(findInexactNumber(`[${integer}]`) === null).toBe(
        JSON.stringify(Number(integer)) === `${integer}` || sameInteger(integer),
      );
    }),
  );
});

/** Whether the shortest text of the double is that of the integer, written with an exponent. */
function sameInteger(integer: bigint): boolean {
  const [, digits = '', exponent = '0'] = /^(-?[\d.]+)e\+(\d+)$/.exec(String(Number(integer))) ?? [];
  const [whole = '', fraction = ''] = digits.split('.');
  return digits !== '' && BigInt(whole + fraction) * 10n ** BigInt(Number(exponent) - fraction.length) === integer;
}
