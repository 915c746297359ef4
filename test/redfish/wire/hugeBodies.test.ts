import { afterEach, expect, test } from 'vitest';
import { createRedfishClients, type RedfishClients } from '../../../src/redfish/index.ts';
import { type ScriptedBmc, startScriptedBmc } from '../scriptedBmc.ts';
import { failure, forever, target } from '../target.ts';

let clients: RedfishClients = createRedfishClients();
let bmc: ScriptedBmc | null = null;

afterEach(async () => {
  await clients.close();
  await bmc?.close();
  bmc = null;
});

async function refusalOf(status: number, body: string) {
  clients = createRedfishClients();
  bmc = await startScriptedBmc(() => ({ status, body }));
  const account = { username: null, password: '', authType: 'auto' as const };
  const client = clients.for(target(bmc.url, { account }), { signal: forever });
  return [await failure(client.post('/a', {})), await failure(client.get('/a'))];
}

const DEEP = 100_000;
const nested = (open: string, close: string, inner = '1') => open.repeat(DEEP) + inner + close.repeat(DEEP);

test.each([
  ['lists under error', `{"error": ${nested('[', ']')}}`],
  ['objects under error', `{"error": ${nested('{"a":', '}')}}`],
  ['objects under ExtendedInfo', `{"error": {"@Message.ExtendedInfo": [${nested('{"a":', '}')}]}}`],
  [
    'an argument',
    `{"error": {"@Message.ExtendedInfo": [{"MessageId": "A.1.0.B", "MessageArgs": ${nested('[', ']')}}]}}`,
  ],
  ['messages under messages', `{"error": {"details": ${nested('{"message":', '}')}}}`],
  ['lists alone', nested('[', ']')],
])('an error nested too deep (%s) is told with its status', async (_, body) => {
  for (const error of await refusalOf(400, body)) {
    expect(error).toMatchObject({ kind: 'refused', status: 400 });
    expect(error.message.length).toBeLessThan(3000);
  }
});

test('a document nested too deep is told to be none', async () => {
  clients = createRedfishClients();
  bmc = await startScriptedBmc(() => ({ status: 200, body: `{"a": ${nested('[', ']')}}` }));
  const account = { username: null, password: '', authType: 'auto' as const };
  const client = clients.for(target(bmc.url, { account }), { signal: forever });
  expect((await failure(client.get('/a'))).message).toContain('without a JSON document');
});

test.each(['\0', '\0\0\n', '\n\0', '\r\n'])('a document that ends in %j is read', async (end) => {
  clients = createRedfishClients();
  bmc = await startScriptedBmc(() => ({ status: 200, body: `{"a": 1}${end}` }));
  const account = { username: null, password: '', authType: 'auto' as const };
  const client = clients.for(target(bmc.url, { account }), { signal: forever });
  expect(await client.get('/a')).toEqual({ a: 1 });
});

const MIB = 1024 * 1024;
const long = (text: string) => text.repeat(Math.floor((7.5 * MIB) / text.length));

test.each([
  ['a text', `{"error": {"message": "${long('a')}"}}`],
  ['many messages', `{"error": {"@Message.ExtendedInfo": [${long('{"MessageId": "A.1.0.B", "Message": "No."},')}{}]}}`],
  ['many members', `{${long('"error": 1, ')}"x": 1}`],
  ['other JSON', `{"x": [${long('{"y": [1, "z"]},')}1]}`],
  ['plain text', long('login session password ')],
  ['blanks', long(' ')],
  ['NULs', `x${long('\0')}x`],
  ['tags', long('<a')],
  ['comments', long('<!--')],
  ['scripts', long('<script')],
  ['entities', long('&#1')],
  ['escapes', long('\u001b[')],
])(
  'an error of 7.5 MiB (%s) is told, bounded',
  async (_, body) => {
    for (const error of await refusalOf(403, body)) {
      expect(error.status).toBe(403);
      expect(error.message.length).toBeLessThan(3000);
      expect(JSON.stringify(error.extendedInfo).length).toBeLessThan(300_000);
    }
  },
  20_000,
);
