import { randomBytes } from 'node:crypto';
import { expect, test } from 'vitest';
import { createSecretsCipher, keyIdOf, PLAIN, sealedWith } from '../../src/store/secretsCipher.ts';

const [OLD, NEW] = [randomBytes(32), randomBytes(32)];
const PLACE = 'node 11111111-1111-4111-8111-111111111111, driver_info';
const TEXT = '{"redfish_password":"hünter2"}';

test('a ciphertext decrypts with its key, names the key, and reveals nothing of the text', () => {
  const cipher = createSecretsCipher([NEW]);
  const sealed = cipher.seal(TEXT, PLACE);
  expect(cipher.open(sealed, PLACE)).toBe(TEXT);
  expect(sealedWith(sealed)).toBe(keyIdOf(NEW));
  expect(Buffer.from(sealed.slice(17), 'base64').includes('nter2')).toBe(false);
  expect(keyIdOf(NEW)).not.toBe(keyIdOf(OLD));
});

test('equal secrets have different ciphertexts', () => {
  const cipher = createSecretsCipher([NEW]);
  expect(cipher.seal(TEXT, PLACE)).not.toBe(cipher.seal(TEXT, PLACE));
});

test('the first key encrypts, all keys decrypt', () => {
  const sealed = createSecretsCipher([OLD]).seal(TEXT, PLACE);
  const both = createSecretsCipher([NEW, OLD]);
  expect(both.open(sealed, PLACE)).toBe(TEXT);
  expect(sealedWith(both.seal(TEXT, PLACE))).toBe(keyIdOf(NEW));
});

test('refuses a value that was moved to another node or column, or changed by a bit', () => {
  const cipher = createSecretsCipher([NEW]);
  const sealed = cipher.seal(TEXT, PLACE);
  expect(() => cipher.open(sealed, PLACE.replace('1111', '2222'))).toThrow(/were changed in the store/);
  expect(() => cipher.open(sealed, PLACE.replace('driver_info', 'attributes'))).toThrow(/were changed/);
  const bytes = Buffer.from(sealed.slice(17), 'base64');
  for (const index of [0, 20, bytes.length - 1]) {
    const changed = Buffer.from(bytes);
    changed[index]! ^= 1;
    expect(() => cipher.open(sealed.slice(0, 17) + changed.toString('base64'), PLACE)).toThrow(/were changed/);
  }
  // A shorter tag would be easier to guess.
  expect(() => cipher.open(sealed.slice(0, 17) + bytes.subarray(0, -4).toString('base64'), PLACE)).toThrow();
});

test('names a missing key in the error', () => {
  const sealed = createSecretsCipher([OLD]).seal(TEXT, PLACE);
  for (const cipher of [PLAIN, createSecretsCipher([NEW])]) {
    expect(() => cipher.open(sealed, PLACE)).toThrow(
      expect.objectContaining({ kind: 'store_unavailable', message: expect.stringContaining(keyIdOf(OLD)) }),
    );
  }
});

test('without a key everything stays in plain text, which any cipher reads', () => {
  expect(PLAIN.seal(TEXT, PLACE)).toBe(TEXT);
  expect(createSecretsCipher([NEW]).open(TEXT, PLACE)).toBe(TEXT);
});
