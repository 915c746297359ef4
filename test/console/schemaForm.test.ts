import { describe, expect, test } from 'vitest';
import { faultsOf } from '../../web/src/schemaForm/check.ts';
import { alternativesOf, kindOf, resolve, withMember } from '../../web/src/schemaForm/schema.ts';

const said = (value: never, schema: object) =>
  faultsOf(value, schema as never).map(({ path, text }) => [path.join('.'), text]);

describe('the check of a form', () => {
  test.each([
    [{ type: 'string' }, 5, 'must be a string, not a number'],
    [{ type: ['string', 'number'] }, true, 'must be a string or a number, not a boolean'],
    [{ type: 'integer' }, 1.5, 'must be a whole number'],
    [{ type: 'integer', minimum: 1, maximum: 9 }, 10, 'must be at most 9'],
    [{ type: 'number', exclusiveMinimum: 0 }, 0, 'must be more than 0'],
    [{ type: 'string', minLength: 2 }, 'é', 'must be at least 2 characters long'],
    [{ type: 'string', maxLength: 1 }, '😀😀', 'must be at most 1 characters long'],
    [{ type: 'string', pattern: '^a+$' }, 'ab', 'must match ^a+$'],
    [{ type: 'string', format: 'uri' }, 'nowhere', 'must be a URL'],
    [{ enum: ['a', 'b'] }, 'c', 'must be one of "a", "b"'],
    [{ anyOf: [{ const: 'a' }, { const: 1 }] }, 'c', 'must be one of "a", 1'],
    [{ type: 'array', maxItems: 1 }, [1, 2], 'must be at most 1 items long'],
    [{ type: 'array', uniqueItems: true }, [1, 1], 'must not hold the same item twice'],
  ])('of %j finds %j at fault', (schema, value, text) => {
    expect(said(value as never, schema)).toEqual([['', text]]);
  });

  test('names the place of a fault, and what is required or unknown', () => {
    const schema = {
      type: 'object',
      properties: { rows: { type: 'array', items: { $ref: '#/$defs/row' } } },
      required: ['name'],
      additionalProperties: false,
      $defs: { row: { type: 'object', properties: { slot: { type: 'integer' } }, required: ['slot'] } },
    };
    expect(said({ rows: [{ slot: 1 }, { slot: 'x' }, {}], colour: 1 } as never, schema)).toEqual([
      ['name', 'must be given'],
      ['rows.1.slot', 'must be an integer, not a string'],
      ['rows.2.slot', 'must be given'],
      ['colour', 'is not allowed; allowed: rows'],
    ]);
  });

  test('asks for one of several alternatives, and takes null for absent', () => {
    const schema = { properties: { a: { type: 'string' } }, anyOf: [{ required: ['a'] }, { required: ['b'] }] };
    expect(said({} as never, schema)).toEqual([['a', 'must be given, or else b']]);
    expect(said({ b: 1 } as never, schema)).toEqual([]);
    expect(said({ a: null, b: 1 } as never, schema)).toEqual([]);
  });

  test('of a schema that allows anything, is strange or endless finds nothing', () => {
    for (const schema of [
      {},
      { type: 'unheard-of' },
      { $ref: '#/nowhere' },
      { $ref: '#' },
      { type: 'string', pattern: '(' },
    ])
      expect(said('text' as never, schema)).toEqual([]);
  });
});

test('a schema that refers to itself is entered as JSON below a certain depth', () => {
  const root = { allOf: [{ $ref: '#' }] };
  expect(kindOf(resolve(root, root))).toBe('json');
});

test('a choice of types is a choice of forms, and listed values are one', () => {
  const kinds = (schema: object) => alternativesOf(schema as never, {}).map(kindOf);
  expect(kinds({ type: ['boolean', 'string', 'number'] })).toEqual(['boolean', 'text', 'number']);
  expect(kinds({ oneOf: [{ type: 'string' }, { type: 'array', items: {} }] })).toEqual(['text', 'list']);
  expect(kinds({ anyOf: [{ const: 1 }, { enum: ['a', 'b'] }] })).toEqual(['choice']);
  expect(kinds({ type: 'object', anyOf: [{ required: ['a'] }] })).toEqual(['object']);
});

test('a member by the name of an inherited one is a member', () => {
  const object = withMember({}, '__proto__', 'x');
  expect(Object.keys(object)).toEqual(['__proto__']);
  expect(Object.getPrototypeOf(object)).toBe(Object.prototype);
  for (const schema of [{}, { properties: {}, additionalProperties: false }, { additionalProperties: {} }])
    expect(said(object as never, schema)).toEqual([['__proto__', 'must have another name than __proto__']]);
  expect(said({ list: [{ deep: object }] } as never, {}).map(([path]) => path)).toEqual(['list.0.deep.__proto__']);
  expect(said({ constructor: 1, toString: { valueOf: 2 } } as never, {})).toEqual([]);
});
