import { mkdtemp, rm, truncate, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { loadTranscript, startPlayback } from '../../../src/sim/index.ts';
import { describeReplay } from '../../../src/sim/playback/repeatCall.ts';
import { parseTranscript } from '../../../src/sim/playback/transcriptFile.ts';

let folder = '';

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'transcripts-'));
});
afterAll(() => rm(folder, { recursive: true }));

const exchange = (method: string, path: string, status: number, body: unknown = null, headers = {}) => ({
  request: { method, path, headers: {}, body: null },
  response: { status, headers, body },
  error: null,
  sent: true,
});

const TRANSCRIPT = {
  transcript: 1,
  id: '1',
  node_uuid: '22222222-2222-4222-8222-222222222222',
  driver: 'redfish',
  method: 'create_subscription',
  http_method: 'POST',
  arguments: { Destination: 'https://listener.example/e?a=1', HttpHeaders: '******' },
  outcome: { state: 'failed', error: 'it failed' },
  start_time: '2026-11-29T12:00:00.000Z',
  end_time: '2026-11-29T12:00:01.000Z',
  context: {
    origin: 'https://bmc.example',
    root: '/redfish/v1/',
    system: '/redfish/v1/Systems/1',
    auth_type: 'session',
    login: 'closed',
    documents: {},
  },
  exchanges: [exchange('GET', '/redfish/v1/', 200, {})],
  omitted: 0,
};

describe('a file that cannot be played back is refused with its name and the reason', () => {
  test.each([
    ['no JSON', 'no json', /Unexpected token/],
    ['an empty file', '', /Unexpected end/],
    ['a capture', '{"/redfish/v1": {}}', /not a transcript: "transcript", the version of the format, is missing/],
    ['a list', '[]', /not a transcript/],
    ['a newer version', JSON.stringify({ ...TRANSCRIPT, transcript: 2 }), /its version is 2, and .* reads version 1/],
    ['no exchanges', JSON.stringify({ ...TRANSCRIPT, exchanges: [] }), /has no exchanges/],
    ['exchanges of another form', JSON.stringify({ ...TRANSCRIPT, exchanges: [{}] }), /exchanges\[0\]\.request/],
    ['no method', JSON.stringify({ ...TRANSCRIPT, method: undefined }), /method: is missing/],
    ['no outcome', JSON.stringify({ ...TRANSCRIPT, outcome: undefined }), /outcome: is missing/],
  ])('%s', async (_, text, reason) => {
    const file = join(folder, 'transcript.json');
    await writeFile(file, text);
    const loading = loadTranscript(file);
    await expect(loading).rejects.toThrow(reason);
    await expect(loading).rejects.toThrow(file);
  });

  test('one that is absent', async () => {
    await expect(loadTranscript(join(folder, 'absent.json'))).rejects.toThrow(/absent\.json: ENOENT/);
  });

  test('one that is too large, which is not read', async () => {
    const file = join(folder, 'large.json');
    await writeFile(file, '');
    await truncate(file, 64 * 1024 * 1024 + 1);
    await expect(loadTranscript(file)).rejects.toThrow(/has 67108865 bytes/);
  });
});

test('the commands that repeat the call have its arguments, and a placeholder for each secret', () => {
  const text = describeReplay(parseTranscript(JSON.stringify(TRANSCRIPT)), 'http://127.0.0.1:8000', false);
  expect(text).toContain('--driver-info redfish_address=http://127.0.0.1:8000 ');
  expect(text).toContain('--driver-info redfish_system_id=/redfish/v1/Systems/1 ');
  expect(text).toContain('--driver-info redfish_auth_type=session');
  expect(text).toContain('passthru node passthru call bmc-1 create_subscription');
  expect(text).toContain("--arg 'Destination=https://listener.example/e?a=1'");
  expect(text).toContain(`--arg 'HttpHeaders=[{"Name":"SECRET"}]'`);
  expect(text).toContain('It ended: failed: it failed');
});

test('a driver call is repeated at the address of the replay, with any password', () => {
  const args = { address: 'https://bmc.example', username: 'operator', password: '******' };
  const driverCall = { ...TRANSCRIPT, node_uuid: null, method: 'discover', arguments: args };
  const text = describeReplay(parseTranscript(JSON.stringify(driverCall)), 'https://127.0.0.1:8000', true);
  expect(text).not.toContain('node create');
  expect(text).toMatch(/passthru driver passthru call redfish discover .*--arg address=https:\/\/127\.0\.0\.1:8000/s);
  expect(text).toContain('--arg password=SECRET');
  expect(text).toContain('--arg verify_ca=false');
});

test('the commands do no more than repeat the call, whatever the transcript holds', () => {
  const odd = {
    ...TRANSCRIPT,
    driver: 'redfish; id',
    method: 'get $(id)',
    arguments: { id: '@/etc/passwd', x: "'`id`" },
  };
  const text = describeReplay(parseTranscript(JSON.stringify(odd)), 'http://127.0.0.1:8000', false);
  expect(text).toContain("--driver 'redfish; id' ");
  expect(text).toContain("call bmc-1 'get $(id)' ");
  // Not the content of the file.
  expect(text).toContain('--arg id=@@/etc/passwd');
  expect(text).toContain(`--arg 'x='\\''\`id\`'`);
});

test('it says what the replay cannot show', () => {
  const [first] = TRANSCRIPT.exchanges;
  const large = { ...first, response: { ...first!.response, body: '{"a":', truncated: true } };
  const text = describeReplay(
    parseTranscript(JSON.stringify({ ...TRANSCRIPT, omitted: 3, exchanges: [large] })),
    'http://127.0.0.1:8000',
    false,
  );
  expect(text).toContain('exchanges that were not recorded, because the transcript would have been too large: 3');
  expect(text).toContain('large responses that were recorded in part: 1');
});

async function played(exchanges: object[], requests: [method: string, path: string][], context: object = {}) {
  const transcript = { ...TRANSCRIPT, exchanges, context: { ...TRANSCRIPT.context, ...context } };
  const playback = await startPlayback({ transcript: parseTranscript(JSON.stringify(transcript)), count: 2 });
  const responses = [];
  for (const [method, path] of requests) {
    const response = await fetch(playback.urls[0]! + path, { method, redirect: 'manual' });
    responses.push({ status: response.status, headers: response.headers, text: await response.text() });
  }
  const other = await fetch(playback.urls[1]! + requests[0]![1], { method: requests[0]![0] });
  await playback.close();
  return { responses, other: { status: other.status, text: await other.text() }, url: playback.urls[0]! };
}

test('the responses to a path come in their order, the last one again and again, and each BMC begins anew', async () => {
  const recorded = [1, 2, 3].map((n) => exchange('GET', '/redfish/v1/A/', 200, { n }));
  const requests: [string, string][] = Array.from({ length: 4 }, () => ['GET', '/redfish/v1/A']);
  const { responses, other } = await played(recorded, requests);
  expect(responses.map(({ text }) => JSON.parse(text).n)).toEqual([1, 2, 3, 3]);
  expect(JSON.parse(other.text).n).toBe(1);
});

test('the query counts; a trailing slash, percent-encoding and the verb of another request do not', async () => {
  const recorded = [
    exchange('GET', '/redfish/v1/A%20B?$skip=2', 200, { page: 2 }),
    exchange('GET', '/redfish/v1/A%20B', 200, { page: 1 }),
    exchange('DELETE', '/redfish/v1/C', 204),
  ];
  const { responses } = await played(recorded, [
    ['GET', '/redfish/v1/A%20B/'],
    ['GET', '/redfish/v1/%41%20B?$skip=2'],
    ['GET', '/redfish/v1/A%20B?$skip=4'],
    ['GET', '/redfish/v1/C'],
    ['DELETE', '/redfish/v1/C'],
  ]);
  expect(responses.map(({ status }) => status)).toEqual([200, 200, 404, 404, 204]);
  expect(responses.slice(0, 2).map(({ text }) => JSON.parse(text).page)).toEqual([1, 2]);
});

test('links to the recorded address lead to the replay; others stay as they are', async () => {
  const body = {
    own: 'https://BMC.example/redfish/v1/Systems',
    port: 'https://bmc.example:444/redfish/v1/Systems',
    other: 'https://other.example/redfish/v1/Systems',
    page: 'https://bmc.example/console',
  };
  const recorded = [exchange('GET', '/redfish/v1/A', 307, body, { location: 'https://bmc.example/redfish/v1/B' })];
  const { responses, url } = await played(recorded, [['GET', '/redfish/v1/A']]);
  expect(JSON.parse(responses[0]!.text)).toEqual({ ...body, own: `${url}/redfish/v1/Systems` });
  expect(responses[0]!.headers.get('location')).toBe(`${url}/redfish/v1/B`);
});

test('each login gets a token of its own, whether it was recorded or not', async () => {
  const login: [string, string] = ['POST', '/redfish/v1/SessionService/Sessions'];
  const recorded = [exchange(...login, 201, {}, { 'x-auth-token': '******' })];
  const tokens = async (exchanges: object[]) =>
    (await played(exchanges, [login, login])).responses.map(({ headers }) => headers.get('x-auth-token'));
  for (const given of [recorded, [exchange('GET', '/redfish/v1/', 200, {})]]) {
    const [first, second] = await tokens(given);
    expect(first).toMatch(/^replayed-/);
    expect(second).toMatch(/^replayed-/);
    expect(second).not.toBe(first);
  }
});
