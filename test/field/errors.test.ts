import { expect, test } from 'vitest';
import { type Answer, type Behaviour, EJECT, FIRST, SUBSCRIPTIONS } from './machine.ts';
import { DESTINATION, open } from './operator.ts';

// Errors come in any form; the words of the machine reach the caller. What lasts is no conflict.

const WORDS = 'The seat of the listener is taken';
const html = { 'Content-Type': 'text/html; charset=utf-8' };

const FORMS: readonly (readonly [string, Pick<Answer, 'headers' | 'body'>])[] = [
  ['ExtendedInfo', { body: { error: { '@Message.ExtendedInfo': [{ MessageId: 'Oem.1.Full', Message: WORDS }] } } }],
  ['ExtendedInfo in one object', { body: { error: { '@Message.ExtendedInfo': { Message: WORDS } } } }],
  ['ExtendedInfo of texts', { body: { error: { code: 'x', '@Message.ExtendedInfo': [WORDS] } } }],
  ['ExtendedInfo under the root', { body: { '@Message.ExtendedInfo': [{ Message: WORDS }] } }],
  ['ExtendedInfo of a property', { body: { 'Destination@Message.ExtendedInfo': [{ Message: WORDS }] } }],
  ['a message of the error', { body: { error: { code: 'Base.1.0.GeneralError', message: WORDS } } }],
  ['a message beside empty ExtendedInfo', { body: { error: { message: WORDS, '@Message.ExtendedInfo': [] } } }],
  ['a message of OData', { body: { error: { code: '1', message: { lang: 'en', value: WORDS } } } }],
  [
    'a message of OData in ExtendedInfo',
    { body: { error: { '@Message.ExtendedInfo': [{ Message: { lang: 'en', value: WORDS } }] } } },
  ],
  ['an error that is a text', { body: { error: WORDS } }],
  ['an error that is a text, with a code', { body: { cc: 9, error: WORDS } }],
  ['a message under the root', { body: { code: 7, message: WORDS } }],
  ['a list of errors', { body: { error: [{ message: WORDS }] } }],
  ['a text of JSON', { body: JSON.stringify(WORDS) }],
  ['plain text', { headers: { 'Content-Type': 'text/plain' }, body: `${WORDS}\n` }],
  ['plain text without a type', { headers: { 'Content-Type': '' }, body: WORDS }],
  ['plain text that is called JSON', { headers: { 'Content-Type': 'application/json' }, body: WORDS }],
  [
    'HTML',
    {
      headers: html,
      body: `<!DOCTYPE html><html><head><title>Error</title></head><body><h1>${WORDS}</h1></body></html>`,
    },
  ],
  ['JSON with a byte order mark', { body: `\uFEFF${JSON.stringify({ error: { message: WORDS } })}` }],
  ['JSON called HTML', { headers: html, body: JSON.stringify({ error: WORDS }) }],
  ['JSON that is cut off', { body: `{"error": {"message": "${WORDS}", "@Mess` }],
];

const STATUSES = [400, 403, 409, 422, 500];

test.concurrent.for(FORMS)('%s reaches the caller of each method', async ([, form], context) => {
  let status = 400;
  const behave: Behaviour = ({ method, path }) =>
    method !== 'GET' && (path.startsWith(SUBSCRIPTIONS) || path === EJECT) ? { status, ...form } : undefined;
  const { machine, node } = await open(context, { behave });
  for (status of STATUSES) {
    const made = await node.call('create_subscription', { Destination: DESTINATION });
    expect(made.status).toBe(500);
    expect(made.told).toContain(WORDS);
    expect(made.told).toContain(String(status));
    const removed = await node.call('delete_subscription', { id: 'first' });
    expect(removed.status).toBe(500);
    expect(removed.told).toContain(WORDS);
  }
  status = 409;
  const job = await node.eject();
  expect(job.state).toBe('JOB_STATE_FAILED');
  expect(job.told).toContain(WORDS);
  expect(job.lastError).toContain(WORDS);
  expect(machine.subscriptions.size).toBe(1);
  expect(machine.cd.Inserted).toBe(true);
});

test.concurrent.for(FORMS)('%s of a read reaches the caller', async ([, form], context) => {
  const { node } = await open(context, {
    behave: ({ method, path }) => (method === 'GET' && path === FIRST ? { status: 400, ...form } : undefined),
  });
  const { status, told } = await node.call('get_subscription', { id: 'first' });
  expect(status).toBe(500);
  expect(told).toContain(WORDS);
});

test.concurrent.for([
  ['nothing', {}],
  ['an empty object', { body: {} }],
  ['null', { body: 'null' }],
  ['an empty error', { body: { error: {} } }],
  ['an empty page', { headers: html, body: '<html></html>' }],
] as const)('an error of %s is told by its status', async ([, form], context) => {
  const { node } = await open(context, {
    behave: ({ method, path }) => (method === 'POST' && path === SUBSCRIPTIONS ? { status: 418, ...form } : undefined),
  });
  const { status, told } = await node.call('create_subscription', { Destination: DESTINATION });
  expect(status).toBe(500);
  expect(told).toContain('418');
});

test.concurrent('an error that is very long is cut', async (context) => {
  const { node } = await open(context, {
    behave: ({ method, path }) =>
      method === 'POST' && path === SUBSCRIPTIONS
        ? { status: 400, headers: { 'Content-Type': 'text/plain' }, body: `${WORDS} ${'x'.repeat(2_000_000)}` }
        : undefined,
  });
  const { told, bytes } = await node.call('create_subscription', { Destination: DESTINATION });
  expect(told).toContain(WORDS);
  expect(bytes.length).toBeLessThan(100_000);
});

test.concurrent.for<readonly [string, (secret: string) => Pick<Answer, 'headers' | 'body'>]>([
  ['plain text', (secret) => ({ headers: { 'Content-Type': 'text/plain' }, body: `cannot send ${secret}` })],
  ['HTML', (secret) => ({ headers: html, body: `<p>cannot send ${secret}</p>` })],
  ['a bare error', (secret) => ({ body: { error: `cannot send ${secret}` } })],
  [
    'a message of OData',
    (secret) => ({ body: { error: { message: { lang: 'en', value: `cannot send ${secret}` } } } }),
  ],
  ['a text of JSON', (secret) => ({ body: JSON.stringify(`cannot send ${secret}`) })],
  ['a list', (secret) => ({ body: [`cannot send ${secret}`] })],
])('a secret that the machine quotes in %s is not told', async ([, quote], context) => {
  const secret = 'Bearer zq-7716-very-secret';
  const { node } = await open(context, {
    behave: ({ method, path }) =>
      method === 'POST' && path === SUBSCRIPTIONS ? { status: 400, ...quote(secret) } : undefined,
  });
  const HttpHeaders = [{ Authorization: secret }];
  const { status, text } = await node.call('create_subscription', { Destination: DESTINATION, HttpHeaders });
  expect(status).toBe(500);
  expect(text).not.toContain('zq-7716');
});

test.concurrent.for([
  ['409', { status: 409, body: { error: WORDS } }],
  ['423', { status: 423, body: { error: WORDS } }],
  ['429', { status: 429, headers: { 'Retry-After': '0' }, body: { error: WORDS } }],
  ['503', { status: 503, headers: { 'Retry-After': '0' }, body: { error: WORDS } }],
] as const)('a %s of the machine is no conflict of the service', async ([, answer], context) => {
  const { node } = await open(context, { behave: ({ path }) => (path.startsWith(SUBSCRIPTIONS) ? answer : undefined) });
  for (const [method, args] of [
    ['get_all_subscriptions', {}],
    ['create_subscription', { Destination: DESTINATION }],
  ] as const) {
    const { status, told } = await node.call(method, args);
    expect([500, 503]).toContain(status);
    expect(told).toContain(WORDS);
  }
});
