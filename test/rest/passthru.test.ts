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

const ask = (sent: Parameters<typeof send>[1]) => send(service.url, sent);
const version = { 'X-OpenStack-Ironic-API-Version': '1.80' };
const passthru = '/v1/nodes/n1/vendor_passthru';

describe('a synchronous call', () => {
  test('that answers nothing gets 200 and null', async () => {
    const answer = ask({ method: 'POST', path: `${passthru}?method=exclusive`, body: {} });
    (await service.hardware.call(0)).finish(null);
    expect(await answer).toMatchObject({ status: 200, text: 'null' });
    expect((await answer).headers['content-type']).toBe('application/json');
  });

  test('by GET without a body takes its arguments from the query, in both forms of the path', async () => {
    for (const [index, path] of [
      `${passthru}?method=both_verbs&word=a+b%26c`,
      `${passthru}/both_verbs?word=a+b%26c`,
    ].entries()) {
      const answer = ask({ path });
      const call = await service.hardware.call(index);
      expect(call.args).toEqual({ word: 'a b&c' });
      call.finish({ done: true });
      expect((await answer).json).toEqual({ done: true });
    }
  });

  test('by GET with a body takes its arguments from the body and refuses extra query', async () => {
    const answer = ask({ path: `${passthru}/both_verbs`, body: { word: 'x' } });
    const call = await service.hardware.call(0);
    expect(call.args).toEqual({ word: 'x' });
    call.finish(null);
    await answer;
    const refused = await ask({ path: `${passthru}/both_verbs?count=1`, body: { word: 'x' } });
    expect(refused).toMatchObject({ status: 400, fault: { faultstring: 'Unexpected arguments: count' } });
  });

  test('takes an argument called method from the query of the form that names the method in the path', async () => {
    const answer = await ask({ path: `${passthru}/both_verbs?method=x` });
    expect(answer.status).toBe(400);
    expect(answer.fault.faultstring).toContain('Unexpected arguments: method');
    expect(service.hardware.calls).toHaveLength(0);
  });

  test('is cancelled when its caller leaves, and the node is free again', async () => {
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

    const next = ask({ method: 'POST', path: `${passthru}/exclusive`, body: {} });
    (await service.hardware.call(1)).finish('after');
    expect((await next).json).toBe('after');
  });

  test('that fails by a defect gets 500 without the internal text', async () => {
    const answer = await ask({ method: 'POST', path: `${passthru}/defect`, body: {} });
    expect(answer).toMatchObject({ status: 500, fault: { faultcode: 'Server', debuginfo: null } });
    expect(answer.text).not.toContain('internal text');
  });

  test('that the BMC refused gets what the BMC said under detail, and no other member outside', async () => {
    const answer = ask({ method: 'POST', path: `${passthru}/exclusive`, body: {} });
    const extendedInfo = [{ MessageId: 'Base.1.8.NoPower', Message: 'no power' }];
    const error = new PassthruError('bmc_refused', 'Redfish exception occurred.', {
      bmc: { status: 409, extendedInfo },
    });
    (await service.hardware.call(0)).fail(error);
    const { status, json, fault } = await answer;
    expect(status).toBe(500);
    expect(Object.keys(json)).toEqual(['error_message']);
    expect(fault.detail).toMatchObject({
      reason: 'ERROR_REASON_BMC_REFUSED',
      bmc: { status: 409, extended_info: extendedInfo },
    });
  });
});

test('a bad argument is named in the violations under detail', async () => {
  const { status, fault } = await ask({ method: 'POST', path: `${passthru}/exclusive`, body: { word: 5 } });
  expect(status).toBe(400);
  expect(fault.detail.violations).toEqual([{ field: 'arguments.word', description: expect.any(String) }]);
});

test('an attachment answers its bytes with media type and file name', async () => {
  const answer = await ask({ path: `${passthru}/attachment` });
  expect(answer.text).toBe('a,b\n');
  expect(answer.headers).toMatchObject({
    'content-type': 'text/csv',
    'content-disposition': 'attachment; filename=table.csv',
    'content-length': '4',
    'x-content-type-options': 'nosniff',
  });
});

test('an asynchronous call answers 202 without body or type, and names its job', async () => {
  const answer = await ask({ method: 'POST', path: `${passthru}?method=work` });
  const id = answer.headers['passthru-job-id'];
  expect(answer).toMatchObject({ status: 202, text: '' });
  expect(answer.headers.location).toBe(`/v1/jobs/${id}`);
  expect(answer.headers['content-type']).toBeUndefined();
  expect((await ask({ path: `/v1/jobs/${id}` })).json).toMatchObject({ id, method: 'work' });
});

test('a driver method is called by both forms of the path', async () => {
  for (const path of ['/v1/drivers/gated/vendor_passthru?method=survey', '/v1/drivers/gated/vendor_passthru/survey']) {
    expect((await ask({ method: 'POST', path, body: {} })).status).toBe(202);
  }
  expect(Object.keys((await ask({ path: '/v1/drivers/gated/vendor_passthru/methods' })).json)).toEqual(['survey']);
});

describe('a locked node', () => {
  test('gets a second caller 409 with the holder, the method and the job under detail', async () => {
    const { headers } = await ask({ method: 'POST', path: `${passthru}/work`, body: {} });
    const { status, fault } = await ask({ method: 'POST', path: `${passthru}/exclusive`, body: {} });
    expect(status).toBe(409);
    expect(fault.faultstring).toContain('is locked by host localhost');
    expect(fault.detail).toMatchObject({
      reason: 'ERROR_REASON_NODE_LOCKED',
      lock: { holder: 'localhost', kind: 'RESERVATION_KIND_CALL', method: 'work', job: headers['passthru-job-id'] },
    });
  });

  test('is waited for as long as Passthru-Lock-Wait says', async () => {
    await ask({ method: 'POST', path: `${passthru}/work`, body: {} });
    const headers = { ...version, 'Passthru-Lock-Wait': '30.5' };
    const waiting = ask({ method: 'POST', path: `${passthru}/exclusive`, body: {}, headers });
    // The attempts of a call without the header are over long before the lock is freed.
    expect((await ask({ method: 'POST', path: `${passthru}/exclusive`, body: {} })).status).toBe(409);
    (await service.hardware.call(0)).finish(null);
    (await service.hardware.call(1)).finish('waited');
    expect(await waiting).toMatchObject({ status: 200, json: 'waited' });
  });

  test.each(['-1', 'soon', '1e3', '', '1,2', 'Infinity'])('refuses %j as Passthru-Lock-Wait', async (wait) => {
    const headers = { ...version, 'Passthru-Lock-Wait': wait };
    const { status, fault } = await ask({ method: 'POST', path: `${passthru}/exclusive`, body: {}, headers });
    expect(status).toBe(400);
    expect(fault.faultstring).toContain('Passthru-Lock-Wait');
    expect(service.hardware.calls).toHaveLength(0);
  });
});

describe('an Idempotency-Key', () => {
  const headers = { ...version, 'Idempotency-Key': 'key-1' };
  const call = (body: object) => ask({ method: 'POST', path: `${passthru}/work`, body, headers });

  test('runs the same call once and answers the same job', async () => {
    const first = await call({ word: 'a' });
    const second = await call({ word: 'a' });
    expect([first.status, second.status]).toEqual([202, 202]);
    expect(second.headers.location).toBe(first.headers.location);
    expect(service.hardware.calls).toHaveLength(1);
  });

  test('is refused with another call', async () => {
    await call({ word: 'a' });
    expect((await call({ word: 'b' })).status).toBe(400);
  });

  test('that is empty or too long is refused', async () => {
    for (const key of ['', 'k'.repeat(256)]) {
      const answer = await ask({
        method: 'POST',
        path: `${passthru}/shared`,
        body: {},
        headers: { ...version, 'Idempotency-Key': key },
      });
      expect(answer.status).toBe(400);
    }
  });
});

test('a call that finds no free worker gets 503 with Retry-After', async () => {
  const narrow = await startGatedService({ workers: 1 });
  try {
    expect((await send(narrow.url, { method: 'POST', path: `${passthru}/work`, body: {} })).status).toBe(202);
    const path = '/v1/nodes/n2/vendor_passthru/work';
    const answer = await send(narrow.url, { method: 'POST', path, body: {} });
    expect(answer.status).toBe(503);
    expect(answer.headers['retry-after']).toMatch(/^[1-9]\d*$/);
    expect(answer.fault.faultcode).toBe('Server');
  } finally {
    await narrow.close();
  }
});

test('a method that does not have the verb says so, whatever the verb', async () => {
  for (const method of ['PUT', 'PATCH', 'DELETE']) {
    const { fault } = await ask({ method, path: `${passthru}/exclusive` });
    expect(fault.faultstring).toBe(`The method exclusive does not support HTTP ${method}`);
  }
});
