import { once } from 'node:events';
import { connect as connectHttp2, createServer, type ServerHttp2Session } from 'node:http2';
import { type AddressInfo, connect } from 'node:net';
import { queryObjects, setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import { expect, test, vi } from 'vitest';
import { startTestService } from '../rpc/service.ts';
import { END_HEADERS, FRAME, frame, HELLO, POST } from './http2Frames.ts';

setFlagsFromString('--expose-gc');
const collect = runInNewContext('gc') as () => void;

/** The class of the sessions of all servers, which Node does not export. */
async function sessionClass(): Promise<{ new (): ServerHttp2Session }> {
  const server = createServer().listen(0, '127.0.0.1');
  await once(server, 'listening');
  const client = connectHttp2(`http://127.0.0.1:${(server.address() as AddressInfo).port}`);
  const [session] = await once(server, 'session');
  client.destroy();
  server.close();
  return session.constructor;
}

test.each([
  ['data for a stream that was never opened', Buffer.concat([HELLO, frame(FRAME.data, 0, 3, Buffer.from('{}'))])],
  ['SETTINGS of a wrong length', Buffer.concat([HELLO, frame(FRAME.settings, 0, 0, Buffer.from('abc'))])],
  [
    'a fault behind a request',
    Buffer.concat([HELLO, frame(FRAME.headers, END_HEADERS, 1, POST), frame(FRAME.settings, 0, 0, Buffer.from('abc'))]),
  ],
])('HTTP/2 connections that break the protocol leave nothing behind: %s', async (_, bytes) => {
  const Session = await sessionClass();
  await using service = await startTestService();
  const port = Number(new URL(service.url).port);
  for (let index = 0; index < 50; index++) {
    const socket = connect(port, '127.0.0.1').resume();
    socket.on('error', () => {}).end(bytes);
    await once(socket, 'close');
  }
  // The last one may still be on the stack.
  await vi.waitFor(() => {
    collect();
    expect(queryObjects(Session)).toBeLessThan(5);
  }, 10_000);
});
