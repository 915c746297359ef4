import { describe, expect, test } from 'vitest';
import { z } from 'zod';
import { argumentsParser, looseBoolean, pythonText } from '../../src/core/arguments.ts';
import { newJobId } from '../../src/core/job.ts';
import { checkNodeIdent, isNodeName } from '../../src/core/node.ts';
import { findMask, maskSecrets } from '../../src/core/secrets.ts';

describe('a boolean argument', () => {
  const schema = z.object({ warm: looseBoolean() });
  test.each([true, 'True', 'true', '1', 1, 'yes', ' on '])('%j is true', (warm) => {
    expect(argumentsParser('m', schema)({ warm })).toEqual({ warm: true });
  });
  test.each([false, 'False', 'false', '0', 0, 'no', 'off'])('%j is false', (warm) => {
    expect(argumentsParser('m', schema)({ warm })).toEqual({ warm: false });
  });
  test.each(['maybe', 2, ''])('%j is invalid', (warm) => {
    expect(() => argumentsParser('m', schema)({ warm })).toThrow("Method m: argument 'warm' must be a boolean");
  });
});

test('reports every invalid argument, without quoting a value of the wrong type', () => {
  const schema = z
    .object({ password: z.string(), kind: z.enum(['a', 'b']), list: z.array(z.string()).max(1) })
    .strict();
  const attempt = () => argumentsParser('m', schema)({ password: 12345, kind: 'c', list: ['x', 'y'], more: 1 });
  expect(attempt).toThrow(
    'Method m: argument \'password\' must be a string, not a number; Method m: argument \'kind\' must be one of "a", "b", not "c"; Method m: argument \'list\' must be at most 1 items long; Method m: Unexpected arguments: more (allowed: password, kind, list)',
  );
});

test('refuses the name __proto__ wherever names are free, which a schema would drop, and takes all others', () => {
  const schema = z.looseObject({ map: z.record(z.string(), z.json()).optional(), any: z.unknown().optional() });
  const parse = (json: string) => argumentsParser('m', schema)(JSON.parse(json));
  for (const [json, path] of [
    ['{"__proto__": "x"}', '__proto__'],
    ['{"map": {"a": 1, "__proto__": 2}}', 'map.__proto__'],
    ['{"any": [{"b": {"__proto__": null}}]}', 'any.0.b.__proto__'],
  ] as const) {
    expect(() => parse(json)).toThrow(
      expect.objectContaining({
        message: `Method m: argument '${path}' must have another name than __proto__`,
        violations: [{ field: `arguments.${path}`, description: 'must have another name than __proto__' }],
      }),
    );
  }
  const fine = '{"constructor":1,"toString":{"hasOwnProperty":"x"},"map":{"valueOf":2,"__proto":3}}';
  expect(JSON.parse(JSON.stringify(parse(fine)))).toEqual(JSON.parse(fine));
});

test.each([
  [null, 'None'],
  [true, 'True'],
  ['nope', 'nope'],
  [['Redfish'], "['Redfish']"],
  [{ a: 'b', n: [1, null] }, "{'a': 'b', 'n': [1, None]}"],
  [["it's"], '["it\'s"]'],
])('%j reads in Python as %s', (value, text) => {
  expect(pythonText(value)).toBe(text);
});

test('masks secrets of driver_info as ****** at any depth, and nothing else', () => {
  const info = {
    redfish_address: 'https://u:p@bmc/a@b',
    redfish_username: 'u',
    redfish_password: 'p',
    ipmi_hex_kg_key: 'k',
    snmp_community: 'c',
    nested: { list: [{ auth_token: 't' }], ok: 1 },
    password: null,
  };
  expect(maskSecrets(info)).toEqual({
    redfish_address: 'https://******@bmc/a@b',
    redfish_username: 'u',
    redfish_password: '******',
    ipmi_hex_kg_key: '******',
    snmp_community: '******',
    nested: { list: [{ auth_token: '******' }], ok: 1 },
    password: null,
  });
  expect(info.redfish_password).toBe('p');
});

test('finds a masked value at any depth', () => {
  expect(findMask({ a: 1 })).toBeNull();
  expect(findMask({ a: { b: [{ c: '******' }] } })).toBe('a.b.0.c');
});

test.each(['rf-1', 'a.b_c~d', 'X'])('%s can be the name of a node', (name) => expect(isNodeName(name)).toBe(true));

test.each([
  'bad name',
  '',
  'a/b',
  'detail',
  'vendor_passthru',
  '..',
  '__proto__/x',
  '11111111-1111-4111-8111-111111111111',
  'ü',
])('%j cannot be the name of a node', (name) => expect(isNodeName(name)).toBe(false));

test('a UUID of any case identifies a node', () => {
  expect(() => checkNodeIdent('AAAAAAAA-1111-4111-8111-AAAAAAAAAAAA')).not.toThrow();
});

test('job ids sort by their time of creation, also within a millisecond', () => {
  const ids = Array.from({ length: 10_000 }, () => newJobId());
  expect([...ids].sort()).toEqual(ids);
  expect(new Set(ids).size).toBe(ids.length);
  for (const id of ids.slice(0, 5))
    expect(id).toMatch(/^[0-9a-f]{8}-[0-9a-f]{4}-7[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/);
});
