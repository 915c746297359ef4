import { request as startRequest } from 'node:http';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
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

describe('a synchronous call', () => {
  test('without a result returns 200 and null', async () => {
    const response = rest({ method: 'POST', path: `${passthru}?method=exclusive`, body: {} });
    (await service.hardware.call(0)).finish(null);
    expect(await response).toMatchObject({ status: 200, text: 'null' });
    expect((await response).headers['content-type']).toBe('application/json');
  });

  test('by GET without a body reads its arguments from the query, in both forms of the path', async () => {
    for (const [index, path] of [
      `${passthru}?method=both_verbs&word=a+b%26c`,
      `${passthru}/both_verbs?word=a+b%26c`,
    ].entries()) {
      const response = rest({ path });
      const call = await service.hardware.call(index);
      expect(call.args).toEqual({ word: 'a b&c' });
      call.finish({ done: true });
      expect((await response).json).toEqual({ done: true });
    }
  });

  test('by GET with a body reads its arguments from the body and refuses other query parameters', async () => {
    const response = rest({ path: `${passthru}/both_verbs`, body: { word: 'x' } });
    const call = await service.hardware.call(0);
    expect(call.args).toEqual({ word: 'x' });
    call.finish(null);
    await response;
    const refused = await rest({ path: `${passthru}/both_verbs?count=1`, body: { word: 'x' } });
    expect(refused).toMatchObject({ status: 400, fault: { faultstring: 'Unexpected arguments: count' } });
  });

  test('reads an argument named method from the query when the path names the method', async () => {
    const response = await rest({ path: `${passthru}/both_verbs?method=x` });
    expect(response.status).toBe(400);
    expect(response.fault.faultstring).toContain('Unexpected arguments: method');
    expect(service.hardware.calls).toHaveLength(0);
  });

  test('is cancelled when its caller disconnects, and releases the node', async () => {
    const { hostname, port } = new URL(service.url);
    const request = startRequest({ hostname, port, method: 'POST', path: `${passthru}/exclusive`, headers: version });
    request.on('error', () => {});
    request.end('{}');
    const { task } = await service.hardware.call(0);
    const aborted = new Promise((resolve) => task.signal.addEventListener('abort', resolve));
    request.destroy();
    await aborted;
    expect(task.signal.reason).toBeInstanceOf(PassthruError);
    expect(task.signal.reason.kind).toBe('cancelled');

    const next = rest({ method: 'POST', path: `${passthru}/exclusive`, body: {} });
    (await service.hardware.call(1)).finish('after');
    expect((await next).json).toBe('after');
  });

  test('that fails by a defect returns 500 without the internal text', async () => {
    const response = await rest({ method: 'POST', path: `${passthru}/defect`, body: {} });
    expect(response).toMatchObject({ status: 500, fault: { faultcode: 'Server', debuginfo: null } });
    expect(response.text).not.toContain('internal text');
  });

  test("that the BMC refused returns the BMC's error under detail, and no other member of the outer document", async () => {
    const response = rest({ method: 'POST', path: `${passthru}/exclusive`, body: {} });
    const extendedInfo = [{ MessageId: 'Base.1.8.NoPower', Message: 'no power' }];
    const error = new PassthruError('bmc_refused', 'Redfish exception occurred.', {
      bmc: { status: 409, extendedInfo },
    });
    (await service.hardware.call(0)).fail(error);
    const { status, json, fault } = await response;
    expect(status).toBe(500);
    expect(Object.keys(json)).toEqual(['error_message']);
    expect(fault.detail).toMatchObject({
      reason: 'ERROR_REASON_BMC_REFUSED',
      bmc: { status: 409, extended_info: extendedInfo },
    });
  });
});

test('names an invalid argument in the violations under detail', async () => {
  const { status, fault } = await rest({ method: 'POST', path: `${passthru}/exclusive`, body: { word: 5 } });
  expect(status).toBe(400);
  expect(fault.detail.violations).toEqual([{ field: 'arguments.word', description: expect.any(String) }]);
});

test('returns an attachment with its media type and file name', async () => {
  const response = await rest({ path: `${passthru}/attachment` });
  expect(response.text).toBe('a,b\n');
  expect(response.headers).toMatchObject({
    'content-type': 'text/csv',
    'content-disposition': 'attachment; filename=table.csv',
    'content-length': '4',
    'x-content-type-options': 'nosniff',
  });
});

test('an asynchronous call returns 202 with its job, without body or type', async () => {
  const response = await rest({ method: 'POST', path: `${passthru}?method=work` });
  const id = response.headers['passthru-job-id'];
  expect(response).toMatchObject({ status: 202, text: '' });
  expect(response.headers.location).toBe(`/v1/jobs/${id}`);
  expect(response.headers['content-type']).toBeUndefined();
  expect((await rest({ path: `/v1/jobs/${id}` })).json).toMatchObject({ id, method: 'work' });
});

test('calls a driver method by both forms of the path', async () => {
  for (const path of ['/v1/drivers/gated/vendor_passthru?method=survey', '/v1/drivers/gated/vendor_passthru/survey']) {
    expect((await rest({ method: 'POST', path, body: {} })).status).toBe(202);
  }
  expect(Object.keys((await rest({ path: '/v1/drivers/gated/vendor_passthru/methods' })).json)).toEqual(['survey']);
});

describe('a locked node', () => {
  test('returns 409 with the holder, the method and the job under detail', async () => {
    const { headers } = await rest({ method: 'POST', path: `${passthru}/work`, body: {} });
    const { status, fault } = await rest({ method: 'POST', path: `${passthru}/exclusive`, body: {} });
    expect(status).toBe(409);
    expect(fault.faultstring).toContain('is locked by host localhost');
    expect(fault.detail).toMatchObject({
      reason: 'ERROR_REASON_NODE_LOCKED',
      lock: { holder: 'localhost', kind: 'RESERVATION_KIND_CALL', method: 'work', job: headers['passthru-job-id'] },
    });
  });

  test('is waited for up to Passthru-Lock-Wait', async () => {
    await rest({ method: 'POST', path: `${passthru}/work`, body: {} });
    const headers = { ...version, 'Passthru-Lock-Wait': '30.5' };
    const waiting = rest({ method: 'POST', path: `${passthru}/exclusive`, body: {}, headers });
    // The attempts of a call without the header are over long before the lock is freed.
    expect((await rest({ method: 'POST', path: `${passthru}/exclusive`, body: {} })).status).toBe(409);
    (await service.hardware.call(0)).finish(null);
    (await service.hardware.call(1)).finish('waited');
    expect(await waiting).toMatchObject({ status: 200, json: 'waited' });
  });

  test.each(['-1', 'soon', '1e3', '', '1,2', 'Infinity'])('refuses %j as Passthru-Lock-Wait', async (wait) => {
    const headers = { ...version, 'Passthru-Lock-Wait': wait };
    const { status, fault } = await rest({ method: 'POST', path: `${passthru}/exclusive`, body: {}, headers });
    expect(status).toBe(400);
    expect(fault.faultstring).toContain('Passthru-Lock-Wait');
    expect(service.hardware.calls).toHaveLength(0);
  });
});

describe('an Idempotency-Key', () => {
  const headers = { ...version, 'Idempotency-Key': 'key-1' };
  const call = (body: object) => rest({ method: 'POST', path: `${passthru}/work`, body, headers });

  test('runs a repeated call once and returns the same job', async () => {
    const first = await call({ word: 'a' });
    const second = await call({ word: 'a' });
    expect([first.status, second.status]).toEqual([202, 202]);
    expect(second.headers.location).toBe(first.headers.location);
    expect(service.hardware.calls).toHaveLength(1);
  });

  test('is refused with a different call', async () => {
    await call({ word: 'a' });
    expect((await call({ word: 'b' })).status).toBe(400);
  });

  test('is refused when empty or too long', async () => {
    for (const key of ['', 'k'.repeat(256)]) {
      const response = await rest({
        method: 'POST',
        path: `${passthru}/shared`,
        body: {},
        headers: { ...version, 'Idempotency-Key': key },
      });
      expect(response.status).toBe(400);
    }
  });
});

test('returns 503 with Retry-After when no worker is free', async () => {
  const narrow = await startGatedService({ workers: 1 });
  try {
    expect((await send(narrow.url, { method: 'POST', path: `${passthru}/work`, body: {} })).status).toBe(202);
    const path = '/v1/nodes/n2/vendor_passthru/work';
    const response = await send(narrow.url, { method: 'POST', path, body: {} });
    expect(response.status).toBe(503);
    expect(response.headers['retry-after']).toMatch(/^[1-9]\d*$/);
    expect(response.fault.faultcode).toBe('Server');
  } finally {
    await narrow.close();
  }
});

test('returns an error naming the verb that the method does not support', async () => {
  for (const method of ['PUT', 'PATCH', 'DELETE']) {
    const { fault } = await rest({ method, path: `${passthru}/exclusive` });
    expect(fault.faultstring).toBe(`The method exclusive does not support HTTP ${method}`);
  }
});
