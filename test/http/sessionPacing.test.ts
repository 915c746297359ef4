import type { Socket } from 'node:net';
import { PassThrough } from 'node:stream';
import { beforeEach, expect, test, vi } from 'vitest';
import { SessionStarts } from '../../src/http/sessionPacing.js';
import { HELLO, rapidReset } from './http2Frames.js';

beforeEach(() => {
  vi.useFakeTimers();
  return () => void vi.useRealTimers();
});

let starts: SessionStarts;
let begun: string[];
beforeEach(() => {
  starts = new SessionStarts();
  begun = [];
});

function connection(remoteAddress: string): Socket {
  const socket = Object.assign(new PassThrough(), { remoteAddress });
  return socket as unknown as Socket;
}

function begin(name: string, socket: Socket): void {
  starts.begin(socket, () => begun.push(name));
}

/** What begins within the next `time` milliseconds. */
async function beginsIn(time: number): Promise<string[]> {
  begun = [];
  await vi.advanceTimersByTimeAsync(time);
  return begun;
}

test('sessions begin in their order, a turn each', async () => {
  begin('a', connection('192.0.2.1'));
  begin('b', connection('192.0.2.1'));
  begin('c', connection('192.0.2.2'));
  expect(begun).toEqual([]);
  vi.advanceTimersToNextTimer();
  expect(begun).toEqual(['a']);
  expect(await beginsIn(2)).toEqual(['b', 'c']);
});

test('those of a client that has abused one begin 5 ms apart for a second; nobody else waits', async () => {
  starts.abused(connection('192.0.2.1'));
  for (const name of ['a', 'b', 'c']) begin(name, connection('::ffff:192.0.2.1'));
  begin('other', connection('192.0.2.2'));
  expect(await beginsIn(4)).toEqual(['other']);
  expect(await beginsIn(5)).toEqual(['a']);
  expect(await beginsIn(5)).toEqual(['b']);
  begin('d', connection('192.0.2.1'));
  expect(await beginsIn(5)).toEqual(['c']);
  expect(await beginsIn(5)).toEqual(['d']);
  await beginsIn(500);
  starts.abused(connection('192.0.2.1'));
  await beginsIn(800);
  for (const name of ['a', 'b']) begin(name, connection('192.0.2.1'));
  expect(await beginsIn(6)).toEqual(['a']);
  await beginsIn(500);
  for (const name of ['a', 'b']) begin(name, connection('192.0.2.1'));
  expect(await beginsIn(2)).toEqual(['a', 'b']);
  expect(vi.getTimerCount()).toBe(0);
});

test('connections of an abuser that have closed by their turn take no time of those that wait', async () => {
  starts.abused(connection('192.0.2.1'));
  const many = Array.from({ length: 1000 }, () => connection('192.0.2.1'));
  for (const socket of many) begin('closed', socket);
  begin('open', connection('192.0.2.1'));
  for (const socket of many) socket.destroy();
  expect(await beginsIn(6)).toEqual(['open']);
});

test('whoever still waits when the abuse is over does not wait any longer', async () => {
  starts.abused(connection('192.0.2.1'));
  for (let index = 0; index < 1000; index++) begin(String(index), connection('192.0.2.1'));
  expect(await beginsIn(998)).toHaveLength(199);
  expect(await beginsIn(1003)).toHaveLength(801);
  expect(vi.getTimerCount()).toBe(0);
});

test('one that has closed by its turn does not begin', async () => {
  const socket = connection('192.0.2.1');
  begin('a', socket);
  socket.destroy();
  expect(await beginsIn(1)).toEqual([]);
});

test('what has come by its turn is looked at: rapid resets end it, all else is put back', async () => {
  const abuser = connection('192.0.2.1');
  begin('a', abuser);
  abuser.push(HELLO);
  abuser.push(Buffer.concat(Array.from({ length: 50 }, (_, index) => rapidReset(index))));
  const friend = connection('192.0.2.2');
  const sent = Buffer.concat([HELLO, ...Array.from({ length: 49 }, (_, index) => rapidReset(index))]);
  begin('b', friend);
  friend.push(sent);
  expect(await beginsIn(1)).toEqual(['b']);
  expect(abuser.destroyed).toBe(true);
  expect(friend.read()).toEqual(sent);
});
