import { expect, test } from 'vitest';
import { CallSecrets } from '../../src/core/calls/callSecrets.ts';
import { createServiceLog } from '../../src/observe/log.ts';

/** Returns the parsed lines that a log of `level` writes for the calls in `write`. */
function logged(level: string, write: (log: ReturnType<typeof createServiceLog>) => void): Record<string, unknown>[] {
  const lines: string[] = [];
  write(createServiceLog(level, { write: (line) => void lines.push(line) }));
  return lines.map((line) => JSON.parse(line));
}

test('masks a secret at any depth', () => {
  const error = Object.assign(new Error('refused'), {
    token: 'hunter2',
    request: { headers: { Authorization: 'hunter2' } },
  });
  const [line] = logged('info', (log) =>
    log.info(
      { node: 'rf-1', driver_info: { redfish_password: 'hunter2', list: [{ api_key: 'hunter2' }] }, err: error },
      'x',
    ),
  );
  expect(line).toMatchObject({
    level: 'info',
    msg: 'x',
    node: 'rf-1',
    driver_info: { redfish_password: '******', list: [{ api_key: '******' }] },
    err: { type: 'Error', message: 'refused', token: '******', request: { headers: { Authorization: '******' } } },
  });
  expect(JSON.stringify(line)).not.toContain('hunter2');
  expect(line!.err).toHaveProperty('stack');
});

/** What a driver in JavaScript may log. */
const throwing = new Proxy(
  {},
  {
    get() {
      throw new Error('get');
    },
    ownKeys() {
      throw new Error('keys');
    },
  },
);
const circular: Record<string, unknown> = {};
circular.self = circular;

test.each<[what: string, fields: unknown, message: unknown]>([
  ['null', null, 'm'],
  ['undefined', undefined, 'm'],
  ['a message in place of the fields', 'only a message', undefined],
  ['fields without a message', { a: 1 }, undefined],
  ['an object as the message', {}, { token: 'hunter2' }],
  ['a symbol as the message', {}, Symbol('m')],
  ['fields that cannot be read', throwing, 'm'],
  ['circular fields', circular, 'm'],
  ['a BigInt', { a: 1n }, 'm'],
  ['a toJSON that throws', { a: { toJSON: () => throwing.toString() } }, 'm'],
  ['a function', () => 1, 'm'],
])('logging %s does not fail the call, and writes one line', (_what, fields, message) => {
  for (const secrets of [[], [{ password: 'hunter2' }]]) {
    const lines = logged('info', (log) => new CallSecrets(secrets).log(log).info(fields as object, message as string));
    expect(lines).toHaveLength(1);
    expect(lines[0]).toMatchObject({ level: 'info' });
    if (secrets.length > 0) expect(JSON.stringify(lines)).not.toContain('hunter2');
  }
});

test('masks secrets in texts of known forms', () => {
  const err = new Error('postgres://u:hunter2@h/db said {"token":"hunter2"}', { cause: new Error('Bearer hunter2') });
  const [line] = logged('info', (log) =>
    log.info({ err, url: 'https://u:hunter2@bmc/', list: ['password=hunter2'] }, 'x'),
  );
  expect(line).toMatchObject({ url: 'https://******@bmc/', list: ['password=******'] });
  expect(JSON.stringify(line)).not.toContain('hunter2');
});

test('cuts circular values', () => {
  const circle: Record<string, unknown> = {};
  circle.self = circle;
  expect(logged('info', (log) => log.info({ circle }, 'x'))).toHaveLength(1);
});

test('writes its level and above, with times in ISO 8601', () => {
  const lines = logged('warn', (log) => {
    log.info({}, 'no');
    log.warn({}, 'yes');
  });
  expect(lines).toEqual([{ level: 'warn', time: expect.stringMatching(/^\d{4}-\d\d-\d\dT[\d:.]+Z$/), msg: 'yes' }]);
});

test('logging a value with a throwing getter does not throw', () => {
  const thrown = {
    get member() {
      throw new Error('no');
    },
  };
  expect(logged('info', (log) => log.error({ err: thrown, job: 'j' }, 'x'))).toEqual([
    expect.objectContaining({ err: '…', job: 'j', msg: 'x' }),
  ]);
});
