import { stripVTControlCharacters } from 'node:util';
import { expect, test } from 'vitest';
import { auditRecord } from '../../src/observe/auditRecord.ts';
import { createAuditLog, createServiceLog } from '../../src/observe/log.ts';
import { terminalLine } from '../../src/observe/terminalLine.ts';

const shown = (fields: object) => stripVTControlCharacters(terminalLine(`${JSON.stringify(fields)}\n`));

test('a line has the time, the level, the message and the fields', () => {
  const line = {
    level: 'info',
    time: '2026-01-02T03:04:05.678Z',
    node: 'rf-1',
    list: [1],
    none: null,
    msg: 'job ended',
  };
  expect(shown(line)).toBe('03:04:05.678 info  job ended node="rf-1" list=[1]\n');
});

test("an error's stack follows on separate lines", () => {
  const err = { type: 'Error', message: 'no', stack: 'Error: no\n    at a\n    at b' };
  expect(shown({ level: 'error', time: '2026-01-02T03:04:05.678Z', err, msg: 'failed' })).toBe(
    '03:04:05.678 error failed type="Error" message="no"\n    Error: no\n    at a\n    at b\n',
  );
});

test('text from outside cannot control the terminal', () => {
  const hostile = '\u001b]0;owned\u0007\u009b31m\r\n';
  const err = { message: hostile, stack: `Error: ${hostile}` };
  const line = terminalLine(
    JSON.stringify({ level: 'warn', time: '2026-01-02T03:04:05.678Z', bmc: hostile, err, msg: 'x' }),
  );
  const own = stripVTControlCharacters(line);
  expect(own.replaceAll('\n', '')).not.toMatch(/\p{Cc}/u);
  expect(own).toContain('owned');
});

test('returns anything else unchanged', () => {
  expect(terminalLine('plain\n')).toBe('plain\n');
});

test('audit records are logged at any level', () => {
  const lines: Record<string, unknown>[] = [];
  const target = { write: (line: string) => void lines.push(JSON.parse(line)) };
  createServiceLog('error', target).info({}, 'not this');
  createAuditLog(target)(auditRecord({ action: 'list nodes', caller: null, outcome: 'unauthenticated' }));
  expect(lines).toEqual([
    expect.objectContaining({
      level: 'info',
      audit: true,
      action: 'list nodes',
      outcome: 'unauthenticated',
      msg: 'audit',
    }),
  ]);
});

test('an audit record is one line, whatever a caller sends', () => {
  const lines: string[] = [];
  const hostile = '"\n},"audit":false,\u2028\ud800\u0000';
  createAuditLog({ write: (line) => void lines.push(line) })(
    auditRecord({
      action: 'call a method',
      caller: null,
      method: hostile,
      arguments: { [hostile]: hostile, __proto__: hostile, password: 'calvin' },
      outcome: 'unknown_method',
    }),
  );
  const [line = '', ...others] = lines;
  expect(others).toEqual([]);
  expect(line.indexOf('\n')).toBe(line.length - 1);
  const record = JSON.parse(line);
  expect(Object.keys(record).slice(0, 4)).toEqual(['level', 'time', 'audit', 'request_id']);
  expect(record).toMatchObject({ audit: true, method: hostile, arguments: { password: '******', [hostile]: hostile } });
  expect(Date.parse(record.time)).toBeGreaterThan(0);
});
