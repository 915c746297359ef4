import { afterEach, beforeEach, expect, test } from 'vitest';
import { PassthruError } from '../../src/core/errors.ts';
import { send } from './client.ts';
import { type GatedService, startGatedService } from './gatedService.ts';

let service: GatedService;
beforeEach(async () => {
  service = await startGatedService();
});
afterEach(() => service.close());

const rest = (sent: Parameters<typeof send>[1]) => send(service.url, sent);
const version = { 'X-OpenStack-Ironic-API-Version': '1.80' };
const passthru = '/v1/nodes/n1/vendor_passthru';
const REFUSED = new PassthruError('bmc_refused', 'The BMC said no');

/** Calls `method` and lets it end with one exchange. */
async function call(method: string, end: 'finish' | 'fail', recorder?: string, index = 0) {
  const headers = recorder === undefined ? version : { ...version, 'Passthru-Recorder': recorder };
  const response = rest({ method: 'POST', path: `${passthru}/${method}`, headers, body: {} });
  const held = await service.hardware.call(index);
  held.task.recorder?.add(1, () => ({ path: '/redfish/v1' }));
  if (end === 'fail') held.fail(REFUSED);
  else held.finish({ done: true });
  return response;
}

test('a failed call returns its error and the URL of its transcript, which holds its exchanges', async () => {
  const failed = await call('exclusive', 'fail');
  expect(failed).toMatchObject({ status: 500, fault: { faultstring: 'The BMC said no' } });
  const url = failed.headers['passthru-transcript'] as string;
  expect(url).toMatch(/^\/v1\/jobs\/[0-9a-f-]{36}\/transcript$/);
  const transcript = await rest({ path: url });
  expect(transcript.status).toBe(200);
  expect(transcript.headers['content-type']).toBe('application/json');
  expect(transcript.json).toMatchObject({
    transcript: 1,
    id: url.split('/')[3],
    method: 'exclusive',
    http_method: 'POST',
    outcome: { state: 'failed', error: 'The BMC said no' },
    exchanges: [{ path: '/redfish/v1' }],
  });
});

test('a call that succeeds has a transcript on request', async () => {
  const plain = await call('exclusive', 'finish');
  expect(plain).toMatchObject({ status: 200, json: { done: true } });
  expect(plain.headers['passthru-transcript']).toBeUndefined();
  const recorded = await call('exclusive', 'finish', 'all', 1);
  expect(recorded).toMatchObject({ status: 200, json: { done: true } });
  expect((await rest({ path: recorded.headers['passthru-transcript'] as string })).json).toMatchObject({
    outcome: { state: 'succeeded', error: null },
  });
});

test('a failed call has no transcript when it asks for none', async () => {
  const failed = await call('exclusive', 'fail', 'off');
  expect(failed.status).toBe(500);
  expect(failed.headers['passthru-transcript']).toBeUndefined();
});

test('an unknown value of Passthru-Recorder is refused with what is allowed', async () => {
  for (const value of ['on', 'ALL', '', 'all, off']) {
    const headers = { ...version, 'Passthru-Recorder': value };
    for (const path of [`${passthru}/exclusive`, '/v1/drivers/gated/vendor_passthru/survey']) {
      const refused = await rest({ method: 'POST', path, headers, body: {} });
      expect(refused).toMatchObject({
        status: 400,
        fault: { faultstring: 'The header Passthru-Recorder must be one of off, failures, all' },
      });
    }
  }
  expect(service.hardware.calls).toEqual([]);
});

test('the transcript of a job has the job’s id, when it has ended', async () => {
  const accepted = await call('work', 'finish', 'all');
  expect(accepted.status).toBe(202);
  expect(accepted.headers['passthru-transcript']).toBeUndefined();
  const job = accepted.headers.location as string;
  await rest({ path: `${job}/events` });
  expect((await rest({ path: `${job}/transcript` })).json).toMatchObject({ id: job.split('/').at(-1) });
  expect(await rest({ method: 'HEAD', path: `${job}/transcript` })).toMatchObject({ status: 200, text: '' });
});

test('a transcript that does not exist is a 404 that says why', async () => {
  const accepted = await rest({ method: 'POST', path: `${passthru}/work`, body: {} });
  const { location: job } = accepted.headers;
  const running = await rest({ path: `${job}/transcript` });
  expect(running).toMatchObject({ status: 404, fault: { faultstring: expect.stringContaining('is running') } });
  (await service.hardware.call(0)).finish(null);
  await rest({ path: `${job}/events` });
  const ended = await rest({ path: `${job}/transcript` });
  expect(ended).toMatchObject({
    status: 404,
    fault: { faultcode: 'Client', faultstring: expect.stringContaining('Passthru-Recorder: all') },
  });
  for (const id of ['01890000-0000-7000-8000-000000000000', 'x', '..%2F..%2Fetc', '%00']) {
    expect((await rest({ path: `/v1/jobs/${id}/transcript` })).status).toBe(404);
  }
  expect((await rest({ path: `${job}/transcript?x=1` })).status).toBe(400);
});

test('a page of an allowed origin may ask for a transcript and read where it is', async () => {
  const open = await startGatedService({}, { corsOrigins: ['https://console.example'] });
  const preflight = await send(open.url, {
    method: 'OPTIONS',
    path: `${passthru}/exclusive`,
    headers: { Origin: 'https://console.example', 'Access-Control-Request-Method': 'POST' },
  });
  expect(preflight.headers['access-control-allow-headers']).toContain('Passthru-Recorder');
  const root = await send(open.url, { path: '/', headers: { Origin: 'https://console.example' } });
  expect(root.headers['access-control-expose-headers']).toContain('Passthru-Transcript');
  await open.close();
});
