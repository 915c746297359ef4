import { expect, test } from 'vitest';
import {
  type Answer,
  CD,
  EJECT,
  FIRST,
  fault,
  IMAGE,
  type Json,
  link,
  MANAGER,
  MEDIA,
  members,
  missing,
  ROOT,
  SUBSCRIPTIONS,
  SYSTEM,
} from './machine.ts';
import { DESTINATION, open, rest } from './operator.ts';

// A collection is read member by member; parts of a machine sleep or are closed to the account. What can be read is used,
// what could not is told.

const UNREADABLE: readonly (readonly [string, Answer])[] = [
  ['403', fault(403, 'Base.1.8.InsufficientPrivilege')],
  ['404', missing()],
  ['500', { status: 500, body: '<html>oops</html>', headers: { 'Content-Type': 'text/html' } }],
  ['503', { status: 503, body: 'Service unavailable', headers: { 'Content-Type': 'text/plain' } }],
  ['a 200 that carries an error', { body: { error: { code: 'Base.1.8.InternalError', message: 'asleep' } } }],
];

const USB = `${MEDIA}/USB1`;
const twoDevices = (documents: Map<string, Json>) => {
  documents.set(MEDIA, members(USB, CD));
  documents.set(USB, { Id: 'USB1', MediaTypes: ['USBStick'], Image: null, Inserted: false });
};

test.concurrent.for(UNREADABLE)(
  'a device that cannot be read (%s) does not hide the other one',
  async ([name, failure], context) => {
    const { machine, node } = await open(context, {
      edit: twoDevices,
      behave: ({ method, path }) => (method === 'GET' && path === USB ? failure : undefined),
    });
    const job = await node.eject();
    expect(machine.cd.Inserted).toBe(false);
    expect(machine.sent('POST', EJECT)).toHaveLength(1);
    // A device that does not exist matters to nobody.
    if (name !== '404') expect(JSON.stringify(job.job)).toContain('USB1');
  },
);

const HGX = '/redfish/v1/Managers/HGX_BMC_0';

test.concurrent.for(UNREADABLE)(
  'a second manager that cannot be read (%s) does not hide the media of the first',
  async ([, failure], context) => {
    const { machine, node } = await open(context, {
      edit: (documents) => {
        documents.set('/redfish/v1/Managers', members(HGX, MANAGER));
        documents.get(SYSTEM)!.Links = { ManagedBy: [link(HGX), link(MANAGER)] };
      },
      behave: ({ path }) => (path.startsWith(HGX) ? failure : undefined),
    });
    expect(await node.eject()).toMatchObject({ state: 'JOB_STATE_SUCCEEDED', outcomes: { CD1: 'ejected' } });
    expect(machine.cd.Inserted).toBe(false);
  },
);

test.concurrent.for(UNREADABLE)(
  'managers that the system does not link to are read one by one (%s)',
  async ([, failure], context) => {
    const { machine, node } = await open(context, {
      edit: (documents) => {
        documents.set('/redfish/v1/Managers', members(HGX, MANAGER));
        documents.get(SYSTEM)!.Links = {};
      },
      behave: ({ path }) => (path.startsWith(HGX) ? failure : undefined),
    });
    // What could not be read may be named beside it.
    expect((await node.eject()).outcomes).toMatchObject({ CD1: 'ejected' });
    expect(machine.cd.Inserted).toBe(false);
  },
);

const BASEBOARD = '/redfish/v1/Systems/HGX_Baseboard_0';

test.concurrent.for(UNREADABLE)(
  'discover describes the systems that can be read beside one that cannot (%s)',
  async ([, failure], context) => {
    const { machine } = await open(context, {
      edit: (documents) => documents.set('/redfish/v1/Systems', members(BASEBOARD, SYSTEM)),
      behave: ({ path }) => (path.startsWith(BASEBOARD) ? failure : undefined),
    });
    const { status, json } = await discover(machine.url);
    expect(status).toBe(200);
    const described = json.systems.filter(({ system_id }: Json) => system_id === SYSTEM);
    expect(described).toMatchObject([{ model: 'M1', firmware: '7.1', virtual_media: true }]);
  },
);

const discover = (address: string) =>
  rest('POST', '/v1/drivers/redfish/vendor_passthru?method=discover', { address, username: 'u', password: 'p' });

const PARTS_CLOSED = [
  ['the event service', '/redfish/v1/EventService'],
  ['the virtual media', MEDIA],
  ['the managers', '/redfish/v1/Managers'],
].flatMap(([name, place]) => UNREADABLE.map(([status, failure]) => [name!, status, place!, failure] as const));

test.concurrent.for(PARTS_CLOSED)(
  'discover describes a machine where %s cannot be read (%s)',
  async ([, , place, failure], context) => {
    const { machine } = await open(context, { behave: ({ path }) => (path.startsWith(place) ? failure : undefined) });
    const { status, json } = await discover(machine.url);
    expect(status).toBe(200);
    expect(json.systems).toMatchObject([{ system_id: SYSTEM, model: 'M1', serial_number: 'SN1' }]);
  },
);

test.concurrent.for(UNREADABLE.slice(0, 4))(
  'an eject fails with the words of the machine where no device can be read (%s)',
  async ([name, failure], context) => {
    const { machine, node } = await open(context, { behave: ({ path }) => (path === CD ? failure : undefined) });
    const job = await node.eject();
    expect(machine.changes).toEqual([]);
    if (name === '404') return;
    expect(job.state).toBe('JOB_STATE_FAILED');
    expect(job.told).not.toBe('');
  },
);

test.concurrent('system and manager both have media, and those of the system sleep', async (context) => {
  const other = `${SYSTEM}/VirtualMedia`;
  const { machine, node } = await open(context, {
    edit: (documents) => {
      documents.get(SYSTEM)!.VirtualMedia = link(other);
    },
    behave: ({ path }) => (path.startsWith(other) ? fault(503, 'Base.1.8.ServiceInUnknownState') : undefined),
  });
  const job = await node.eject();
  expect(machine.cd.Inserted).toBe(false);
  expect(JSON.stringify(job.job)).toContain('CD1');
});

test.concurrent.for<readonly [string, unknown]>([
  ['null', null],
  ['no link', {}],
  ['an empty link', { '@odata.id': '' }],
  ['a link that is null', { '@odata.id': null }],
  ['a text', 'x'],
  ['a list', []],
])('a member that is %s is left out', async ([, member], context) => {
  const { machine, node } = await open(context, {
    edit: (documents) => {
      for (const path of [MEDIA, '/redfish/v1/Systems', '/redfish/v1/Managers']) {
        documents.set(path, { Members: [member, ...(documents.get(path)!.Members as unknown[])] });
      }
    },
    behave: ({ method, path }, the) =>
      method === 'GET' && path === SUBSCRIPTIONS
        ? { body: { ...the.collection(), Members: [member, link(FIRST)] } }
        : undefined,
  });
  const { status, json } = await node.call('get_all_subscriptions');
  expect(status).toBe(200);
  expect(json.Members).toEqual([link(FIRST)]);
  expect((await node.eject()).outcomes).toMatchObject({ CD1: 'ejected' });
  expect(machine.cd.Inserted).toBe(false);
});

/** Members that carry more than their link, but not all. */
const PARTS: readonly (readonly [string, Json])[] = [
  ['its Id', { Id: 'CD1' }],
  ['its name and type', { '@odata.type': '#VirtualMedia.v1_3_0.VirtualMedia', Id: 'CD1', Name: 'Virtual CD' }],
  ['its media types', { Id: 'CD1', MediaTypes: ['CD'] }],
  ['that it is inserted', { Id: 'CD1', Inserted: true, Image: IMAGE }],
  ['its image', { Id: 'CD1', Image: IMAGE }],
  ['actions without a target', { Id: 'CD1', Inserted: true, Actions: { '#VirtualMedia.EjectMedia': {} } }],
  ['a status', { Id: 'CD1', Status: { State: 'Enabled' } }],
];

test.concurrent.for(PARTS)(
  'a device of which the collection shows %s is read itself and ejected by its action',
  async ([, part], context) => {
    const { machine, node } = await open(context, {
      behave: ({ method, path }) =>
        method === 'GET' && path === MEDIA
          ? { body: { Members: [{ ...link(CD), ...part }], 'Members@odata.count': 1 } }
          : undefined,
    });
    expect(await node.eject()).toMatchObject({ state: 'JOB_STATE_SUCCEEDED', outcomes: { CD1: 'ejected' } });
    expect(machine.changes).toEqual([`POST ${EJECT}`]);
    expect(await node.eject({ boot_device: 'cd' })).toMatchObject({
      state: 'JOB_STATE_SUCCEEDED',
      outcomes: { CD1: 'empty' },
    });
  },
);

test.concurrent.for<readonly [string, Json]>([
  ['an Id', { Id: 'made' }],
  ['a name', { Name: 'Subscription' }],
  ['a Context', { Id: 'made', Context: 'mine' }],
  ['a Destination without Context', { Id: 'made', Destination: DESTINATION }],
])('if_exists reads subscriptions of which the collection shows %s', async ([, part], context) => {
  const { machine, node } = await open(context, {
    behave: ({ method, path }, the) =>
      method === 'GET' && path === SUBSCRIPTIONS
        ? {
            body: {
              Members: [...the.subscriptions.keys()].map((id) => ({
                ...link(`${SUBSCRIPTIONS}/${id}`),
                ...(id === 'made' ? part : {}),
              })),
            },
          }
        : undefined,
  });
  machine.subscriptions.set('made', { Id: 'made', Destination: DESTINATION, Context: 'mine' });
  const args = { Destination: DESTINATION, Context: 'mine', if_exists: 'return' };
  const { status, json } = await node.call('create_subscription', args);
  expect(status).toBe(200);
  expect(json.Id).toBe('made');
  expect(machine.sent('POST', SUBSCRIPTIONS)).toHaveLength(0);
});

/** A 200 that is no collection. */
const NO_COLLECTION: readonly (readonly [string, unknown])[] = [
  ['no Members', { '@odata.id': SUBSCRIPTIONS, Name: 'Subscriptions' }],
  ['an error', { error: { code: 'Base.1.8.InternalError', message: 'The store is asleep' } }],
  [
    'an error beside empty Members',
    { Members: [], error: { code: 'Base.1.8.InternalError', message: 'The store is asleep' } },
  ],
  ['an error of one text', { error: 'The store is asleep' }],
  ['nothing', {}],
];

test.concurrent.for(NO_COLLECTION)(
  'a 200 with %s is no empty collection of subscriptions',
  async ([, body], context) => {
    const { machine, node } = await open(context, {
      behave: ({ method, path }) => (method === 'GET' && path === SUBSCRIPTIONS ? { body } : undefined),
    });
    const all = await node.call('get_all_subscriptions');
    expect(all.status).toBe(500);
    expect(all.told).not.toBe('');
    if (JSON.stringify(body).includes('asleep')) expect(all.told).toContain('The store is asleep');
    const made = await node.call('create_subscription', { Destination: DESTINATION, if_exists: 'return' });
    expect(made.status).toBe(500);
    expect(machine.changes).toEqual([]);
  },
);

test.concurrent.for(NO_COLLECTION)('a 200 with %s is no empty collection of media', async ([, body], context) => {
  const { machine, node } = await open(context, {
    behave: ({ method, path }) => (method === 'GET' && path === MEDIA ? { body } : undefined),
  });
  const job = await node.eject();
  expect(job.state).toBe('JOB_STATE_FAILED');
  if (JSON.stringify(body).includes('asleep')) expect(job.told).toContain('The store is asleep');
  expect(machine.changes).toEqual([]);
});

test.concurrent('an empty collection of media is nothing to eject, which is a success', async (context) => {
  const { node } = await open(context, { edit: (documents) => documents.set(MEDIA, members()) });
  expect(await node.eject()).toMatchObject({ status: 202, state: 'JOB_STATE_SUCCEEDED', outcomes: {} });
});

test.concurrent('no virtual media anywhere is told', async (context) => {
  const { node } = await open(context, {
    edit: (documents) => {
      delete documents.get(MANAGER)!.VirtualMedia;
      documents.delete(MEDIA);
    },
  });
  const job = await node.eject();
  expect(job.state).toBe('JOB_STATE_FAILED');
  expect(job.told).toMatch(/virtual media/);
});

test.concurrent.for(UNREADABLE.slice(0, 4))(
  'a subscription that cannot be read (%s) does not hide the one that exists',
  async ([, failure], context) => {
    const { machine, node } = await open(context, {
      behave: ({ method, path }) => (method === 'GET' && path === FIRST ? failure : undefined),
    });
    machine.subscriptions.set('mine', { Id: 'mine', Destination: DESTINATION, Context: 'mine' });
    const args = { Destination: DESTINATION, Context: 'mine', if_exists: 'return' };
    const { status, json } = await node.call('create_subscription', args);
    expect(status).toBe(200);
    expect(json.Id).toBe('mine');
    expect((await node.call('get_all_subscriptions')).json.Members).toHaveLength(2);
  },
);

test.concurrent.for(UNREADABLE.slice(0, 4))(
  'a new subscription without Location is found beside one that cannot be read (%s)',
  async ([, failure], context) => {
    const { machine, node } = await open(context, {
      behave: ({ method, path, json }, the) => {
        if (method === 'GET' && path === FIRST) return failure;
        if (method !== 'POST' || path !== SUBSCRIPTIONS) return undefined;
        the.subscribe(json);
        return { status: 201 };
      },
    });
    const { status, json } = await node.call('create_subscription', { Destination: DESTINATION, Context: 'mine' });
    expect(status).toBe(200);
    expect([...machine.subscriptions.keys()]).toEqual(['first', json.Id]);
  },
);

test.concurrent('an empty next page ends a collection', async (context) => {
  const { node } = await open(context, {
    behave: ({ method, path }, the) =>
      method === 'GET' && path === SUBSCRIPTIONS
        ? { body: { ...the.collection(), 'Members@odata.nextLink': '' } }
        : undefined,
  });
  expect((await node.call('get_all_subscriptions')).json.Members).toEqual([link(FIRST)]);
});

test.concurrent('a system without usable links to managers uses those of the root', async (context) => {
  const { machine, node } = await open(context, {
    edit: (documents) => {
      documents.get(SYSTEM)!.Links = { ManagedBy: [{}, { '@odata.id': '' }, null] };
      documents.get(ROOT)!.Managers = link('/redfish/v1/Managers');
    },
  });
  expect((await node.eject()).outcomes).toEqual({ CD1: 'ejected' });
  expect(machine.cd.Inserted).toBe(false);
});

test.concurrent('a member on another host is not asked for, and hides no other', async (context) => {
  const foreign = await open(context);
  const { machine, node } = await open(context, {
    edit: (documents) => documents.set(MEDIA, members(`${foreign.machine.url}${CD}`, CD)),
  });
  await node.eject();
  expect(machine.cd.Inserted).toBe(false);
  expect(foreign.machine.log).toEqual([]);
});

test.concurrent('a member that is listed twice is one', async (context) => {
  const { machine, node } = await open(context, {
    edit: (documents) => documents.set(MEDIA, members(CD, `${CD}/`, CD)),
  });
  expect((await node.eject()).outcomes).toEqual({ CD1: 'ejected' });
  expect(machine.sent('POST', EJECT)).toHaveLength(1);
});

test.concurrent('a page of media that cannot be read does not hide those of the first page', async (context) => {
  const next = `${MEDIA}?$skip=1`;
  const { machine, node } = await open(context, {
    behave: ({ path }) => {
      if (path === MEDIA) return { body: { Members: [link(CD)], 'Members@odata.nextLink': next } };
      return path === next ? { status: 500 } : undefined;
    },
  });
  const job = await node.eject();
  expect(machine.cd.Inserted).toBe(false);
  // What could not be read is told.
  expect(JSON.stringify(job.job)).toMatch(/skip=1|500/);
});

test.concurrent('if_exists makes no second subscription while a page cannot be read', async (context) => {
  const next = `${SUBSCRIPTIONS}?$skip=1`;
  const { machine, node } = await open(context, {
    behave: ({ method, path }) => {
      if (method !== 'GET') return undefined;
      if (path === SUBSCRIPTIONS) return { body: { Members: [link(FIRST)], 'Members@odata.nextLink': next } };
      return path === next ? { status: 500 } : undefined;
    },
  });
  machine.subscriptions.set('mine', { Id: 'mine', Destination: DESTINATION, Context: '' });
  expect((await node.call('create_subscription', { Destination: DESTINATION, if_exists: 'return' })).status).toBe(500);
  expect(machine.changes).toEqual([]);
  // One that the first page shows is enough.
  const first = { Destination: 'https://192.0.2.1/first', Context: 'kept', if_exists: 'return' };
  const { status, json } = await node.call('create_subscription', first);
  if (status === 200) expect(json.Id).toBe('first');
  expect(machine.changes).toEqual([]);
});

test.concurrent.for(UNREADABLE.slice(0, 4).filter(([name]) => name !== '404'))(
  'if_exists makes no second subscription while the one that exists cannot be read (%s)',
  async ([, failure], context) => {
    const { machine, node } = await open(context, {
      behave: ({ method, path }) => (method === 'GET' && path === `${SUBSCRIPTIONS}/mine` ? failure : undefined),
    });
    machine.subscriptions.set('mine', { Id: 'mine', Destination: DESTINATION, Context: 'mine' });
    const args = { Destination: DESTINATION, Context: 'mine', if_exists: 'return' };
    const { status, told } = await node.call('create_subscription', args);
    expect(status).toBe(500);
    expect(told).not.toBe('');
    expect(machine.subscriptions.size).toBe(2);
  },
);

test.concurrent('a 200 that carries an error is no subscription', async (context) => {
  const { node } = await open(context, {
    behave: ({ path }) =>
      path === FIRST ? { body: { error: { code: 'x', message: 'The store is asleep' } } } : undefined,
  });
  const { status, told } = await node.call('get_subscription', { id: 'first' });
  expect(status).toBe(500);
  expect(told).toContain('The store is asleep');
});

test.concurrent.for(UNREADABLE.slice(0, 4))(
  'subscriptions are listed though the event service cannot be read (%s)',
  async ([name, failure], context) => {
    const { node } = await open(context, {
      behave: ({ path }) => (path === '/redfish/v1/EventService' ? failure : undefined),
    });
    const { status, told, json } = await node.call('get_all_subscriptions');
    // Without the service, no collection is looked for.
    if (name === '404' && status !== 200) expect(told).not.toBe('');
    else expect({ status, told, Members: json.Members }).toEqual({ status: 200, told: '', Members: [link(FIRST)] });
  },
);

const device = (path: string, type: string) => ({
  Id: path.split('/').at(-1),
  MediaTypes: [type],
  Image: IMAGE,
  Inserted: true,
  Actions: { '#VirtualMedia.EjectMedia': { target: `${path}/Actions/VirtualMedia.EjectMedia` } },
});

test.concurrent.for<readonly [string, string, string]>([
  ['under the system and its manager', `${SYSTEM}/VirtualMedia`, `${SYSTEM}/VirtualMedia/Slot1`],
  ['under two managers', '/redfish/v1/Managers/2/VirtualMedia', '/redfish/v1/Managers/2/VirtualMedia/Slot1'],
])('devices that differ %s are all ejected', async ([, collection, path], context) => {
  const { machine, node } = await open(context, {
    edit: (documents) => {
      documents.set(collection, members(path));
      documents.set(path, device(path, 'USBStick'));
      if (collection.startsWith(SYSTEM)) documents.get(SYSTEM)!.VirtualMedia = link(collection);
      else {
        documents.set('/redfish/v1/Managers/2', { Id: '2', VirtualMedia: link(collection) });
        documents.get(SYSTEM)!.Links = { ManagedBy: [link(MANAGER), link('/redfish/v1/Managers/2')] };
      }
    },
  });
  expect(await node.eject()).toMatchObject({
    state: 'JOB_STATE_SUCCEEDED',
    outcomes: { CD1: 'ejected', Slot1: 'ejected' },
  });
  expect([machine.cd.Inserted, machine.documents.get(path)!.Inserted]).toEqual([false, false]);
});

test.concurrent.for([
  ['cd', 'CD1'],
  ['usb', 'Slot1'],
])('%s is found where system and manager have different devices', async ([type, id], context) => {
  const path = `${SYSTEM}/VirtualMedia/Slot1`;
  const { machine, node } = await open(context, {
    edit: (documents) => {
      documents.set(`${SYSTEM}/VirtualMedia`, members(path));
      documents.set(path, device(path, 'USBStick'));
      documents.get(SYSTEM)!.VirtualMedia = link(`${SYSTEM}/VirtualMedia`);
    },
  });
  expect((await node.eject({ boot_device: type })).outcomes).toEqual({ [id!]: 'ejected' });
  expect(machine.cd.Inserted).toBe(type !== 'cd');
  expect(machine.documents.get(path)!.Inserted).toBe(type !== 'usb');
});
