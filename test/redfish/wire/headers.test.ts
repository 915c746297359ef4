import { gzipSync } from 'node:zlib';
import { afterEach, expect, test } from 'vitest';
import { createRedfishClients, type RedfishClients } from '../../../src/redfish/index.ts';
import { type ScriptedBmc, startScriptedBmc } from '../scriptedBmc.ts';
import { failure, forever, target } from '../target.ts';

const anonymous = { account: { username: null, password: '', authType: 'auto' as const } };
let clients: RedfishClients = createRedfishClients();
let bmc: ScriptedBmc | null = null;

afterEach(async () => {
  await clients.close();
  await bmc?.close();
  bmc = null;
});

async function start(lines: string[], body: Buffer | string = '{"a":1}') {
  clients = createRedfishClients();
  bmc = await startScriptedBmc(({ socket }) => {
    socket.write(`HTTP/1.1 200 OK\r\n${lines.join('\r\n')}\r\nContent-Length: ${body.length}\r\n\r\n`);
    socket.end(body);
    return null;
  });
  return clients.for(target(bmc.url, anonymous), { signal: forever });
}

test('an empty or blank header is none', async () => {
  const client = await start([
    'ETag:',
    'Location:   ',
    'X-Auth-Token: \t ',
    'Retry-After:',
    'Content-Encoding:',
    'Content-Type:',
  ]);
  const { headers, document } = await client.getResponse('/a');
  expect(document).toEqual({ a: 1 });
  for (const name of ['etag', 'location', 'x-auth-token', 'retry-after', 'content-encoding', 'content-type']) {
    expect(headers).not.toHaveProperty(name);
  }
});

test('of a repeated header the first that is not empty counts', async () => {
  const client = await start(['ETag:', 'ETag: "1"', 'ETag: "2"']);
  expect((await client.getResponse('/a')).headers.etag).toBe('"1"');
});

test.each([
  ['an unknown encoding', 'none'],
  ['an encoding that was not applied', 'gzip'],
  ['identity among others', 'identity, utf-8'],
])('JSON under %s is read', async (_, encoding) => {
  const client = await start([`Content-Encoding: ${encoding}`]);
  expect(await client.get('/a')).toEqual({ a: 1 });
});

test.each(['gzip', 'GZIP', 'identity, gzip', ' x-gzip '])('an encoding written %j is decoded', async (encoding) => {
  const client = await start([`Content-Encoding: ${encoding}`], gzipSync('{"a":1}'));
  expect(await client.get('/a')).toEqual({ a: 1 });
});

test('what is neither encoded as it says nor JSON has failed', async () => {
  const client = await start(['Content-Encoding: gzip'], 'rubbish');
  expect((await failure(client.get('/a'))).message).toContain('cannot be decompressed');
});
