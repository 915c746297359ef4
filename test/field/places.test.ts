import { expect, test } from 'vitest';
import { type Answer, CD, EJECT, FIRST, fault, type Json, type Machine, SUBSCRIPTIONS } from './machine.ts';
import { open } from './operator.ts';

// Destinations are compared as URLs, and headers (Location, ETag) may be empty or odd. What was made is recognised by what is
// sure.

/** Makes machines that keep a subscription in another form than it was sent, and take duplicates. */
const showing = (shown: (sent: Json) => Json) => ({
  behave: ({ method, path, json }: { method: string; path: string; json: Json }, the: Machine) => {
    if (method !== 'POST' || path !== SUBSCRIPTIONS) return undefined;
    const answer = the.subscribe(json);
    const [id, document] = [...the.subscriptions].at(-1)!;
    const changed = { ...document, ...shown(json) };
    for (const key of Object.keys(changed)) if (changed[key] === undefined) delete changed[key];
    the.subscriptions.set(id, changed);
    return { ...answer, body: { '@odata.id': `${SUBSCRIPTIONS}/${id}`, ...changed } };
  },
});

const SPELLINGS: readonly (readonly [string, string])[] = [
  ['https://192.0.2.10/events', 'https://192.0.2.10:443/events'],
  ['https://192.0.2.10:443/events', 'https://192.0.2.10/events'],
  ['http://192.0.2.10/events', 'http://192.0.2.10:80/events'],
  ['https://192.0.2.10/events', 'HTTPS://192.0.2.10/events'],
  ['HTTPS://LOCALHOST/events', 'https://localhost/events'],
  ['https://localhost/events', 'https://Localhost:443/events'],
  ['https://192.0.2.10', 'https://192.0.2.10/'],
  ['https://192.0.2.10/', 'https://192.0.2.10'],
  ['https://192.0.2.10', 'https://192.0.2.10:443'],
  ['https://[2001:db8::1]/events', 'https://[2001:DB8:0:0::1]:443/events'],
  ['https://[2001:db8::1]:8443/events?a=B', 'HTTPS://[2001:DB8::1]:8443/events?a=B'],
];

test.concurrent.for(SPELLINGS)(
  'if_exists returns the subscription to %s that is shown as %s',
  async ([sent, shown], context) => {
    const { machine, node } = await open(
      context,
      showing(() => ({ Destination: shown })),
    );
    const args = { Destination: sent, Context: 'mine', if_exists: 'return' };
    const ids: string[] = [];
    for (let i = 0; i < 3; i++) {
      const { status, json, told } = await node.call('create_subscription', args);
      expect({ status, told }).toEqual({ status: 200, told: '' });
      ids.push(json.Id);
    }
    expect(new Set(ids).size).toBe(1);
    expect(machine.subscriptions.size).toBe(2);
    expect(machine.sent('POST', SUBSCRIPTIONS)).toHaveLength(1);
  },
);

test.concurrent.for([
  ['https://192.0.2.10/events', 'https://192.0.2.10/Events'],
  ['https://192.0.2.10/events', 'https://192.0.2.10:8443/events'],
  ['https://192.0.2.10/events', 'http://192.0.2.10/events'],
  ['https://192.0.2.10/events?a=1', 'https://192.0.2.10/events?a=2'],
  ['https://192.0.2.10/events', 'https://192.0.2.11/events'],
])('%s is no subscription to %s', async ([wanted, held], context) => {
  const { machine, node } = await open(context);
  machine.subscriptions.set('held', { Id: 'held', Destination: held, Context: 'mine' });
  const { status, json } = await node.call('create_subscription', {
    Destination: wanted,
    Context: 'mine',
    if_exists: 'return',
  });
  expect(status).toBe(200);
  expect(json.Id).not.toBe('held');
  expect(machine.subscriptions.size).toBe(3);
});

test.concurrent('a subscription of the same destination with another Context is not returned', async (context) => {
  const { machine, node } = await open(context);
  machine.subscriptions.set('held', { Id: 'held', Destination: 'https://192.0.2.10/events', Context: 'other' });
  const args = { Destination: 'https://192.0.2.10/events', Context: 'mine', if_exists: 'return' };
  const { json } = await node.call('create_subscription', args);
  expect(json.Id).not.toBe('held');
  expect(machine.subscriptions.size).toBe(3);
});

test.concurrent.for<readonly [string, (sent: Json) => Json]>([
  ['drops the Context', () => ({ Context: undefined })],
  ['shows null as Context', () => ({ Context: null })],
  ['hides the headers', () => ({ HttpHeaders: [] })],
  [
    'hides the headers and the Context, and writes the port',
    () => ({
      HttpHeaders: null,
      Context: undefined,
      Destination: 'https://192.0.2.10:443/events',
    }),
  ],
])('if_exists makes one subscription where the machine %s', async ([, shown], context) => {
  const { machine, node } = await open(context, showing(shown));
  const HttpHeaders = [{ Authorization: 'Bearer zq-secret' }];
  const args = { Destination: 'https://192.0.2.10/events', Context: 'mine', HttpHeaders, if_exists: 'return' };
  const ids = [];
  for (let i = 0; i < 3; i++) ids.push((await node.call('create_subscription', args)).json.Id);
  expect(new Set(ids).size).toBe(1);
  expect(machine.subscriptions.size).toBe(2);
});

/** What the machine returns for a new subscription at `path`. */
const RETURNS: readonly (readonly [string, (path: string, document: Json) => Answer])[] = [
  ['an absolute Location', (path) => ({ status: 201, headers: { Location: path } })],
  ['a Location on another host', (path) => ({ status: 201, headers: { Location: `https://10.9.8.7:8443${path}` } })],
  ['a Location with a slash at its end', (path) => ({ status: 201, headers: { Location: `${path}/` } })],
  [
    'a full Location with a slash at its end',
    (path) => ({ status: 201, headers: { Location: `http://bmc.example${path}/` } }),
  ],
  [
    'a Location relative to the collection',
    (path) => ({ status: 201, headers: { Location: path.split('/').at(-1)! } }),
  ],
  [
    'a Location relative to the service',
    (path) => ({ status: 201, headers: { Location: `Subscriptions/${path.split('/').at(-1)}` } }),
  ],
  [
    'a Location relative by a dot',
    (path) => ({ status: 201, headers: { Location: `./Subscriptions/${path.split('/').at(-1)}` } }),
  ],
  ['the collection as Location', () => ({ status: 201, headers: { Location: SUBSCRIPTIONS } })],
  ['the collection with a slash as Location', () => ({ status: 201, headers: { Location: `${SUBSCRIPTIONS}/` } })],
  [
    'the full URL of the collection as Location',
    () => ({ status: 201, headers: { Location: `https://bmc.example${SUBSCRIPTIONS}` } }),
  ],
  ['an empty Location', () => ({ status: 201, headers: { Location: '' } })],
  ['a Location that is no URL', () => ({ status: 201, headers: { Location: 'http://[' } })],
  ['no Location', () => ({ status: 201 })],
  ['204 alone', () => ({ status: 204 })],
  [
    '200 with a message',
    () => ({ status: 200, body: { '@Message.ExtendedInfo': [{ MessageId: 'Base.1.8.Success' }] } }),
  ],
  ['200 with null', () => ({ status: 200, body: 'null' })],
  [
    '201 with the collection as body',
    () => ({ status: 201, body: { '@odata.id': SUBSCRIPTIONS, Name: 'Subscriptions', Members: [] } }),
  ],
  ['201 with a link alone as body', (path) => ({ status: 201, body: { '@odata.id': path } })],
  [
    '201 with an HTML body',
    (path) => ({ status: 201, headers: { Location: path, 'Content-Type': 'text/html' }, body: '<p>Made</p>' }),
  ],
];

test.concurrent.for(RETURNS)(
  'a subscription for which the machine returns %s is found',
  async ([, returned], context) => {
    const { machine, node } = await open(context, {
      behave: ({ method, path, json }, the) => {
        if (method !== 'POST' || path !== SUBSCRIPTIONS) return undefined;
        the.subscribe(json);
        const [id, document] = [...the.subscriptions].at(-1)!;
        return returned(`${SUBSCRIPTIONS}/${id}`, document);
      },
    });
    const args = { Destination: 'https://192.0.2.10/events', Context: 'mine' };
    const { status, json, told } = await node.call('create_subscription', args);
    expect({ status, told }).toEqual({ status: 200, told: '' });
    expect([...machine.subscriptions.keys()]).toEqual(['first', json.Id]);
    expect(json).toMatchObject(args);
    expect(machine.sent('POST', SUBSCRIPTIONS)).toHaveLength(1);
    expect((await node.call('get_subscription', { id: json.Id })).status).toBe(200);
  },
);

test.concurrent.for<readonly [string, Json]>([
  ['drops the Context', { Context: undefined }],
  ['writes the port', { Destination: 'https://192.0.2.10:443/events' }],
  ['writes the port and shows no Context', { Destination: 'https://192.0.2.10:443/events', Context: null }],
])('a subscription without Location is found by what is new where the machine %s', async ([, shown], context) => {
  const keep = showing(() => shown);
  const { machine, node } = await open(context, {
    behave: async (request, the) => ((await keep.behave(request, the)) === undefined ? undefined : { status: 201 }),
  });
  // Another's, to the same destination.
  machine.subscriptions.set('held', { Id: 'held', Destination: 'https://192.0.2.10/events', Context: 'other' });
  const args = { Destination: 'https://192.0.2.10/events', Context: 'mine' };
  const { status, json, told } = await node.call('create_subscription', args);
  expect({ status, told }).toEqual({ status: 200, told: '' });
  expect([...machine.subscriptions.keys()]).toEqual(['first', 'held', json.Id]);
  expect(machine.sent('POST', SUBSCRIPTIONS)).toHaveLength(1);
});

test.concurrent('a subscription without Location whose Context is changed is found, or its outcome is unknown', async (context) => {
  const keep = showing(() => ({ Context: 'bmc-3' }));
  const { machine, node } = await open(context, {
    behave: async (request, the) => ((await keep.behave(request, the)) === undefined ? undefined : { status: 201 }),
  });
  machine.subscriptions.set('held', { Id: 'held', Destination: 'https://192.0.2.10/events', Context: 'other' });
  await node.call('get_all_subscriptions');
  const args = { Destination: 'https://192.0.2.10/events', Context: 'mine' };
  const { status, json, told } = await node.call('create_subscription', args);
  if (status === 200) expect([...machine.subscriptions.keys()]).toEqual(['first', 'held', json.Id]);
  else expect(told).toMatch(/get_all_subscriptions/);
  expect(machine.sent('POST', SUBSCRIPTIONS)).toHaveLength(1);
});

test.concurrent.for<readonly [string, Json]>([
  ['shows all', {}],
  ['drops the Context', { Context: undefined }],
  ['writes the port', { Destination: 'https://192.0.2.10:443/events' }],
])(
  'two subscriptions to one destination without Location get their own ids where the machine %s',
  async ([, shown], context) => {
    const keep = showing(() => shown);
    const { machine, node } = await open(context, {
      behave: async (request, the) =>
        (await keep.behave(request, the)) === undefined
          ? undefined
          : { status: 201, headers: { Location: SUBSCRIPTIONS } },
    });
    const args = { Destination: 'https://192.0.2.10/events' };
    const first = await node.call('create_subscription', args);
    const second = await node.call('create_subscription', args);
    expect([...machine.subscriptions.keys()]).toEqual(['first', first.json.Id, second.json.Id]);
  },
);

const emptiedBy =
  (match: (value: string | undefined) => boolean, etag: string | undefined) =>
  (
    { method, path, headers }: { method: string; path: string; headers: Record<string, unknown> },
    the: Machine,
  ): Answer | undefined => {
    if (path !== CD) return undefined;
    const tag: Record<string, string> = etag === undefined ? {} : { ETag: etag };
    if (method === 'GET') return { headers: tag, body: the.cd };
    if (!match(headers['if-match'] as string | undefined)) return fault(412, 'Base.1.8.PreconditionFailed');
    the.eject();
    return { body: the.cd };
  };

test.concurrent.for<readonly [string, string | undefined, (value: string | undefined) => boolean]>([
  ['empty, and any If-Match fails', '', (value) => value === undefined],
  ['a blank, and any If-Match fails', ' ', (value) => value === undefined],
  ['absent, and any If-Match fails', undefined, (value) => value === undefined],
  ['weak, and only the strong one matches', 'W/"a1"', (value) => value === '"a1"'],
  ['quoted, and only the bare one matches', '"a1"', (value) => value === 'a1'],
  ['a bare word', 'a1', (value) => value === 'a1'],
])('a device is emptied by PATCH where its ETag is %s', async ([, etag, match], context) => {
  const { machine, node } = await open(context, {
    edit: (documents) => void delete documents.get(CD)!.Actions,
    behave: emptiedBy(match, etag),
  });
  expect(await node.eject()).toMatchObject({ state: 'JOB_STATE_SUCCEEDED', outcomes: { CD1: 'ejected' } });
  expect(machine.cd.Inserted).toBe(false);
});

test.concurrent('an empty @odata.etag is none as well', async (context) => {
  const { machine, node } = await open(context, {
    edit: (documents) => {
      const device = documents.get(CD)!;
      delete device.Actions;
      device['@odata.etag'] = '';
    },
    behave: emptiedBy((value) => value === undefined, undefined),
  });
  expect((await node.eject()).outcomes).toEqual({ CD1: 'ejected' });
  expect(machine.sent('PATCH', CD)).toHaveLength(1);
});

test.concurrent.for<readonly [string, (path: string, url: string) => string]>([
  ['a full URL', (path, url) => `${url}${path}`],
  ['a slash at its end', (path) => `${path}/`],
  ['percent-encoding', (path) => path.replace('CD1', '%43D1')],
])('an action whose target has %s is called', async ([, write], context) => {
  const { machine, node } = await open(context, {
    behave: ({ method, path }, the) => {
      const target = write(EJECT, the.url);
      if (method === 'GET' && path === CD) {
        return { body: { ...the.cd, Actions: { '#VirtualMedia.EjectMedia': { target } } } };
      }
      return method === 'POST' && target.endsWith(path) && path.includes('Eject') ? the.eject() : undefined;
    },
  });
  expect((await node.eject()).outcomes).toEqual({ CD1: 'ejected' });
  expect(machine.cd.Inserted).toBe(false);
});

test.concurrent('a subscription whose id needs percent-encoding is made, read and deleted', async (context) => {
  const id = 'a b+c%d';
  const { machine, node } = await open(context, {
    behave: ({ method, path, json }, the) => {
      if (method !== 'POST' || path !== SUBSCRIPTIONS) return undefined;
      the.subscriptions.set(id, { Id: id, ...json });
      return { status: 201, headers: { Location: `${SUBSCRIPTIONS}/${encodeURIComponent(id)}` } };
    },
  });
  const { status, json } = await node.call('create_subscription', { Destination: 'https://192.0.2.10/events' });
  expect(status).toBe(200);
  expect(json.Id).toBe(id);
  expect(machine.sent('GET', FIRST)).toHaveLength(0);
});

/** How a machine refuses a second subscription to one destination, which it shows in another spelling. */
const DUPLICATES: readonly (readonly [string, Answer])[] = [
  ['ResourceAlreadyExists', fault(400, 'iLO.2.14.ResourceAlreadyExists')],
  ['ResourceAlreadyExists under 409', fault(409, 'Base.1.8.ResourceAlreadyExists')],
  [
    'PropertyValueModified',
    fault(400, 'IDRAC.2.8.PropertyValueModified', { MessageArgs: ['https://192.0.2.10:443/events', 'Destination'] }),
  ],
];

test.concurrent.for(DUPLICATES)(
  'a second subscription that is refused by %s is the first one',
  async ([, refusal], context) => {
    const keep = showing(() => ({ Destination: 'https://192.0.2.10:443/events' }));
    const { machine, node } = await open(context, {
      behave: (request, the) =>
        request.method === 'POST' && request.path === SUBSCRIPTIONS && the.subscriptions.size > 1
          ? refusal
          : keep.behave(request, the),
    });
    const args = { Destination: 'https://192.0.2.10/events', Context: 'mine' };
    const first = await node.call('create_subscription', args);
    const refused = await node.call('create_subscription', args);
    expect(refused.status).toBe(400);
    expect(refused.told).toContain(first.json.Id);
    const again = await node.call('create_subscription', { ...args, if_exists: 'return' });
    expect(again.status).toBe(200);
    expect(again.json.Id).toBe(first.json.Id);
    expect(machine.subscriptions.size).toBe(2);
  },
);

test.concurrent('a subscription that shows only after a while is waited for', async (context) => {
  const { machine, node } = await open(context, {
    behave: ({ method, path, json }, the) => {
      if (method !== 'POST' || path !== SUBSCRIPTIONS) return undefined;
      setTimeout(() => the.subscribe(json), 700);
      return { status: 201 };
    },
  });
  const { status, json } = await node.call('create_subscription', { Destination: 'https://192.0.2.10/events' });
  expect(status).toBe(200);
  expect([...machine.subscriptions.keys()]).toEqual(['first', json.Id]);
});

test.concurrent('a 202 whose Location is the subscription itself is no failure', async (context) => {
  const { machine, node } = await open(context, {
    behave: ({ method, path, json }, the) => {
      if (method !== 'POST' || path !== SUBSCRIPTIONS) return undefined;
      return { ...the.subscribe(json), status: 202, body: undefined };
    },
  });
  const { status, json } = await node.call('create_subscription', { Destination: 'https://192.0.2.10/events' });
  expect(status).toBe(200);
  expect([...machine.subscriptions.keys()]).toEqual(['first', json.Id]);
});

test.concurrent.for<readonly [string, Json]>([
  [
    'iLO',
    {
      code: 'iLO.0.10.ExtendedInfo',
      message: 'See @Message.ExtendedInfo for more information.',
      '@Message.ExtendedInfo': [{ MessageId: 'Base.1.4.Success' }],
    },
  ],
  [
    'iLO 4',
    {
      '@Message.ExtendedInfo': [{ MessageID: 'Base.0.10.Success' }, { MessageId: 'iLO.0.10.EventSubscriptionRemoved' }],
      code: 'iLO.0.10.ExtendedInfo',
      message: 'See @Message.ExtendedInfo for more information.',
    },
  ],
  ['Base', { code: 'Base.1.8.Success', message: 'Successfully completed the request.' }],
])('a success of %s in the form of an error is a success', async ([, error], context) => {
  const { machine, node } = await open(context, {
    behave: (request, the) => {
      if (request.method === 'GET' || request.path.startsWith('/redfish/v1/SessionService')) return undefined;
      const { headers = {} } = the.usual(request);
      return { status: request.path === SUBSCRIPTIONS ? 201 : 200, headers, body: { error } };
    },
  });
  const made = await node.call('create_subscription', { Destination: 'https://192.0.2.10/events' });
  expect({ status: made.status, told: made.told }).toEqual({ status: 200, told: '' });
  const removed = await node.call('delete_subscription', { id: 'first' });
  expect({ status: removed.status, told: removed.told }).toEqual({ status: 200, told: '' });
  expect([...machine.subscriptions.keys()]).toEqual([made.json.Id]);
  expect(await node.eject()).toMatchObject({ told: '', outcomes: { CD1: 'ejected' } });
});

test.concurrent.for([
  ['an empty Image and no Inserted', { Image: '', Inserted: undefined }, false],
  ['null for both', { Image: null, Inserted: null }, false],
  ['an Image and no Inserted', { Inserted: undefined }, true],
  ['no Image, but Inserted', { Image: null, Inserted: true }, true],
  ['an Image that is left, and not Inserted', { Inserted: false }, false],
] as const)('a device that shows %s is told for what it is', async ([, shown, isInserted], context) => {
  const { machine, node } = await open(context);
  for (const [key, value] of Object.entries(shown)) {
    if (value === undefined) delete machine.cd[key];
    else machine.cd[key] = value;
  }
  expect((await node.eject()).outcomes).toEqual({ CD1: isInserted ? 'ejected' : 'empty' });
  expect(machine.sent('POST', EJECT)).toHaveLength(isInserted ? 1 : 0);
});

test.concurrent('an error under 200 is no deleted subscription', async (context) => {
  const { machine, node } = await open(context, {
    behave: ({ method }) =>
      method === 'DELETE'
        ? { body: { error: { code: 'Base.1.8.InternalError', message: 'The store is asleep' } } }
        : undefined,
  });
  const { status, told } = await node.call('delete_subscription', { id: 'first' });
  expect(machine.subscriptions.has('first')).toBe(true);
  expect(status).toBe(500);
  expect(told).toContain('The store is asleep');
});
