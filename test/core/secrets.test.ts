import { describe, expect, test } from 'vitest';
import { CallSecrets } from '../../src/core/calls/callSecrets.ts';
import { PassthruError } from '../../src/core/errors.ts';
import type { Logger } from '../../src/core/logger.ts';
import { redactText } from '../../src/core/redaction.ts';
import { isSecretName } from '../../src/core/secretNames.ts';
import { maskSecrets, maskText, secretValues } from '../../src/core/secrets.ts';

test.each([
  'redfish_password',
  'ipmi_password',
  'passwort',
  'snmp_community',
  'snmp_auth_key',
  'snmp_priv_key',
  'ipmi_hex_kg_key',
  'irmc_snmp_security_token',
  'api_key',
  'apiKey',
  'Authorization',
  'X-Auth-Token',
  'set-cookie',
  'HttpHeaders',
  'encryption_keys',
  'private_key',
])('%s is the name of a secret', (name) => expect(isSecretName(name)).toBe(true));

test.each(['redfish_address', 'redfish_username', 'key', 'node', 'method', 'passthru', 'caller'])('%s is not', (name) =>
  expect(isSecretName(name)).toBe(false),
);

test.each([
  ['GET https://u:p%40ss@bmc/x failed', 'GET https://******@bmc/x failed'],
  ['postgres://u:a"b@h/db and redis://:x@h', 'postgres://******@h/db and redis://******@h'],
  ['sent to https://h.example/e?a=1&token=pass', 'sent to https://h.example/e?a=1&token=******'],
  ['Basic authentication is off', 'Basic authentication is off'],
  ['Authorization: Basic dTpwYXNz', 'Authorization: ****** ******'],
  ['sent Bearer eyJhbGciOi.x.y to', 'sent Bearer ****** to'],
  ['{"redfish_password":"a\\"b","x":1}', '{"redfish_password":******,"x":1}'],
  ["{ password: 'hunter2', name: 'x' }", "{ password: ******, name: 'x' }"],
  ['?token=abc&x=1', '?token=******&x=1'],
  ['https://bmc.example/redfish/v1 returned 401', 'https://bmc.example/redfish/v1 returned 401'],
  ['mailto someone@example.com', 'mailto someone@example.com'],
  ['mailto:someone@example.com', 'mailto:someone@example.com'],
  ['via admin:PW@host failed', 'via ******@host failed'],
  ['url=admin:p@ss/w@10.0.0.1:443/x', 'url=******@10.0.0.1:443/x'],
  ['{"address":"admin:PW@[fe80::1]"}', '{"address":"******@[fe80::1]"}'],
  ['https://u:p/w#?x@bmc.example/redfish', 'https://******@bmc.example/redfish'],
  ['https://bmc.example:8443/redfish/v1/a@b', 'https://bmc.example:8443/redfish/v1/a@b'],
  ['https://[fe80::1]:8443/a@b', 'https://[fe80::1]:8443/a@b'],
  ['Members:Members@odata.count', 'Members:Members@odata.count'],
  ['alice@example.com at 12:30:00', 'alice@example.com at 12:30:00'],
  ['x-api-key: abc, sshKey=def; key_id=7', 'x-api-key: ******, sshKey=******; key_id=7'],
])('%s', (text, masked) => expect(maskText(text)).toBe(masked));

// A BMC, a caller or a driver may send it. At quadratic cost each takes longer than a test may.
test.each([
  'x',
  '.-',
  'a.',
  'a:',
  'a="',
  "a='",
  '"a',
  '"a" ',
  'a:b@',
  'a@',
  'http://a:b',
  '@',
  'a="\\"',
  'Basic ',
  'http://a',
  '://',
  'password ',
])('a long text of %j is masked in linear time', (part) => {
  const text = part.repeat(100_000);
  expect(maskText(`${text} password=secret`)).not.toContain('=secret');
});

test('secretValues returns texts under secret names at any depth, and passwords of URLs, the longest first', () => {
  const values = secretValues({
    redfish_password: 'hunter2',
    redfish_username: 'admin',
    pin_code: 'no',
    list: [{ token: 12345 }, { HttpHeaders: [{ 'X-Any': 'header value' }] }],
    address: 'https://u:p%40ss@bmc',
    host: 'admin:no-scheme@bmc',
    empty_password: '',
    none_password: null,
    masked_password: '******',
  });
  expect(values).toEqual(['header value', 'no-scheme', 'hunter2', '12345', 'p@ss']);
});

test('maskSecrets masks what is secret by name, in addresses and in queries', () => {
  const info = { pwd: 'a', 'api-key': 'b', ssh_key: 'c', access_key: 'd', url: 'admin:PW@host', empty_token: null };
  expect(
    maskSecrets({ ...info, list: ['x:y@z'], to: 'https://h/?a=1&token=b', address: 'https://bmc:443/x@y' }),
  ).toEqual({
    pwd: '******',
    'api-key': '******',
    ssh_key: '******',
    access_key: '******',
    url: '******@host',
    empty_token: null,
    list: ['******@z'],
    to: 'https://h/?a=1&token=******',
    address: 'https://bmc:443/x@y',
  });
});

test('redactText masks a secret as it is, in JSON and in a URL; a short one only as a whole word', () => {
  const secret = 'a"b c';
  expect(redactText(`${secret} ${JSON.stringify({ secret })} ${encodeURIComponent(secret)}`, [secret])).toBe(
    '****** {"secret":"******"} ******',
  );
  expect(redactText('p', ['p'])).toBe('******');
  expect(redactText("password 'p' is wrong", ['p'])).toBe("password '******' is wrong");
});

describe('the secrets of a call', () => {
  const secrets = new CallSecrets([{ redfish_password: 'hunter2' }, { api_key: 'open-sesame' }]);

  test('are masked in a copy of an error, its members and its stack', () => {
    const error = Object.assign(new TypeError('hunter2 is wrong', { cause: new Error('open-sesame') }), {
      code: 'E1',
      request: { headers: ['hunter2'] },
    });
    const clean = secrets.mask(error) as typeof error;
    expect(clean).toMatchObject({
      name: 'TypeError',
      message: '****** is wrong',
      code: 'E1',
      request: { headers: ['******'] },
      cause: { message: '******' },
    });
    expect(clean.stack).not.toMatch(/hunter2|open-sesame/);
    expect(error.message).toBe('hunter2 is wrong');
  });

  test('are masked in a PassthruError, which keeps its kind', () => {
    const error = new PassthruError('bmc_refused', 'hunter2', {
      violations: [{ field: 'x', description: 'not hunter2' }],
      bmc: { status: 400, extendedInfo: [{ Message: 'open-sesame', MessageArgs: ['hunter2'] }] },
      cause: 'hunter2',
    });
    const clean = secrets.mask(error) as PassthruError;
    expect(clean).toBeInstanceOf(PassthruError);
    expect(clean).toMatchObject({
      kind: 'bmc_refused',
      message: '******',
      violations: [{ field: 'x', description: 'not ******' }],
      bmc: { status: 400, extendedInfo: [{ Message: '******', MessageArgs: ['******'] }] },
      cause: '******',
    });
  });

  test('are masked in its log, also beside a getter that throws', () => {
    const logged: unknown[] = [];
    const log = new Proxy({} as Logger, {
      get:
        () =>
        (...given: unknown[]) =>
          void logged.push(...given),
    });
    const broken = {
      get code() {
        throw new Error('hunter2');
      },
    };
    secrets.log(log).warn({ err: new Error('hunter2'), deep: [{ x: 'open-sesame' }], broken }, 'said hunter2');
    expect(logged).toMatchObject([{ err: { message: '******' }, deep: [{ x: '******' }], broken: '…' }, 'said ******']);
  });

  test('of which there are none leave an error unchanged', () => {
    const error = new Error('x');
    expect(new CallSecrets([{ redfish_address: 'x' }, {}]).mask(error)).toBe(error);
  });

  test('an unreadable or circular error is replaced', () => {
    const broken = Object.defineProperty(new Error('x'), 'code', {
      enumerable: true,
      get() {
        throw new Error('hunter2');
      },
    });
    expect(secrets.mask(broken)).toMatchObject({ message: 'the error cannot be read' });
    const circle: Error & { self?: unknown } = new Error('hunter2');
    circle.self = circle;
    expect(secrets.mask(circle)).toMatchObject({ message: '******' });
  });
});
