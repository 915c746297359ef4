import fc from 'fast-check';

/** The nodes that are restored between rounds; one is locked by LockNode. */
export const NODES = ['n1', 'n2', 'n3', 'held-1'];

const UUID = '99999999-9999-4999-8999-999999999999';

/** Strings known to break programs like this one. */
export const oddText = fc.oneof(
  fc.string({ unit: 'binary', maxLength: 20 }),
  fc.string({ unit: 'grapheme', maxLength: 20 }),
  fc.constantFrom('', '\0', '\ud800', '..', '../../etc/passwd', "' or 1=1 --", '__proto__', 'constructor', 'toString'),
  fc.constantFrom('%', '%00', '{{x}}', 'null', 'NaN', '-0', '1e999', '9'.repeat(30), 'x'.repeat(5000), '\u202e', 'ß'),
);

/** Names of existing and absent things. */
export const ident = fc.oneof(
  { weight: 4, arbitrary: fc.constantFrom(...NODES) },
  { weight: 2, arbitrary: fc.constantFrom(UUID, UUID.toUpperCase(), 'fake-hardware', 'test', 'nobody', 'fuzz-host') },
  { weight: 1, arbitrary: fc.uuid() },
  { weight: 2, arbitrary: oddText },
);

export const method = fc.oneof(
  {
    weight: 4,
    arbitrary: fc.constantFrom('second_method', 'third_method_sync', 'fourth_method_shared_lock', 'methods'),
  },
  { weight: 1, arbitrary: oddText },
);

/** Any JSON value, including deep ones. */
export const json: fc.Arbitrary<unknown> = fc.oneof(
  fc.jsonValue({ maxDepth: 3 }),
  oddText,
  fc.integer({ min: 1, max: 200 }).map((depth) => {
    let value: unknown = 1;
    for (let level = 0; level < depth; level++) value = level % 2 === 0 ? [value] : { a: value };
    return value;
  }),
);

export const jsonObject = fc.oneof(
  { weight: 3, arbitrary: fc.constantFrom({ bar: 'meow' }, { bar: 'kazoo' }, { bar: 1 }, {}) },
  { weight: 2, arbitrary: fc.dictionary(oddText, json, { maxKeys: 3 }) },
);

/** Returns `bytes` with some of them changed, removed or added. */
export function mutated(bytes: fc.Arbitrary<Uint8Array>): fc.Arbitrary<Uint8Array> {
  const change = fc.tuple(fc.nat(), fc.nat(255), fc.constantFrom('set', 'cut', 'add'));
  return fc.tuple(bytes, fc.array(change, { maxLength: 3 })).map(([original, changes]) => {
    let result = Buffer.from(original);
    for (const [position, value, change] of changes) {
      const at = result.length === 0 ? 0 : position % result.length;
      if (change === 'cut') result = result.subarray(0, at);
      else if (change === 'add')
        result = Buffer.concat([result.subarray(0, at), Buffer.from([value]), result.subarray(at)]);
      else if (result.length > 0) result[at] = value;
    }
    return new Uint8Array(result);
  });
}

/** Values that HTTP allows in a header. */
export const headerValue = oddText.map((text) => text.replaceAll(/[^\x20-\x7e]/g, '?').trim());
