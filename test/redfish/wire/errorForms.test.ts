import { afterEach, expect, test } from 'vitest';
import { createRedfishClients, type RedfishClients } from '../../../src/redfish/index.ts';
import { type Script, type ScriptedBmc, startScriptedBmc } from '../scriptedBmc.ts';
import { failure, forever, target } from '../target.ts';

const SECRET = 'open-sesame';
const anonymous = { account: { username: null, password: '', authType: 'auto' as const } };
let clients: RedfishClients = createRedfishClients();
let bmc: ScriptedBmc | null = null;

afterEach(async () => {
  await clients.close();
  await bmc?.close();
  bmc = null;
});

async function start(script: Script) {
  clients = createRedfishClients();
  bmc = await startScriptedBmc(script);
  return clients.for(target(bmc.url, anonymous), { signal: forever, secrets: [SECRET] });
}

async function errorOf(status: number, body: unknown, headers: Record<string, string> = {}) {
  const client = await start(() => ({ status, body, headers }));
  return failure(client.post('/a', {}));
}

const INFO = '@Message.ExtendedInfo';
const SAID = 'No seat is left.';

test.each<[string, unknown]>([
  ['ExtendedInfo as a list', { error: { [INFO]: [{ Message: SAID }] } }],
  ['ExtendedInfo as an object', { error: { [INFO]: { Message: SAID } } }],
  ['ExtendedInfo as a text', { error: { [INFO]: SAID } }],
  ['ExtendedInfo as a list of texts', { error: { [INFO]: [SAID] } }],
  ['ExtendedInfo under the root', { [INFO]: [{ Message: SAID }] }],
  ['ExtendedInfo of a property', { [`Context${INFO}`]: [{ Message: SAID }] }],
  ["OData's value with a language", { error: { code: '1', message: { lang: 'en', value: SAID } } }],
  ["OData's details", { error: { code: '1', details: [{ code: '2', message: SAID }] } }],
  ['a text under error', { error: SAID }],
  ['a text beside a completion code', { cc: 9, error: SAID }],
  ['a list under error', { error: [{ message: SAID }] }],
  ['message', { message: SAID }],
  ['Message', { Message: SAID }],
  ['title and detail', { type: 'about:blank', title: 'Full', detail: SAID }],
  ['detail alone', { detail: SAID }],
  ['errors as texts', { errors: [SAID] }],
  ['errors as objects', { errors: [{ detail: SAID }] }],
  ['Messages of a task', { Messages: [{ MessageId: 'X.1.0.Full', Message: SAID }] }],
  ['members of its own', { result: 'failed', reason: SAID }],
  ["OData's innererror", { error: { code: 'x', message: '', innererror: { message: SAID } } }],
  [
    "OData's innererror within another",
    { error: { code: 'x', innererror: { code: 'y', stacktrace: 'at lang', internalexception: { message: SAID } } } },
  ],
  ['innererror beside a message', { error: { code: 'x', message: 'It failed.', innerError: { message: SAID } } }],
  ['innererror that is a text', { error: { code: 'x', innererror: SAID } }],
  ['description under error', { error: { code: 'x', description: SAID } }],
  ['another member under error', { error: { code: 'x', cause: SAID } }],
  ['Resolution beside a short text', { error: { [INFO]: [{ Message: 'no', Resolution: SAID }] } }],
  ['Resolution alone', { error: { [INFO]: [{ MessageId: 'X.1.0.Full', Resolution: SAID }] } }],
  ['MessageArgs without a text', { error: { [INFO]: [{ MessageId: 'Oem.1.0.Q', MessageArgs: [SAID] }] } }],
  ['MessageArgs with an empty text', { error: { [INFO]: [{ MessageId: 'Q', Message: '', MessageArgs: [7, SAID] }] } }],
  ['MessageArgs for a place in the text', { [INFO]: [{ Message: 'It was refused: %1', MessageArgs: [SAID] }] }],
  ['ExtendedInfo with members in lower case', { error: { [INFO]: [{ MessageId: 'X.1.0.Q', message: SAID }] } }],
  ['ExtendedInfo with Description', { error: { [INFO]: [{ MessageId: 'X.1.0.Q', Description: SAID }] } }],
  ['a JSON text', JSON.stringify(SAID)],
  ['a JSON list', JSON.stringify([SAID])],
  ['plain text', SAID],
  [
    'HTML',
    `<html><head><title>Oops</title><style>p { color: red }</style></head><body><script>alert("x")</script><p>No seat&nbsp;is <b>left</b>.</p></body></html>`,
  ],
  ['HTML that ends in the middle', `<html><body><p>${SAID}</p><script>never`],
])('the words of the BMC reach the caller: %s', async (_, body) => {
  const error = await errorOf(400, body);
  expect(error).toMatchObject({ kind: 'refused', status: 400 });
  expect(error.message.replaceAll(' .', '.')).toContain(SAID);
  expect(error.message).not.toMatch(/alert|color|<|lang|Oops/);
});

test.each([
  ['nothing', undefined, /returned 400 with an empty body$/],
  ['an empty object', {}, /without a Redfish error \(application\/json\)$/],
  ['an id alone', { error: { code: 'Base.1.8.InsufficientStorage' } }, /: Base\.1\.8\.InsufficientStorage$/],
  [
    'an id and its arguments',
    { error: { [INFO]: [{ MessageId: 'iLO.2.14.PropertyUnknown', MessageArgs: ['DeliveryRetryPolicy', 3] }] } },
    /: iLO\.2\.14\.PropertyUnknown \(DeliveryRetryPolicy, 3\)$/,
  ],
  [
    'a place without an argument, and one that is a percent-encoding',
    { error: { [INFO]: [{ Message: 'The %1 of /a%20b is %2, which it must not be.', MessageArgs: ['name'] }] } },
    /: The name of \/a%20b is %2, which it must not be\.$/,
  ],
  [
    'a text that says enough, and a remedy',
    { error: { [INFO]: [{ Message: 'The slot has no image.', Resolution: 'Insert one.' }] } },
    /: The slot has no image\.$/,
  ],
  ['no remedy', { error: { [INFO]: [{ Message: 'Refused.', Resolution: 'None.' }] } }, /: Refused\.$/],
  [
    'members of its own, one of them a secret',
    { error: { code: 'x', cause: 'Bad.', Password: 'hunter2!' } },
    /: \{"cause":"Bad\.","Password":"\*{6}"\}$/,
  ],
  ['a title alone', '<html><head><title>Out of order</title></head><body></body></html>', /: Out of order$/],
])('an error with %s is told', async (_, body, text) => {
  expect((await errorOf(400, body)).message).toMatch(text);
});

test('what would act on a terminal is removed from the words, and from each message', async () => {
  const said = '\u001b[31mRed\u001b[0m\u001b]0;title\u0007 \u0000and\r\nblue \u202eevil\u009b2J';
  const error = await errorOf(400, { error: { [INFO]: [{ Message: said, MessageArgs: [said] }] } });
  expect(error.message).toMatch(/: Red and blue evil$/);
  expect(error.extendedInfo).toEqual([{ Message: 'Red and blue evil', MessageArgs: ['Red and blue evil'] }]);
});

test.each<[string, unknown]>([
  ['JSON', { error: { [INFO]: Array.from({ length: 500 }, () => ({ Message: 'x'.repeat(5000) })) } }],
  [
    'members',
    { error: { [INFO]: [Object.fromEntries(Array.from({ length: 9999 }, (_, i) => [`k${i}`, 'x'.repeat(99)]))] } },
  ],
  ['text', 'x'.repeat(100_000)],
  ['HTML', `<p>${'x '.repeat(100_000)}</p>`],
  ['JSON without words', { a: 'x'.repeat(100_000) }],
])('an error of endless %s is cut', async (_, body) => {
  const error = await errorOf(400, body);
  expect(error.message.length).toBeLessThan(1300);
  expect(JSON.stringify(error.extendedInfo).length).toBeLessThan(300_000);
});

test.each([
  '<script '.repeat(20_000),
  '<!--'.repeat(20_000),
  '<'.repeat(65_000),
  '&#'.repeat(30_000),
  '\u001b]'.repeat(30_000),
])('a page made to be slow to read is read (%.10s)', async (body) => {
  expect((await errorOf(400, body)).status).toBe(400);
});

test.each<[string, unknown]>([
  ['ExtendedInfo', { error: { [INFO]: [{ Message: `bad ${SECRET}` }] } }],
  ['text', `bad ${SECRET}`],
  ['HTML', `<p>bad ${SECRET}</p>`],
  ['JSON without words', { echo: `bad ${SECRET}` }],
  ['arguments', { error: { [INFO]: [{ MessageId: 'Q', MessageArgs: [SECRET] }] } }],
  ['an innererror', { error: { code: 'x', innererror: { message: `bad ${SECRET}` } } }],
  ['a text that is cut within it', `${'x'.repeat(994)}${SECRET}`],
  ['escape sequences within it', `bad open-\u001b[0msesame`],
])('a password that the BMC quotes in %s is not told', async (_, body) => {
  const error = await errorOf(400, body);
  expect(error.message).not.toContain('open-');
  expect(JSON.stringify(error.extendedInfo)).not.toContain(SECRET);
});

test.each<[string, unknown]>([
  ['a Redfish error', { error: { [INFO]: [{ MessageId: 'Base.1.8.InternalError', Message: SAID }] } }],
  ['a text', { error: SAID }],
  ['messages of severity Critical', { [INFO]: [{ Message: SAID, MessageSeverity: 'Critical' }] }],
])('a read that returns 200 with only %s has failed', async (_, body) => {
  const client = await start(() => ({ status: 200, body }));
  expect(await failure(client.get('/a'))).toMatchObject({
    kind: 'failed',
    status: 200,
    message: expect.stringContaining(SAID),
  });
});

test('a read that returns 200 with words of being busy is repeated', async () => {
  const busy = { error: { [INFO]: [{ MessageId: 'IDRAC.2.8.SYS518', Message: 'Wait.' }] } };
  const client = await start(() => ({ status: 200, body: bmc!.requests.length < 3 ? busy : { a: 1 } }));
  expect(await client.get('/a')).toEqual({ a: 1 });
});

test.each<[string, unknown]>([
  ['annotations of severity OK', { Name: 'x', [INFO]: [{ Message: 'Fine.', MessageSeverity: 'OK' }] }],
  ['a member called error and an id of its own', { '@odata.id': '/a', error: 'none' }],
  ['members and a warning', { Members: [], [INFO]: [{ Message: 'One is off.', Severity: 'Warning' }] }],
])('a document with %s is a document', async (_, body) => {
  const client = await start(() => ({ status: 200, body }));
  expect(await client.get('/a')).toEqual(body);
});

const success = { error: { code: 'iLO.0.10.ExtendedInfo', [INFO]: [{ MessageId: 'Base.0.10.Success' }] } };
const critical = { error: { [INFO]: [{ MessageId: 'Base.1.8.InternalError', Message: SAID, Severity: 'Critical' }] } };

test.each<[string, unknown]>([
  ['a message of success under error', success],
  ['a success with a warning', { error: { [INFO]: [{ Message: 'Reset it.', MessageSeverity: 'Warning' }] } }],
  ['a success among failures', { error: { [INFO]: [...success.error[INFO], ...critical.error[INFO]] } }],
  ['a completion code of 0', { cc: 0, error: '' }],
  ['a resource', { Id: '1', ...critical }],
])('a change that returns 200 with %s has succeeded', async (_, body) => {
  const client = await start(() => ({ status: 200, body }));
  expect((await client.post('/a', {})).document).toEqual(body);
  expect((await client.getMonitor('/m')).document).toEqual(body);
});

test.each<[string, unknown]>([
  ['only messages of severity Critical', critical],
  ['a completion code', { cc: 9, error: SAID }],
])('a change that returns 200 with %s has failed', async (_, body) => {
  const client = await start(() => ({ status: 200, body }));
  expect((await failure(client.post('/a', {}))).message).toContain(SAID);
  expect(bmc!.lines()).toHaveLength(1);
});

test.each([993, 996, 999])('shows no part of a secret that is cut after %i characters', async (length) => {
  const text = `${'word '.repeat(200).slice(0, length - 1)} ${SECRET} and more`;
  for (const body of [{ error: { [INFO]: [{ Message: text }] } }, { error: text }, `<p>${text}</p>`]) {
    const error = await errorOf(400, body);
    expect(`${error.message} ${JSON.stringify(error.extendedInfo)}`).not.toMatch(/ ope?n?-?s?e?s?a?m?\w*…/);
    expect(error.message).toContain('word word');
    await clients.close();
    await bmc?.close();
  }
});
