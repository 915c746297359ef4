import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { redactor, redactText } from '../../src/core/redaction.ts';

const html = (text: string, form: (code: number) => string, which = /[^A-Za-z0-9 ]/gu) =>
  text.replace(which, (char) => form(char.codePointAt(0)!));
const NAMED: Record<string, string> = { '&': 'amp', '<': 'lt', '>': 'gt', '"': 'quot', "'": 'apos', é: 'eacute' };
const every = /[\s\S]/gu;

/** The forms in which machines quote a text. Each can be made of another. */
const ESCAPES: Record<string, (text: string) => string> = {
  JSON: (text) => JSON.stringify(text).slice(1, -1),
  'JSON with \\u': (text) =>
    text.replace(/[^A-Za-z0-9]/g, (unit) => `\\u${unit.charCodeAt(0).toString(16).padStart(4, '0')}`),
  'JSON with \\/': (text) => JSON.stringify(text).slice(1, -1).replaceAll('/', '\\/'),
  'a URL': (text) => encodeURIComponent(text.toWellFormed()),
  'a URL in lower case': (text) =>
    encodeURIComponent(text.toWellFormed()).replace(/%[0-9A-F]{2}/g, (code) => code.toLowerCase()),
  'a URL, all of it': (text) => [...Buffer.from(text)].map((byte) => `%${byte.toString(16).padStart(2, '0')}`).join(''),
  'a form': (text) => new URLSearchParams({ x: text.toWellFormed() }).toString().slice(2),
  'HTML with names': (text) => html(text, (code) => `&${NAMED[String.fromCodePoint(code)] ?? `#${code}`};`),
  'HTML in decimal': (text) => html(text, (code) => `&#${code};`),
  'HTML in hexadecimal': (text) => html(text, (code) => `&#x${code.toString(16)};`),
  'HTML in hexadecimal, all of it': (text) => html(text, (code) => `&#X${code.toString(16).toUpperCase()};`, every),
};

/** Passwords with what escapes change. */
const PASSWORDS = [
  'Sec<ret&"pw\'x y',
  'a+b/c=d%41 \\u0041',
  'Pässwörd é',
  'calvin',
  '&amp;lt;%2541\\\\"hunter',
  'x'.repeat(300),
  'C:\\new\\table',
  '…secret…',
  'ends with \\',
  '\\ begins so',
];
const secrets = fc.oneof(fc.constantFrom(...PASSWORDS), fc.string({ unit: 'grapheme', minLength: 6, maxLength: 40 }));
const steps = fc.array(fc.constantFrom(...Object.keys(ESCAPES)), { maxLength: 3 });

/** Whether `text` tells nothing but `around` and masks. */
function isMasked(text: string, around: string): boolean {
  return text.split('******').every((part) => around.includes(part));
}

const compose = (secret: string, names: string[]) => names.reduce((text, name) => ESCAPES[name]!(text), secret);

test('a secret is masked in any form, and forms of forms', () => {
  fc.assert(
    fc.property(secrets, steps, (secret, names) => {
      const quoted = compose(secret, names);
      const masked = redactText(`[[${quoted}]] was refused`, [secret]);
      expect([quoted, masked, isMasked(masked, '[[]] was refused')]).toEqual([quoted, masked, true]);
    }),
    { numRuns: 2000 },
  );
});

test('each of the odd passwords is masked in each form of each form', () => {
  const names = Object.keys(ESCAPES);
  for (const [secret, first, then] of PASSWORDS.flatMap((secret) =>
    names.flatMap((first) => names.map((then) => [secret, first, then] as const)),
  )) {
    const masked = redactText(`[[${compose(secret, [first, then])}]]`, [secret]);
    expect([secret, first, then, masked, isMasked(masked, '[[]]')]).toEqual([secret, first, then, masked, true]);
  }
});

test('a secret is masked in Base64, alone or within a longer text, in Base64 of that, and in both alphabets', () => {
  const around = fc.string({ unit: 'binary-ascii', maxLength: 6 });
  const times = fc.integer({ min: 1, max: 2 });
  const inner = fc.constantFrom<string[]>([], ['JSON'], ['a URL']);
  fc.assert(
    fc.property(secrets, around, around, times, fc.boolean(), inner, (secret, before, after, count, url, name) => {
      let text = before + compose(secret, name) + after;
      for (let time = 0; time < count; time++) text = Buffer.from(text).toString(url ? 'base64url' : 'base64');
      const masked = redactText(`(${text})`, [secret]);
      // The Base64 of one `+` or padding beside the secret's own may stay.
      expect([secret, text, masked.replaceAll(/[^+/=]{0,80}\+|=/g, '').length < 16]).toEqual([secret, text, true]);
      expect(masked).toContain('******');
    }),
    { numRuns: 1000 },
  );
});

test.each([
  ['Basic credentials', (secret: string) => Buffer.from(`admin:${secret}`).toString('base64')],
  ['Basic credentials in Latin-1', (secret: string) => Buffer.from(`admin:${secret}`, 'latin1').toString('base64')],
  ['Basic credentials in a URL', (secret: string) => encodeURIComponent(Buffer.from(`u:${secret}`).toString('base64'))],
  ['Base64 of a JSON body', (secret: string) => Buffer.from(JSON.stringify({ secret })).toString('base64')],
  ['hexadecimal', (secret: string) => Buffer.from(secret).toString('hex')],
  ['hexadecimal in upper case', (secret: string) => Buffer.from(secret).toString('hex').toUpperCase()],
  [
    'bytes as ipmitool takes them',
    (secret: string) => [...Buffer.from(secret)].map((byte) => `0x${byte.toString(16)}`).join(' '),
  ],
  ['upper case', (secret: string) => secret.toUpperCase()],
  ['lower case', (secret: string) => secret.toLowerCase()],
])('%s are masked', (_what, form) => {
  for (const secret of ['hunter2', 'pass:word/é', 'Straight-Jacket9']) {
    const masked = redactText(`x(${form(secret)})y`, [secret]);
    expect([secret, masked]).toEqual([secret, expect.stringMatching(/^x\(\*{6}=*\)y$/)]);
  }
});

describe('what is no secret stays', () => {
  test('a text without one, with its escapes', () => {
    const text = 'A \\"quoted\\" text with 90% of &amp; and %41, in UGFzc3dvcmQ= and 0x41.';
    expect(redactText(text, ['hunter2', 'Sec<ret&"pw'])).toBe(text);
  });

  test('what stands around one, with its escapes', () => {
    expect(redactText('&amp;%20hunter2\\n\\"%C3%A9', ['hunter2'])).toBe('&amp;%20******\\n\\"%C3%A9');
  });

  test.each(['a', 'ab', 'abc', '"', '&', '\\'])('most of a text around the short secret %j', (secret) => {
    const text = `abcabc & "a" \\ %41 ${secret}${secret}`;
    expect(redactText(text, [secret]).length).toBeGreaterThan(text.length - 4);
    expect(redactText(`'${secret}' is wrong`, [secret])).toBe("'******' is wrong");
    expect(redactText(secret, [secret])).toBe('******');
  });

  test('a word that a secret of up to five characters is in another case', () => {
    expect(redactText('Root is not root', ['root'])).toBe('Root is not ******');
  });
});

test('the beginning of a secret is masked where a text was cut, in any form', () => {
  const secret = 'Sec<ret&"pw\'x y';
  for (const names of [[], ['JSON'], ['a URL'], ['HTML with names'], ['a URL', 'JSON']]) {
    const quoted = compose(secret, names);
    for (let length = 12; length < quoted.length; length++) {
      expect(redactText(`[${quoted.slice(0, length)}…`, [secret])).toMatch(/^\[\*{6}.{0,8}…$/);
    }
  }
});

// A BMC or a caller may send them. At quadratic cost each takes longer than a test may.
test.each([
  '\\',
  '%25',
  '&amp;',
  '%',
  '&',
  '\\u005c',
  'a',
  'QUFB',
  'hunter',
  '+',
  'İ',
  '&#38;#38;',
  '…',
  'hun…',
  btoa('hunter2'.repeat(3)),
])('a long text of %j is searched in linear time', (part) => {
  const mask = redactor(['hunter2', 'a'.repeat(5000), '%2541'.repeat(1000)]);
  expect(mask(`${part.repeat(100_000)} hunter2`)).toMatch(/\*{6}$/);
});

test('of two secrets that overlap in a text nothing stays', () => {
  expect(redactText('xx abcdefgh yy', ['abcdef', 'cdefgh'])).toBe('xx ****** yy');
});

test('more secrets than any call has are masked by masking the whole text', () => {
  const many = Array.from({ length: 60_000 }, (_, index) => `secret-${index}`);
  expect(redactText('secret-59999 was refused', many)).toBe('******');
  expect(redactText('', many)).toBe('');
});
