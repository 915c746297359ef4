import { expect, test } from 'vitest';
import { type Answer, CD, EJECT, FIRST, type Machine, type Received, ROOT, SUBSCRIPTIONS } from './machine.ts';
import { DESTINATION, type FieldNode, open } from './operator.ts';

// Redirects between paths with and without a slash, bytes outside of responses, connections that close by themselves.

async function doAll(node: FieldNode, machine: Machine): Promise<void> {
  expect((await node.call('get_subscription', { id: 'first' })).json).toMatchObject({ Id: 'first' });
  const made = await node.call('create_subscription', { Destination: DESTINATION, Context: 'mine' });
  expect({ status: made.status, told: made.told }).toEqual({ status: 200, told: '' });
  expect([...machine.subscriptions.keys()]).toEqual(['first', made.json.Id]);
  expect((await node.call('delete_subscription', { id: 'first' })).status).toBe(200);
  expect([...machine.subscriptions.keys()]).toEqual([made.json.Id]);
  expect(await node.eject()).toMatchObject({ told: '', outcomes: { CD1: 'ejected' } });
  expect(machine.cd.Inserted).toBe(false);
}

const bare = (path: string) => (path === ROOT ? path : path.replace(/(?<=.)\/$/, ''));

test.concurrent.for([301, 302, 307, 308])('%i to a slash keeps the verb and the body', async (status, context) => {
  const { machine, node } = await open(context, {
    behave: (request, the) =>
      request.path.endsWith('/')
        ? the.usual({ ...request, path: bare(request.path) })
        : { status, headers: { Location: `${request.path}/` } },
  });
  await doAll(node, machine);
  expect(machine.sent('POST', `${SUBSCRIPTIONS}/`)[0]!.json).toMatchObject({
    Destination: DESTINATION,
    Context: 'mine',
  });
});

test.concurrent('redirects by full URLs of the same machine are followed', async (context) => {
  const { machine, node } = await open(context, {
    behave: (request, the) =>
      request.path.endsWith('/')
        ? the.usual({ ...request, path: bare(request.path) })
        : { status: 308, headers: { Location: `${the.url}${request.path}/` } },
  });
  await doAll(node, machine);
});

test.concurrent('redirects away from a slash are followed, of the root as well', async (context) => {
  const { machine, node } = await open(context, {
    behave: (request, the) =>
      request.path.endsWith('/')
        ? { status: 301, headers: { Location: request.path.slice(0, -1) } }
        : the.usual({ ...request, path: request.path === '/redfish/v1' ? ROOT : request.path }),
  });
  await doAll(node, machine);
});

test.concurrent('a redirect to another machine gets no credentials', async (context) => {
  const other = await open(context);
  const { machine, node } = await open(context, {
    behave: ({ path }) =>
      path === FIRST ? { status: 307, headers: { Location: `${other.machine.url}${FIRST}` } } : undefined,
  });
  const { status, told } = await node.call('get_subscription', { id: 'first' });
  expect(status).toBe(500);
  expect(told).toContain(other.machine.url);
  expect(other.machine.log).toEqual([]);
  expect(machine.sent('GET', FIRST)).toHaveLength(1);
});

test.concurrent('a redirect in a loop ends', async (context) => {
  const { machine, node } = await open(context, {
    behave: ({ path }) =>
      bare(path) === FIRST
        ? { status: 301, headers: { Location: path.endsWith('/') ? FIRST : `${FIRST}/` } }
        : undefined,
  });
  expect((await node.call('get_subscription', { id: 'first' })).status).toBe(500);
  expect(machine.sent('GET', /first/).length).toBeLessThanOrEqual(10);
});

const FORGED = 'HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 15\r\n\r\n{"Id":"forged"}';

test.concurrent.for([
  ['blank lines', '\r\n\r\n'],
  ['a comment', '\r\n\r\n<!-- rest -->'],
  ['zeros', '\0\0\0\0'],
  ['a tail of JSON', '}}'],
  ['a chunk that ends nothing', '0\r\n\r\n'],
  ['a whole other response', FORGED],
] as const)('%s after each response spoil no call', async ([, more], context) => {
  const { machine, node } = await open(context, {
    behave: (request, the) => ({ ...the.usual(request), more }),
  });
  for (let i = 0; i < 5; i++) {
    const { status, json } = await node.call('get_subscription', { id: 'first' });
    expect(status).toBe(200);
    expect(json.Id).toBe('first');
  }
  await doAll(node, machine);
});

/** Serves a request as usual, and sends the response in bytes of its own. */
const inBytes =
  (write: (status: number, headers: string, body: string) => string) =>
  (request: Received, the: Machine): Answer => {
    const { status = 200, headers = {}, body } = the.usual(request);
    const text = body === undefined ? '' : JSON.stringify(body);
    const lines = Object.entries({ 'Content-Type': 'application/json', ...headers }).map(
      ([name, value]) => `${name}: ${value}\r\n`,
    );
    return { raw: write(status, lines.join(''), text) };
  };

test.concurrent.for<readonly [string, Parameters<typeof inBytes>[0]]>([
  ['ends with the connection', (status, headers, body) => `HTTP/1.1 ${status} X\r\n${headers}\r\n${body}`],
  ['is HTTP/1.0', (status, headers, body) => `HTTP/1.0 ${status} OK\r\n${headers}\r\n${body}`],
  [
    'has no reason',
    (status, headers, body) =>
      `HTTP/1.1 ${status} \r\n${headers}Content-Length: ${Buffer.byteLength(body)}\r\nConnection: close\r\n\r\n${body}`,
  ],
  [
    'has more bytes than announced, then closes',
    (status, headers, body) =>
      `HTTP/1.1 ${status} OK\r\n${headers}Content-Length: ${Buffer.byteLength(body)}\r\nConnection: close\r\n\r\n${body}\r\n\r\n`,
  ],
  [
    'says close',
    (status, headers, body) =>
      `HTTP/1.1 ${status} OK\r\n${headers}Content-Length: ${Buffer.byteLength(body)}\r\nConnection: close\r\n\r\n${body}`,
  ],
])('all methods work where each response %s', async ([, write], context) => {
  const { machine, node } = await open(context, { behave: inBytes(write) });
  await doAll(node, machine);
});

test.concurrent.for([
  // A request that is sent while the connection closes has no known outcome, so that the calls keep clear of that moment.
  [0, 40],
  [5, 45],
  [20, 60],
  [2000, 0],
] as const)(
  'connections closed silently %i ms after each response lose nothing',
  async ([closeAfter, wait], context) => {
    const { machine, node } = await open(context, {
      // The first contact is several requests in a row.
      behave: (request, the) => (the.log.length < 8 ? undefined : { ...the.usual(request), closeAfter }),
    });
    expect((await node.call('get_all_subscriptions')).status).toBe(200);
    while (machine.log.length < 8) await node.call('get_all_subscriptions');
    const pause = () => new Promise((resolve) => setTimeout(resolve, wait));
    for (let i = 0; i < 8; i++) {
      await pause();
      const made = await node.call('create_subscription', { Destination: `${DESTINATION}/${i}` });
      expect({ status: made.status, told: made.told }).toEqual({ status: 200, told: '' });
      await pause();
      expect((await node.call('delete_subscription', { id: made.json.Id })).status).toBe(200);
    }
    expect(machine.subscriptions.size).toBe(1);
    expect(machine.sent('POST', SUBSCRIPTIONS)).toHaveLength(8);
  },
);

test.concurrent.for<readonly [string, Answer]>([
  ['cut off', { raw: 'HTTP/1.1 201 Created\r\nContent-Type: application/json\r\nContent-Length: 900\r\n\r\n{"Id":' }],
  ['reset', { raw: 'HTTP/1.1 201 Created\r\nTransfer-Encoding: chunked\r\n\r\n', end: 'reset' }],
  ['closed without a word', { raw: '' }],
  ['reset without a word', { raw: '', end: 'reset' }],
])('a subscription whose response is %s is made once, and what is told is true', async ([, cut], context) => {
  const { machine, node } = await open(context, {
    behave: ({ method, path, json, nth }, the) => {
      if (method !== 'POST' || path !== SUBSCRIPTIONS || nth > 1) return undefined;
      the.subscribe(json);
      return cut;
    },
  });
  const args = { Destination: DESTINATION, Context: 'mine' };
  const { status, json, told } = await node.call('create_subscription', args);
  const id = [...machine.subscriptions.keys()].at(-1)!;
  if (status === 200) expect(json.Id).toBe(id);
  else expect(told).toContain(id);
  expect(machine.sent('POST', SUBSCRIPTIONS)).toHaveLength(1);
  const again = await node.call('create_subscription', { ...args, if_exists: 'return' });
  expect(again.json.Id).toBe(id);
  expect(machine.subscriptions.size).toBe(2);
});

test.concurrent.for<readonly [string, Answer]>([
  ['cut off', { raw: 'HTTP/1.1 200 OK\r\nContent-Length: 900\r\n\r\n{' }],
  ['closed without a word', { raw: '' }],
  ['reset without a word', { raw: '', end: 'reset' }],
])('an eject whose response is %s is sent once, and the empty device is ejected', async ([, cut], context) => {
  const { machine, node } = await open(context, {
    behave: ({ method, path }, the) => {
      if (method !== 'POST' || path !== EJECT) return undefined;
      the.eject();
      return cut;
    },
  });
  expect((await node.eject()).outcomes).toEqual({ CD1: 'ejected' });
  expect(machine.sent('POST', EJECT)).toHaveLength(1);
  expect(machine.documents.get(CD)!.Inserted).toBe(false);
});
