import { gzipSync } from 'node:zlib';
import { afterEach, expect, test } from 'vitest';
import { createRedfishClients, type RedfishClients } from '../../../src/redfish/index.ts';
import { type ScriptedBmc, type ScriptedRequest, startScriptedBmc } from '../scriptedBmc.ts';
import { failure, forever, noPause, target } from '../target.ts';

const anonymous = { account: { username: null, password: '', authType: 'auto' as const } };
let clients: RedfishClients = createRedfishClients();
let bmc: ScriptedBmc | null = null;

afterEach(async () => {
  await clients.close();
  await bmc?.close();
  bmc = null;
});

/** Sends bytes of its own, and then ends, resets or holds the connection. */
type Cut = (socket: ScriptedRequest['socket'], status: number) => void;

const head = (status: number, headers: string) =>
  `HTTP/1.1 ${status} X\r\nContent-Type: application/json\r\n${headers}\r\n\r\n`;
const WORDS = '{"error":{"message":"No room."}}';

const cuts: [string, Cut][] = [
  ['without any chunk', (socket, status) => socket.end(head(status, 'Transfer-Encoding: chunked'))],
  ['within a chunk', (socket, status) => socket.end(`${head(status, 'Transfer-Encoding: chunked')}ff\r\n{"err`)],
  ['before its Content-Length', (socket, status) => socket.end(`${head(status, 'Content-Length: 999')}{"error":`)],
  [
    'by a reset',
    (socket, status) =>
      socket.write(`${head(status, 'Content-Length: 999')}{`, () => setTimeout(() => socket.resetAndDestroy(), 20)),
  ],
  ['by never ending', (socket, status) => socket.write(`${head(status, 'Content-Length: 999')}{`)],
  [
    'by an encoding that it does not have',
    (socket, status) => socket.end(`${head(status, 'Content-Encoding: br\r\nContent-Length: 3')}abc`),
  ],
  [
    'by its size',
    (socket, status) => {
      socket.write(head(status, 'Transfer-Encoding: chunked'));
      const chunk = Buffer.from(`10000\r\n${'x'.repeat(0x10000)}\r\n`);
      const more = () => !socket.destroyed && socket.write(chunk, () => setImmediate(more));
      more();
    },
  ],
];

async function start(respond: (request: ScriptedRequest) => void) {
  clients = createRedfishClients();
  bmc = await startScriptedBmc((request) => {
    request.socket.on('error', () => {});
    respond(request);
    return null;
  });
  const limits = { timeoutMs: 500, connectionAttempts: 1, connectionRetryIntervalMs: 1, pause: noPause };
  return clients.for(target(bmc.url, { ...anonymous, limits }), { signal: forever });
}

test.each(cuts)('a 404 whose body is cut off %s is a 404, and sent once', async (_, cut) => {
  const client = await start(({ socket }) => cut(socket, 404));
  for (const send of [() => client.get('/a'), () => client.post('/a', {}), () => client.delete('/a')]) {
    bmc!.requests.length = 0;
    expect(await failure(send())).toMatchObject({ kind: 'refused', status: 404 });
    expect(bmc!.lines()).toHaveLength(1);
  }
});

test.each(cuts)(
  'a POST, PATCH or DELETE whose success is cut off %s has succeeded, and its Location counts',
  async (_, cut) => {
    const client = await start(({ socket }) => {
      const { write, end } = socket;
      // Adds the Location to each head.
      const located = (bytes: unknown) =>
        typeof bytes === 'string' ? bytes.replace('\r\nContent-Type', '\r\nLocation: /made/1\r\nContent-Type') : bytes;
      const wrapped = Object.create(socket, {
        write: { value: (bytes: never, done: never) => write.call(socket, located(bytes) as never, done) },
        end: { value: (bytes: never) => end.call(socket, located(bytes) as never) },
        destroyed: { get: () => socket.destroyed },
      });
      cut(wrapped, 201);
    });
    for (const send of [() => client.post('/a', {}), () => client.patch('/a', {}), () => client.delete('/a')]) {
      bmc!.requests.length = 0;
      expect(await send()).toMatchObject({ status: 201, document: null, headers: { location: '/made/1' } });
      expect(bmc!.lines()).toHaveLength(1);
    }
  },
);

test.each(cuts.slice(0, 5))('a read whose success is cut off %s is repeated', async (_, cut) => {
  const client = await start(({ socket }) => {
    if (bmc!.requests.length < 3) cut(socket, 200);
    else socket.end(`${head(200, 'Content-Length: 7')}{"a":1}`);
  });
  expect(await client.get('/a')).toEqual({ a: 1 });
  expect(bmc!.lines()).toHaveLength(3);
});

test('the words that arrived before the body was cut off reach the caller', async () => {
  const client = await start(({ socket }) =>
    socket.end(`${head(400, 'Transfer-Encoding: chunked')}20\r\n${WORDS}\r\n`),
  );
  expect((await failure(client.post('/a', {}))).message).toMatch(/returned 400, and its body was cut off: No room\.$/);
});

test('what arrived of a compressed body that is cut off is decoded', async () => {
  const packed = gzipSync(`${WORDS}${' '.repeat(50_000)}`);
  const client = await start(({ socket }) => {
    socket.write(head(400, `Content-Encoding: gzip\r\nContent-Length: ${packed.length + 9}`));
    socket.end(packed);
  });
  expect((await failure(client.post('/a', {}))).message).toContain('No room.');
});

test('a BMC that cuts off responses is not down', async () => {
  const client = await start(({ socket }) => cuts[0]![1](socket, 500));
  for (let i = 0; i < 8; i++) expect((await failure(client.post('/a', {}))).status).toBe(500);
});

test('an interim response decides nothing', async () => {
  const client = await start(({ socket }) => socket.end('HTTP/1.1 103 Early Hints\r\nLink: </x>\r\n\r\n'));
  expect((await failure(client.post('/a', {}))).kind).toBe('outcome-unknown');
});
