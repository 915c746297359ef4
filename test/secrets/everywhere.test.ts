import { readdirSync } from 'node:fs';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { inflateRawSync } from 'node:zlib';
import { create, toBinary } from '@bufbuild/protobuf';
import { Client, credentials, Metadata } from '@grpc/grpc-js';
import { afterAll, beforeAll, describe, expect, test, vi } from 'vitest';
import { GetNodeRequestSchema } from '../../gen/passthru/v1/node_pb.ts';
import { CallNodeMethodRequestSchema, WatchJobRequestSchema } from '../../gen/passthru/v1/passthru_pb.ts';
import { attributeDigest } from '../../src/store/rows.ts';
import { passthru } from '../cli/run.ts';
import { type MarkedService, startMarkedService } from './markedService.ts';
import { found, MARKERS, searchFor, USER } from './markers.ts';
import { RecordingClient } from './recordingClient.ts';

// Each service is a process, which is slow to start on a busy machine.
vi.setConfig({ testTimeout: 120_000, hookTimeout: 60_000 });

let marked: MarkedService;
let client: RecordingClient;
let { send, call, rpc, grpc } = {} as RecordingClient;

beforeAll(async () => {
  marked = await startMarkedService();
  client = new RecordingClient(marked.served.url);
  ({ send, call, rpc, grpc } = client);
});
afterAll(() => marked[Symbol.asyncDispose]());

test('the search finds a marked secret', () => {
  expect(found(`x ${MARKERS.leaky} y`)).toEqual([expect.stringMatching(/^leaky \(plain\)/)]);
  expect(found(JSON.stringify({ x: MARKERS.leaky }))).toEqual([expect.stringMatching(/^leaky \(json\)/)]);
  expect(found(Buffer.from(MARKERS.bearer).toString('base64'))).toEqual([expect.stringMatching(/^bearer \(base64\)/)]);
});

test('calls a driver that quotes its password in every error, report and log line', async () => {
  for (const name of ['throws', 'throws_text', 'throws_several', 'refuses', 'quotes_arguments', 'talks', 'strays']) {
    const args = { api_key: MARKERS.argument, HttpHeaders: [{ 'X-Any': MARKERS.header }] };
    const { status } = await call('leaky', name, args);
    expect([name, status]).toEqual([name, name === 'talks' || name === 'strays' ? 200 : expect.toBeOneOf([400, 500])]);
    await rpc('PassthruService', 'CallNodeMethod', {
      node: 'leaky',
      method: name,
      arguments: args,
      httpMethod: 'POST',
    });
    await call('leaky', name, args, { 'idempotency-key': `${MARKERS.idempotency}-${name}` });
  }
  expect((await call('broken', 'talks')).status).toBe(400);
  expect((await send('GET', '/v1/nodes/broken/validate')).text).toContain('******');
});

test('shows a job that fails with the password, and its node afterwards', async () => {
  const { status, headers } = await call('leaky', 'works', { api_key: MARKERS.argument });
  expect(status).toBe(202);
  const job = headers.get('location')!.replace(/^https?:\/\/[^/]*/, '');
  expect((await send('GET', `${job}/events`)).text).toMatch(/"message":"at \*{6}"[\s\S]*JOB_STATE_FAILED/);
  expect((await send('GET', job)).text).toContain('JOB_STATE_FAILED');
  expect((await send('GET', '/v1/nodes/leaky')).text).toContain('last_error');
  await send('GET', '/v1/jobs');
  await rpc('JobService', 'ListJobs', {});
  await rpc('JobService', 'GetJob', { id: job.split('/').at(-1) });
});

test('calls a BMC that quotes its requests, one that refuses the password, and an unreachable one', async () => {
  const bmc = marked.fleet.bmcs[0]!;
  const said = [MARKERS.redfish, MARKERS.header].map((secret) => ({
    MessageId: 'Base.1.8.PropertyValueError',
    Message: `The value '${secret}' is wrong`,
    MessageArgs: [secret],
  }));
  const body = JSON.stringify({ error: { code: 'x', message: said[0]!.Message, '@Message.ExtendedInfo': said } });
  const subscription = { Destination: 'http://127.0.0.1:9/x', HttpHeaders: [{ 'X-Auth': MARKERS.header }] };
  bmc.faults.add({ kind: 'status', status: 400, body, match: { method: 'POST', path: '*Subscriptions' }, times: 2 });
  expect((await call('rf', 'create_subscription', subscription)).status).toBe(500);
  await rpc('PassthruService', 'CallNodeMethod', {
    node: 'rf',
    method: 'create_subscription',
    arguments: subscription,
  });
  expect((await call('rf', 'create_subscription', subscription)).status).toBe(200);
  const listed = await send('GET', '/v1/nodes/rf/vendor_passthru?method=get_all_subscriptions');
  expect([listed.status, listed.text]).toEqual([200, expect.stringContaining('Subscriptions/5')]);
  for (const id of ['1', '5']) {
    const shown = await send('GET', `/v1/nodes/rf/vendor_passthru?method=get_subscription&id=${id}`);
    expect([id, shown.status]).toEqual([id, 200]);
  }
  for (const headers of [
    MARKERS.header,
    { 'X-Auth': MARKERS.header },
    [[MARKERS.header]],
    [{ a: { b: MARKERS.header } }],
  ]) {
    expect((await call('rf', 'create_subscription', { ...subscription, HttpHeaders: headers })).status).toBe(400);
  }
  expect((await call('rf-wrong', 'create_subscription', subscription)).status).toBe(500);
  expect((await call('rf-down', 'create_subscription', subscription)).status).toBe(500);
  expect((await call('rf-down', 'eject_vmedia')).status).toBe(202);
  expect((await call('rf', 'eject_vmedia')).status).toBe(202);
  await insertsImages();
  const discover = { address: bmc.url, username: 'u', password: MARKERS.discover };
  for (const args of [
    discover,
    { ...discover, address: `http://u:${MARKERS.discover}@127.0.0.1` },
    { ...discover, password: [MARKERS.discover] },
  ]) {
    const { status } = await send('POST', '/v1/drivers/redfish/vendor_passthru?method=discover', args);
    expect([args, status]).toEqual([args, args === discover ? 500 : 400]);
  }
});

/** Inserts images whose server has an account, into a BMC that quotes it, and shows what is left of it. */
async function insertsImages(): Promise<void> {
  const bmc = marked.fleet.bmcs[0]!;
  const credentials = { username: MARKERS.imageUser, password: MARKERS.imagePassword };
  const message = `Cannot read http://${MARKERS.imageUser}:${MARKERS.imagePassword}@images.example/a.iso`;
  const body = JSON.stringify({ error: { code: 'x', message, '@Message.ExtendedInfo': [{ Message: message }] } });
  bmc.faults.add({ kind: 'status', status: 400, body, match: { method: 'POST', path: '*InsertMedia' }, times: 1 });
  const images: [string, object][] = [
    ['http://images.example/a.iso', { credentials }],
    ['http://images.example/b.iso', { credentials }],
    [`http://${MARKERS.imageUser}:${MARKERS.imagePassword}@images.example/c.iso`, { if_inserted: 'replace' }],
    ['http://images.example/d.iso', {}],
  ];
  for (const [image_url, more] of images) {
    const { status, headers } = await call(
      'rf',
      'insert_vmedia',
      { image_url, ...more },
      { 'passthru-recorder': 'all' },
    );
    expect([image_url, status]).toEqual([image_url, 202]);
    const job = headers.get('location')!;
    expect((await send('GET', `${job}/events`)).text).toMatch(/JOB_STATE_(SUCCEEDED|FAILED)/);
    await send('GET', job);
    expect((await send('GET', `${job}/transcript`)).status).toBe(200);
    await send('GET', '/v1/nodes/rf');
    expect((await send('GET', '/v1/nodes/rf/vendor_passthru?method=get_vmedia')).status).toBe(200);
  }
  for (const wrong of [
    { credentials: MARKERS.imagePassword },
    { credentials: { password: [MARKERS.imagePassword] } },
  ]) {
    expect((await call('rf', 'insert_vmedia', { image_url: images[0]![0], ...wrong })).status).toBe(400);
  }
}

test('shows the transcripts of failed calls and of a job', async () => {
  const args = { api_key: MARKERS.argument, HttpHeaders: [{ 'X-Any': MARKERS.header }] };
  const failed = await call('leaky', 'refuses', args);
  const { text: shown, status } = await send('GET', failed.headers.get('passthru-transcript')!);
  expect([status, JSON.parse(shown)]).toEqual([200, expect.objectContaining({ method: 'refuses', omitted: 0 })]);
  expect(JSON.parse(shown).exchanges[0].response.body.Message).toBe("'******' is wrong");
  const refused = await rpc('PassthruService', 'CallNodeMethod', {
    node: 'leaky',
    method: 'throws',
    httpMethod: 'GET',
  });
  const jobId = /"transcriptId":"([^"]+)"/.exec(refused.text)?.[1];
  const { transcript } = JSON.parse((await rpc('JobService', 'GetTranscript', { jobId })).text);
  client.responses.push(Buffer.from(transcript, 'base64').toString());
  expect(client.responses.at(-1)).toContain('"method":"throws"');
  const started = await call('leaky', 'works', args);
  const job = started.headers.get('passthru-job-id')!;
  await send('GET', `/v1/jobs/${job}/events`);
  const user = { PASSTHRU_SERVER: marked.served.url, PASSTHRU_USER: USER, PASSTHRU_PASSWORD: MARKERS.basic };
  const { stdout, stderr } = await passthru(['job', 'transcript', job], user);
  client.responses.push(stdout + stderr);
  expect(JSON.parse(stdout)).toMatchObject({ id: job, method: 'works' });
});

test('locks a node, calls with the key of the lock, renews and ends it, and refuses wrong keys', async () => {
  const { status, text: locked } = await send('PUT', '/v1/nodes/leaky/reservation', { reason: 'marked' });
  const key = JSON.parse(locked).reservation_key;
  expect([status, key]).toEqual([201, expect.stringMatching(/^passthru_rsv_/)]);
  // It is shown here alone.
  client.responses.splice(-1, 1, client.responses.at(-1)!.replace(key, ''));
  searchFor('reservation key', key.slice('passthru_rsv_'.length));
  const header = { 'passthru-reservation-key': key };
  for (const name of ['throws', 'talks', 'quotes_arguments']) {
    const idempotent = { ...header, 'idempotency-key': `${MARKERS.idempotency}-held-${name}` };
    await call('leaky', name, { reservation_key: key }, idempotent);
    const args = { node: 'leaky', method: name, httpMethod: 'POST', reservationKey: key };
    await rpc('PassthruService', 'CallNodeMethod', { ...args, arguments: { reservation_key: key } });
  }
  expect((await call('leaky', 'talks', {}, header)).status).toBe(200);
  expect((await call('leaky', 'talks', {}, { 'passthru-lock-wait': '0' })).status).toBe(409);
  const job = (await call('leaky', 'works', {}, header)).headers.get('passthru-job-id')!;
  await send('GET', `/v1/jobs/${job}/events`);
  const request = create(CallNodeMethodRequestSchema, { node: 'leaky', method: 'throws', reservationKey: key });
  const bytes = toBinary(CallNodeMethodRequestSchema, request);
  await grpc('application/grpc', '/passthru.v1.PassthruService/CallNodeMethod', bytes);
  for (const wrong of [`${key}x`, key.slice(0, -1), ` ${key.replace('_', '-')}`]) {
    expect((await call('leaky', 'talks', {}, { 'passthru-reservation-key': wrong })).status).toBe(400);
    await rpc('NodeService', 'RenewLock', { node: 'leaky', reservationKey: wrong });
  }
  expect((await call('rf', 'get_all_subscriptions', {}, header)).status).toBe(400);
  await send('PATCH', '/v1/nodes/leaky/reservation', { duration: 60 }, header);
  await send('GET', '/v1/nodes/leaky/reservation');
  await rpc('NodeService', 'GetNode', { node: 'leaky' });
  const environment = { PASSTHRU_SERVER: marked.served.url, PASSTHRU_USER: USER, PASSTHRU_PASSWORD: MARKERS.basic };
  for (const args of [
    ['node', 'passthru', 'call', 'leaky', 'throws', '--http-method', 'POST'],
    ['node', 'renew', 'leaky'],
    ['node', 'unlock', 'leaky'],
    ['node', 'unlock', 'leaky'],
  ]) {
    const { stdout, stderr } = await passthru(args, { ...environment, PASSTHRU_RESERVATION_KEY: key });
    client.responses.push(`${stdout}${stderr}`);
  }
  expect(client.responses.at(-1)).toContain('that reservation has ended');
});

test('refuses callers over every protocol', async () => {
  const basic = (password: string) => `Basic ${Buffer.from(`${USER}:${password}`).toString('base64')}`;
  for (const authorization of [
    basic(MARKERS.wrongBasic),
    `Basic ${MARKERS.wrongBasic}`,
    `Bearer ${MARKERS.bearer}`,
    MARKERS.bearer,
  ]) {
    for (const path of ['/v1/nodes', '/passthru.v1.NodeService/ListNodes']) {
      expect((await send('POST', path, {}, { authorization, 'x-auth-token': MARKERS.bearer })).status).toBe(401);
    }
  }
  const grpcClient = new Client(new URL(marked.served.url).host, credentials.createInsecure());
  const metadata = new Metadata();
  metadata.set('authorization', `Bearer ${MARKERS.metadata}`);
  metadata.set('x-auth-token', MARKERS.metadata);
  metadata.set('some-bin', Buffer.from(MARKERS.metadata));
  const error = await new Promise((resolve) => {
    grpcClient.makeUnaryRequest(
      '/passthru.v1.NodeService/GetNode',
      (request) => Buffer.from(toBinary(GetNodeRequestSchema, request)),
      (bytes) => bytes,
      create(GetNodeRequestSchema, { node: 'rf' }),
      metadata,
      resolve,
    );
  });
  grpcClient.close();
  client.responses.push(`gRPC: ${error} ${JSON.stringify(error)}`);
  expect(error).toMatchObject({ code: 16 });
});

test('refuses malformed queries and bodies', async () => {
  const before = client.responses.length;
  for (const query of [
    `password=${MARKERS.query}`,
    `method=talks&token=${MARKERS.query}`,
    `limit=${MARKERS.query}%zz`,
  ]) {
    await send('GET', `/v1/nodes?${query}`);
    await send('POST', `/v1/nodes/leaky/vendor_passthru?${query}`, {});
    await send('GET', `/v1/nodes/leaky/vendor_passthru?${query}`);
  }
  const bodies = [
    `{"name": "x", "driver_info": {"redfish_password": "${MARKERS.body}"`,
    `{"name": "x", "password": ${MARKERS.body}}`,
    `"${MARKERS.body}"`,
    JSON.stringify({ node: { driver: 'redfish', driverInfo: MARKERS.body } }),
    JSON.stringify({
      node: { driver: 'redfish', driver_info: { redfish_password: MARKERS.body } },
      password: MARKERS.body,
    }),
    JSON.stringify({ driver: 'redfish', driver_info: MARKERS.body }),
    JSON.stringify({ driver: 'redfish', driver_info: { redfish_password: MARKERS.body, x: '******' } }),
    JSON.stringify({ driver: 'nope', driver_info: { redfish_password: MARKERS.body } }),
    JSON.stringify([{ op: 'add', path: '/driver_info/redfish_password', value: { a: MARKERS.body } }]),
    JSON.stringify([{ op: 'test', path: '/driver_info/redfish_password', value: MARKERS.body }]),
    JSON.stringify([{ op: 'replace', path: '/driver_info', value: MARKERS.body }]),
  ];
  for (const body of bodies) {
    await send('POST', '/v1/nodes', body);
    await send('PATCH', '/v1/nodes/leaky-2', body);
    await send('POST', '/v1/nodes/leaky/vendor_passthru?method=talks', body);
    // Connect itself quotes a string sent in place of a message, but only to its sender.
    if (body.startsWith('"') || body.includes('"driverInfo":"')) continue;
    await rpc('NodeService', 'CreateNode', body);
    await rpc('PassthruService', 'CallNodeMethod', body);
  }
  const statuses = client.responses.slice(before).map((response) => response.split(' ')[1]);
  // Only the patch with an object in place of the password is well-formed.
  expect(statuses.filter((status) => status !== '400')).toEqual(['200']);
});

test('enrols, changes, shows and removes nodes', async () => {
  const driver_info = { redfish_address: `https://u:${MARKERS.body}@bmc.example`, redfish_password: MARKERS.body };
  const instance_info = { configdrive_password: MARKERS.instance, image_url: `https://u:${MARKERS.instance}@x/` };
  const created = await send('POST', '/v1/nodes', { name: 'new', driver: 'redfish', driver_info, instance_info });
  expect(created.status).toBe(201);
  await rpc('NodeService', 'CreateNode', { node: { name: 'new-2', driver: 'redfish', driverInfo: driver_info } });
  await call('new', 'get_all_subscriptions');
  await send('PATCH', '/v1/nodes/new', [{ op: 'add', path: '/driver_info/kg_key', value: MARKERS.body }]);
  expect((await send('POST', '/v1/nodes', { name: 'kept', driver: 'redfish', instance_info })).status).toBe(201);
  // A digest would reveal a secret too: anyone with the file can try candidates.
  const digest = attributeDigest(instance_info);
  for (const { name, content } of marked.files()) expect([name, content.includes(digest)]).toEqual([name, false]);
  for (const path of ['', '/detail', '/new', '/new/validate']) await send('GET', `/v1/nodes${path}`);
  await rpc('NodeService', 'ListNodes', {});
  await rpc('NodeService', 'GetNode', { node: 'new' });
  expect((await send('DELETE', '/v1/nodes/new')).status).toBe(204);
  // Its driver's `release` fails with an error that contains the password.
  expect((await send('DELETE', '/v1/nodes/leaky-2')).status).toBe(204);
});

test.each(['application/grpc+proto', 'application/grpc-web+proto'])(
  'returns errors, jobs and lists over %s',
  async (type) => {
    const service = '/passthru.v1.PassthruService';
    for (const method of ['throws', 'refuses', 'quotes_arguments', 'works']) {
      const args = { api_key: MARKERS.argument, HttpHeaders: [{ 'X-Any': MARKERS.header }] };
      const request = create(CallNodeMethodRequestSchema, {
        node: 'leaky',
        method,
        arguments: args,
        httpMethod: 'POST',
      });
      const response = await grpc(type, `${service}/CallNodeMethod`, toBinary(CallNodeMethodRequestSchema, request));
      // The detail was present and decoded.
      if (method === 'refuses')
        expect(response).toMatch(/passthru\.v1\.ErrorDetail[\s\S]*The BMC says: \*{6} is wrong/);
      const job = /[0-9a-f]{8}-[0-9a-f]{4}-7[0-9a-f-]{21}/.exec(response)?.[0];
      if (method !== 'works') continue;
      const watched = toBinary(WatchJobRequestSchema, create(WatchJobRequestSchema, { jobId: job }));
      expect(await grpc(type, `${service}/WatchJob`, watched)).toContain('at ******');
    }
    for (const list of ['NodeService/ListNodes', 'JobService/ListJobs', 'DriverService/ListDrivers']) {
      await grpc(type, `/passthru.v1.${list}`, new Uint8Array());
    }
  },
);

test('runs the commands', async () => {
  const server = { PASSTHRU_SERVER: marked.served.url };
  const user = { ...server, PASSTHRU_USER: USER, PASSTHRU_PASSWORD: MARKERS.basic };
  const secret = ['--driver-info', `redfish_password=${MARKERS.body}`];
  const create = ['node', 'create', '--name', 'by-command', '--driver', 'redfish'];
  const discover = [
    'driver',
    'passthru',
    'call',
    'redfish',
    'discover',
    '--arg',
    `address=${marked.fleet.bmcs[0]!.url}`,
  ];
  for (const [status, args, more] of [
    [0, [...create, ...secret, '--driver-info', 'redfish_address=https://bmc.example']],
    [1, [...create, ...secret]],
    [0, ['node', 'show', 'by-command', '-f', 'json']],
    [0, ['node', 'set', 'by-command', ...secret]],
    [0, ['node', 'list', '-f', 'yaml']],
    [
      1,
      ['node', 'passthru', 'call', 'leaky', 'refuses', '--arg', `api_key=${MARKERS.argument}`, '--http-method', 'POST'],
    ],
    [1, ['node', 'passthru', 'call', 'leaky', 'throws', '--http-method', 'POST']],
    [1, ['node', 'passthru', 'call', 'leaky', 'works', '--http-method', 'POST', '--watch']],
    [1, [...discover, '--arg', 'username=u', '--arg', `password=${MARKERS.discover}`]],
    [0, ['job', 'list', '-f', 'json']],
    [1, ['node', 'list'], { ...user, PASSTHRU_PASSWORD: MARKERS.wrongBasic }],
    [1, ['node', 'list'], { ...server, PASSTHRU_TOKEN: MARKERS.bearer }],
    [1, ['node', 'list'], { ...user, PASSTHRU_SERVER: `http://u:${MARKERS.body}@127.0.0.1:9` }],
    [1, ['node', 'list'], { ...user, PASSTHRU_SERVER: `ftp://u:${MARKERS.body}@127.0.0.1:9` }],
  ] as [number, string[], NodeJS.ProcessEnv?][]) {
    const { status: ended, stdout, stderr } = await passthru(args, more ?? user);
    expect([args, ended === 0, stderr]).toEqual([args, status === 0, status === 0 ? '' : expect.stringMatching(/./)]);
    client.responses.push(`passthru ${args.slice(0, 4).join(' ')}: ${stdout} ${stderr}`);
  }
});

test('returns the metrics', async () => {
  expect((await send('GET', '/metrics')).text).toContain('passthru_calls_total{driver="leaky"');
});

describe('no secret is', () => {
  test('in a response', () => {
    expect(client.responses.length).toBeGreaterThan(100);
    expect(found(client.responses.join('\n'))).toEqual([]);
  });

  test('in the database or its log, while the service runs', () => {
    expect(marked.files().map(({ name }) => name)).toEqual(expect.arrayContaining(['passthru.db', 'passthru.db-wal']));
    expect(marked.files().flatMap(({ name, content }) => found(content).map((what) => `${name}: ${what}`))).toEqual([]);
  });

  test('in a transcript in the database', () => {
    const path = join(marked.directory, 'state', 'passthru.db');
    const database = new DatabaseSync(path, { readOnly: true });
    const rows = database.prepare('select document from transcripts').all();
    database.close();
    const texts = rows.map(({ document }) => inflateRawSync(document as Uint8Array).toString());
    const methods = new Set(texts.map((text) => JSON.parse(text).method));
    expect([...methods]).toEqual(
      expect.arrayContaining(['throws', 'refuses', 'quotes_arguments', 'works', 'create_subscription']),
    );
    expect(found(texts.join('\n'))).toEqual([]);
  });

  test('in a trace', async () => {
    const names = [
      'call leaky.refuses',
      'call redfish.create_subscription',
      'call redfish.discover',
      'job leaky.works',
    ];
    await vi.waitFor(
      () => expect(marked.collector.spans.map(({ name }) => name)).toEqual(expect.arrayContaining(names)),
      {
        timeout: 30_000,
      },
    );
    expect(found(marked.collector.bodies.join('\n'))).toEqual([]);
    expect(found(JSON.stringify(marked.collector.requests))).toEqual([]);
  });

  test('in the outputs of the service, including an uncaught exception', async () => {
    await call('leaky', 'crashes').catch(() => {});
    const { status, stdout, stderr } = await marked.served.command.ended;
    expect(status).toBe(1);
    expect(stdout).toBe(`listening on ${marked.served.url}\n`);
    expect(stderr).toContain('unhandled promise rejection');
    expect(stderr).toContain('"level":"debug"');
    for (const action of [
      'call a method',
      'enrol a node',
      'change a node',
      'list nodes',
      'lock a node',
      'renew a lock',
    ]) {
      expect(stderr).toMatch(new RegExp(`"audit":true,.*"action":"${action}"`));
    }
    expect(found(stderr)).toEqual([]);
    expect(stderr).not.toContain(MARKERS.idempotency);
  });

  test('left in a file afterwards', () => {
    expect(marked.files().flatMap(({ name, content }) => found(content).map((what) => `${name}: ${what}`))).toEqual([]);
    expect(readdirSync(marked.directory).sort()).toEqual([
      'leakyDriver.mjs',
      'nodes.yaml',
      'passthru.yaml',
      'secrets.key',
      'state',
      'users',
    ]);
  });
});
