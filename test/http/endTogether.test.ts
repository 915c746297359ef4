import { once } from 'node:events';
import { createServer, type RequestListener, type Server } from 'node:http';
import { type AddressInfo, connect } from 'node:net';
import { afterEach, describe, expect, test } from 'vitest';
import { endTogether } from '../../src/http/endTogether.ts';

describe('responses that end together', () => {
  let server: Server | null = null;
  afterEach(() => {
    server?.closeAllConnections();
    server?.close();
  });

  async function serve(handle: RequestListener): Promise<number> {
    server = createServer(handle).listen(0, '127.0.0.1');
    await once(server, 'listening');
    return (server.address() as AddressInfo).port;
  }

  /** Sends GETs of `paths`, all in one packet, and returns what is received until the connection ends. */
  async function pipeline(port: number, paths: string[]): Promise<string> {
    const socket = connect(port, '127.0.0.1').setEncoding('utf8');
    const requests = paths.map((path) => `GET ${path} HTTP/1.1\r\nHost: localhost\r\n\r\n`);
    socket.write(`${requests.join('')}GET /last HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n`);
    let received = '';
    socket.on('data', (text) => {
      received += text;
    });
    await once(socket, 'close');
    return received;
  }

  test.each([1, 2, 15, 16, 17, 100])('reach their clients whole and in order: %i of one turn', async (count) => {
    const port = await serve(({ url }, response) => {
      const body = `<${url}: ü>`;
      response.writeHead(200, ['Content-Length', String(Buffer.byteLength(body))]);
      endTogether(response, body);
    });
    const paths = Array.from({ length: count }, (_, index) => `/${index}`);
    const received = await pipeline(port, paths);
    expect(received.match(/<.*?>/g)).toEqual([...paths, '/last'].map((path) => `<${path}: ü>`));
  });

  test('do not wait for one another where each is alone', async () => {
    const port = await serve((_, response) => endTogether(response, 'alone'));
    for (let sent = 0; sent < 20; sent++) expect(await (await fetch(`http://127.0.0.1:${port}/`)).text()).toBe('alone');
  });

  test('are sent when one of the turn is cut, or cannot be ended', async () => {
    const port = await serve(({ url }, response) => {
      if (url === '/cut') response.destroy();
      if (url === '/defect') {
        response.end = () => {
          throw new Error('no end');
        };
      }
      endTogether(response, `${url} served`);
    });
    const served = ['/a', '/cut', '/b', '/defect', '/c'].map(async (path) => {
      const response = await fetch(`http://127.0.0.1:${port}${path}`);
      return response.text();
    });
    const outcomes = await Promise.allSettled(served);
    expect(outcomes.map((outcome) => (outcome.status === 'fulfilled' ? outcome.value : 'cut'))).toEqual([
      '/a served',
      'cut',
      '/b served',
      'cut',
      '/c served',
    ]);
  });

  test('have their body by its encoding, or none', async () => {
    const port = await serve(({ url }, response) => {
      if (url === '/none') endTogether(response, undefined);
      else if (url === '/bytes') endTogether(response, Buffer.from([0xff, 0x00]));
      else endTogether(response, '\u00e9', 'latin1');
    });
    const get = async (path: string) => Buffer.from(await (await fetch(`http://127.0.0.1:${port}${path}`)).bytes());
    expect([await get('/none'), await get('/bytes'), await get('/latin1')]).toEqual([
      Buffer.alloc(0),
      Buffer.from([0xff, 0x00]),
      Buffer.from([0xe9]),
    ]);
  });
});
