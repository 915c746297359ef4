import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { ANONYMOUS } from '../../src/core/caller.ts';
import { isTerminal } from '../../src/core/job.ts';
import { send } from './client.ts';
import { type RecordedService, startRecordedService } from './recordedNodes.ts';
import { readExchanges, replay } from './replay.ts';

let service: RecordedService;
beforeAll(async () => {
  service = await startRecordedService();
});
afterAll(() => service.close());

const headers = { 'X-OpenStack-Ironic-API-Version': '1.115' };
const vmedia = '/v1/nodes/rf-1/vmedia';

async function jobOf(response: Awaited<ReturnType<typeof send>>) {
  const id = String(response.headers['passthru-job-id']);
  for await (const job of service.core.jobs.watch(id, null, ANONYMOUS, AbortSignal.timeout(30_000)))
    if (isTerminal(job)) return job;
  throw new Error('no end');
}

describe('the exchanges recorded from Ironic 39', () => {
  const exchanges = readExchanges('vmedia-transcripts.json');
  test('are 38', () => expect(exchanges).toHaveLength(38));
  test.each(exchanges.map((exchange, index) => ({ name: `${index + 1}: ${exchange.name}`, exchange })))(
    '$name',
    async ({ exchange }) => expect(await replay(service, exchange)).toBeNull(),
  );
});

test('attaching and detaching name the job that does it, and its outcome is the truth about the machine', async () => {
  const image_url = 'http://images.example/told.iso';
  const attached = await send(service.url, {
    method: 'POST',
    path: vmedia,
    headers,
    body: { device_type: 'cdrom', image_url },
  });
  expect([attached.status, attached.text]).toEqual([204, '']);
  expect(attached.headers.location).toBe(`/v1/jobs/${attached.headers['passthru-job-id']}`);
  expect(await jobOf(attached)).toMatchObject({
    method: 'insert_vmedia',
    state: 'succeeded',
    result: { device: { id: 'CD1' }, outcome: 'inserted' },
  });
  const shown = await send(service.url, { path: vmedia, headers });
  expect(shown.json).toContainEqual({ media_types: ['CD', 'DVD'], inserted: true, image: image_url });
  const detached = await send(service.url, { method: 'DELETE', path: `${vmedia}?device_types=cdrom,floppy`, headers });
  expect(await jobOf(detached)).toMatchObject({
    method: 'eject_vmedia',
    state: 'succeeded',
    result: { devices: [{ id: 'Floppy1' }, { id: 'CD1', outcome: 'ejected' }] },
  });
});

test('a device that contains another image fails the job, and sets last_error, as in Ironic', async () => {
  const attach = (name: string) => {
    const body = { device_type: 'floppy', image_url: `http://images.example/${name}.img` };
    return send(service.url, { method: 'POST', path: vmedia, headers, body });
  };
  expect(await jobOf(await attach('one'))).toMatchObject({ state: 'succeeded' });
  const second = await attach('two');
  expect(second.status).toBe(204);
  expect(await jobOf(second)).toMatchObject({ state: 'failed', error: { kind: 'failed_precondition' } });
  const { json } = await send(service.url, { path: '/v1/nodes/rf-1?fields=last_error', headers });
  expect(json.last_error).toMatch(/Floppy1 contains http:\/\/images\.example\/one\.img.*Eject it first/);
});

test('an attach with an idempotency key runs once', async () => {
  await jobOf(await send(service.url, { method: 'DELETE', path: vmedia, headers }));
  const body = { device_type: 'cdrom', image_url: 'http://images.example/once.iso' };
  const sent = { method: 'POST', path: vmedia, headers: { ...headers, 'Idempotency-Key': 'once' }, body };
  const [first, second] = [await send(service.url, sent), await send(service.url, sent)];
  expect(second.headers['passthru-job-id']).toBe(first.headers['passthru-job-id']);
  await jobOf(first);
});

test.each([
  ['in the query and in the body', '?device_types=cdrom', { device_types: 'cdrom' }, 'in the query and in the body'],
  ['as a number', '', { device_types: 5 }, 'must be a list of disk, cdrom, floppy'],
])('device_types %s is refused, and nothing is detached', async (_, query, body, fault) => {
  const response = await send(service.url, { method: 'DELETE', path: vmedia + query, headers, body });
  expect([response.status, response.fault.faultstring]).toEqual([400, expect.stringContaining(fault)]);
});

test('an unreachable BMC is told as such', async () => {
  const response = await send(service.url, { path: '/v1/nodes/down-1/vmedia', headers });
  expect([response.status, response.fault.faultstring]).toEqual([
    500,
    expect.stringContaining('Redfish connection failed'),
  ]);
});

test('no part of an image’s URL is told where its scheme is refused', async () => {
  const body = { device_type: 'cdrom', image_url: 'gopher://u:s3cret@images.example/a.iso' };
  const { status, text } = await send(service.url, { method: 'POST', path: vmedia, headers, body });
  expect(status).toBe(400);
  expect(text).not.toContain('s3cret');
});
