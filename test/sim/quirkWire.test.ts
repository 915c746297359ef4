import { connect } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';
import { expect, test } from 'vitest';
import type { SimulatedBmc } from '../../src/sim/index.ts';
import { call, SUBSCRIPTIONS, SYSTEM } from './client.ts';
import { bmcWith } from './quirkedBmc.ts';

/** Returns all bytes that the BMC sends for one GET, read until they stop or the connection ends. */
async function bytesOf(bmc: SimulatedBmc, path: string): Promise<{ text: string; parts: number; closed: boolean }> {
  const { hostname, port } = new URL(bmc.url);
  const socket = connect(Number(port), hostname);
  const chunks: string[] = [];
  let closed = false;
  socket.on('data', (chunk) => chunks.push(String(chunk)));
  socket.on('close', () => {
    closed = true;
  });
  socket.write(`GET ${path} HTTP/1.1\r\nHost: bmc\r\nAuthorization: Basic ${btoa('u:p')}\r\n\r\n`);
  for (let before = -1; before !== chunks.length || chunks.length === 0; ) {
    before = chunks.length;
    await sleep(60);
  }
  socket.destroy();
  return { text: chunks.join(''), parts: chunks.length, closed };
}

test.each([301, 302, 307, 308])('redirects-to-slash-%i: every path without a slash is redirected', async (status) => {
  await using one = await bmcWith([`redirects-to-slash-${status}`]);
  const request = (path: string) =>
    fetch(one.bmc.url + path, { redirect: 'manual', headers: { Authorization: `Basic ${btoa('u:p')}` } });
  for (const path of ['/redfish/v1', SYSTEM, SUBSCRIPTIONS]) {
    const redirected = await request(path);
    expect([redirected.status, redirected.headers.get('Location')]).toEqual([status, `${path}/`]);
    expect((await request(`${path}/`)).status).toBe(200);
  }
  expect((await request(`${SUBSCRIPTIONS}?a=b`)).headers.get('Location')).toBe(`${SUBSCRIPTIONS}/?a=b`);
});

test('surplus-bytes: more bytes follow the body than Content-Length announces', async () => {
  await using one = await bmcWith(['surplus-bytes']);
  const { text } = await bytesOf(one.bmc, SYSTEM);
  const length = Number(/Content-Length: (\d+)/i.exec(text)?.[1]);
  const [, body = ''] = text.split(/\r\n\r\n(.*)/s);
  expect(body.slice(length)).toBe('\r\n\r\n<!-- rest -->');
});

test('trickled-bodies: a body comes in parts, and whole', async () => {
  await using one = await bmcWith(['trickled-bodies']);
  expect((await bytesOf(one.bmc, SYSTEM)).parts).toBeGreaterThan(2);
  expect((await call(one.bmc, 'GET', SYSTEM)).json.Id).toBe('437XR1138R2');
});

test('silent-close: a connection is closed after its response, without Connection: close', async () => {
  await using one = await bmcWith(['silent-close']);
  const { text, closed } = await bytesOf(one.bmc, SYSTEM);
  expect([closed, /Connection: keep-alive/i.test(text)]).toEqual([true, true]);
});
