import { expect, test } from 'vitest';
import { contentDisposition, safeMediaType } from '../../src/rest/contentDisposition.ts';

test.each([
  ['table.csv', 'attachment; filename="table.csv"'],
  [null, 'attachment'],
  ['', 'attachment'],
  ['..', 'attachment'],
  ['../../etc/passwd', 'attachment; filename="passwd"'],
  ['C:\\dumps\\log.txt', 'attachment; filename="log.txt"'],
  ['a"; filename=b', 'attachment; filename="a_; filename=b"; filename*=UTF-8\'\'a%22%3B%20filename%3Db'],
  ['a\r\nSet-Cookie: x', 'attachment; filename="aSet-Cookie: x"'],
  ['Übersicht (1).csv', 'attachment; filename="_bersicht (1).csv"; filename*=UTF-8\'\'%C3%9Cbersicht%20%281%29.csv'],
  ['50%.csv', 'attachment; filename="50_.csv"; filename*=UTF-8\'\'50%25.csv'],
  ['half \ud800', 'attachment; filename="half _"; filename*=UTF-8\'\'half%20%EF%BF%BD'],
])('the file name %j is told as %s', (name, header) => {
  expect(contentDisposition(name)).toBe(header);
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
