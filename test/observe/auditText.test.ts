import { describe, expect, test } from 'vitest';
import { type AuditRecord, auditRecord } from '../../src/observe/auditRecord.ts';
import { auditMembers } from '../../src/observe/auditText.ts';

const RECORD: AuditRecord = {
  ...auditRecord({ action: 'call a method', caller: { name: 'alice', role: 'operator' }, outcome: 'result' }),
  request_id: 'req-00000000-0000-4000-8000-000000000000',
  way: 'rest',
  peer: '192.0.2.1',
};

/** Texts that JSON escapes, or might. */
const TEXTS = [
  '',
  'plain text, with {"braces"}',
  'quote " and backslash \\ and \\"',
  'line\nfeed, return\r, tab\t, \b, \f',
  '\u0000\u0001\u001f\u007f\u0080\u2028\u2029',
  'Knoten äöü 节点 🖥',
  'half of a pair \ud83d',
  '\udda5 the other half',
  "</script>'&",
];

describe('the text of an audit record', () => {
  test.each(TEXTS)('is that of JSON for the text %j in each member', (text) => {
    for (const member of ['peer', 'caller', 'method', 'http_method', 'node', 'node_name', 'driver', 'job'] as const) {
      expectSame({ ...RECORD, [member]: text });
    }
    expectSame({ ...RECORD, arguments: { [text]: text, more: [text, null, 1e21, -0.5, true, { [text]: [] }] } });
  });

  test('is that of JSON for each character up to the surrogates', () => {
    for (let code = 0; code < 0xd900; code++) {
      const node = String.fromCharCode(code);
      const written = auditMembers({ ...RECORD, node });
      if (!written.includes(`"node":${JSON.stringify(node)},`)) expect.fail(`U+${code.toString(16)}: ${written}`);
    }
  });

  test('is that of JSON for members that are null, and for a summary', () => {
    expectSame(auditRecord({ action: null, caller: null, outcome: 'unauthenticated' }));
    expectSame({ ...RECORD, outcome: 'permission_denied', duration_ms: 0.001, more: 12_345 });
    expectSame({ ...RECORD, duration_ms: 1e-7 });
  });
});

function expectSame(record: AuditRecord): void {
  expect(`{${auditMembers(record)}}`).toBe(JSON.stringify(record));
}
