import { parse } from 'content-disposition';
import { expect, test } from 'vitest';
import { contentDisposition, safeMediaType } from '../../src/rest/attachment.ts';

test.each([
  ['table.csv', 'attachment; filename=table.csv', 'table.csv'],
  [null, 'attachment', undefined],
  ['', 'attachment', undefined],
  ['..', 'attachment', undefined],
  ['dump/', 'attachment', undefined],
  ['../../etc/passwd', 'attachment; filename=passwd', 'passwd'],
  ['C:\\dumps\\log.txt', 'attachment; filename=log.txt', 'log.txt'],
  ['a"; filename=b', 'attachment; filename="a\\"; filename=b"', 'a"; filename=b'],
  ['a\r\nSet-Cookie: x', 'attachment; filename="aSet-Cookie: x"', 'aSet-Cookie: x'],
  ['a\u0085b\u0000', 'attachment; filename=ab', 'ab'],
  [
    'Übersicht (1).csv',
    'attachment; filename="?bersicht (1).csv"; filename*=UTF-8\'\'%C3%9Cbersicht%20%281%29.csv',
    'Übersicht (1).csv',
  ],
  ['50%25.csv', "attachment; filename=50%25.csv; filename*=UTF-8''50%2525.csv", '50%25.csv'],
  ['half \ud800', 'attachment; filename="half ?"; filename*=UTF-8\'\'half%20%EF%BF%BD', 'half \ufffd'],
])('the file name %j is sent as %s', (name, header, saved) => {
  expect(contentDisposition(name)).toBe(header);
  expect(parse(header).parameters.filename).toBe(saved);
});

test.each([
  ['text/csv', 'text/csv'],
  ['text/plain; charset=utf-8', 'text/plain; charset=utf-8'],
  ['application/vnd.x+json', 'application/vnd.x+json'],
  ['', 'application/octet-stream'],
  ['text', 'application/octet-stream'],
  ['text/html\r\nSet-Cookie: x', 'application/octet-stream'],
  ['text/html\r\n;a=b', 'application/octet-stream'],
  ['text/html;\u2028a=b', 'application/octet-stream'],
])('the media type %j is sent as %s', (mediaType, sent) => {
  expect(safeMediaType(mediaType)).toBe(sent);
});
