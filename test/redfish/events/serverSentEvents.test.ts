import { expect, test } from 'vitest';
import { EventStreamReader, MAX_EVENT } from '../../../src/redfish/events/serverSentEvents.ts';

/** Returns what a reader makes of parts. */
function read(...parts: string[]) {
  const reader = new EventStreamReader();
  return parts.flatMap((part) => reader.read(part));
}

const STREAM = ': hello\n\nid: 1\ndata: {"a":\ndata: 1}\n\nevent: x\nretry: 5\ndata: b\n\nid:2\ndata:c\n\n';
const EVENTS = [
  { id: '1', data: '{"a":\n1}' },
  { id: '1', data: 'b' },
  { id: '2', data: 'c' },
];

test.each([
  ['LF', '\n'],
  ['CR LF', '\r\n'],
  ['CR', '\r'],
])('lines end with %s, wherever a part ends', (_, end) => {
  const text = STREAM.replaceAll('\n', end);
  expect(read(text)).toEqual(EVENTS);
  expect(read(...text)).toEqual(EVENTS);
  for (let at = 1; at < text.length; at++) expect(read(text.slice(0, at), text.slice(at))).toEqual(EVENTS);
});

test('an event is complete with its empty line, though a CR may be half of an end', () => {
  const reader = new EventStreamReader();
  expect(reader.read('data: a\r\r')).toEqual([{ id: null, data: 'a' }]);
  expect(reader.read('\ndata: b\r')).toEqual([]);
  expect(reader.read('\n\r')).toEqual([{ id: null, data: 'b' }]);
  expect(reader.read('\ndata: c\n\n')).toEqual([{ id: null, data: 'c' }]);
});

test('an event without data is none, and its id counts; an id that no header takes is none', () => {
  expect(read('id: 7\n\ndata: a\n\nid: \u0007\ndata: b\n\nid\ndata: c\n\nid: №\ndata\n\n')).toEqual([
    { id: '7', data: 'a' },
    { id: null, data: 'b' },
    { id: null, data: 'c' },
    { id: '№', data: '' },
  ]);
  expect(read(`id: ${'9'.repeat(2000)}\ndata: a\n\n`)).toEqual([{ id: null, data: 'a' }]);
});

test('an event that is too long is dropped, in one line or in many, and those after it are read', () => {
  const half = 'x'.repeat(MAX_EVENT / 2);
  const next = { id: '2', data: 'next' };
  expect(read(`id: 1\ndata: ${half}${half}x\n\nid: 2\ndata: next\n\n`)).toEqual([{ id: '1', data: null }, next]);
  expect(read(`id: 1\ndata: ${half}\ndata: ${half}\n\nid: 2\ndata: next\n\n`)).toEqual([{ id: '1', data: null }, next]);
  const parts = ['id: 1\ndata: ', half, half, half, '\ndata: more\n', '\nid: 2\ndata: next\n\n'];
  expect(read(...parts)).toEqual([{ id: '1', data: null }, next]);
  // A comment is none, however long.
  expect(read(': ', half, half, half, '\nid: 2\ndata: next\n\n')).toEqual([next]);
});
