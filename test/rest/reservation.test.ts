import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { send } from './client.ts';
import { type GatedService, startGatedService } from './gatedService.ts';

let service: GatedService;
beforeEach(async () => {
  service = await startGatedService({ maxLockDuration: 3_600_000 });
});
afterEach(() => service.close());

const VERSION = { 'X-OpenStack-Ironic-API-Version': '1.80' };
const rest = (method: string, path: string, body?: unknown, headers: Record<string, string> = {}) =>
  send(service.url, { method, path: `/v1/nodes/${path}`, body, headers: { ...VERSION, ...headers } });
const withKey = (key: string) => ({ 'Passthru-Reservation-Key': key });
const call = (headers: Record<string, string> = {}, node = 'n1') =>
  rest('POST', `${node}/vendor_passthru?method=exclusive`, {}, { 'Passthru-Lock-Wait': '0', ...headers });

/** Calls with the key, and lets the call end. */
async function callToEnd(key: string) {
  const response = call(withKey(key));
  (await service.hardware.call(service.hardware.calls.length)).finish('done');
  return response;
}

test('PUT locks a node and returns its key; calls with the key run, until DELETE', async () => {
  const locked = await rest('PUT', 'n1/reservation', { holder: 'console', reason: 'firmware', duration: 900 });
  expect(locked.status).toBe(201);
  expect(locked.headers['cache-control']).toBe('no-store');
  const { reservation_key: key, reservation } = locked.json;
  expect(key).toMatch(/^passthru_rsv_[\w-]{32}$/);
  expect(reservation).toEqual({
    holder: 'console',
    kind: 'RESERVATION_KIND_HELD',
    requested_by: 'anonymous',
    since: expect.any(String),
    reason: 'firmware',
    expire_time: expect.any(String),
  });
  expect((await rest('GET', 'n1/reservation')).json).toEqual({ reservation });
  // As Ironic shows it.
  expect((await rest('GET', 'n1?fields=reservation')).json).toMatchObject({ reservation: 'console' });

  expect(await callToEnd(key)).toMatchObject({ status: 200, json: 'done' });
  const refused = await call();
  expect(refused.status).toBe(409);
  expect(refused.fault).toMatchObject({ faultcode: 'Client', detail: { lock: reservation } });
  expect(refused.fault.faultstring).toContain('is locked by host console, please retry');

  expect(await rest('DELETE', 'n1/reservation', undefined, withKey(key))).toMatchObject({ status: 204, text: '' });
  expect((await rest('GET', 'n1/reservation')).json).toEqual({ reservation: null });
  expect(await call(withKey(key))).toMatchObject({ status: 400 });
});

test('PATCH renews a lock from now on, or until it is unlocked', async () => {
  const { json } = await rest('PUT', 'n1/reservation', { duration: 60 });
  const renewed = await rest('PATCH', 'n1/reservation', { duration: 600.5 }, withKey(json.reservation_key));
  expect(renewed.status).toBe(200);
  const { expire_time: end } = renewed.json.reservation;
  expect(Date.parse(end) - Date.now()).toBeGreaterThan(500_000);
  expect(renewed.text).not.toContain(json.reservation_key);
  const forever = await rest('PATCH', 'n1/reservation', {}, withKey(json.reservation_key));
  expect(forever.json.reservation).not.toHaveProperty('expire_time');
});

test('a key that has ended, or of another node, gets 400 and runs nothing', async () => {
  const { json: first } = await rest('PUT', 'n1/reservation');
  await rest('DELETE', 'n1/reservation', undefined, withKey(first.reservation_key));
  const { json: other } = await rest('PUT', 'n2/reservation');
  for (const key of [first.reservation_key, other.reservation_key]) {
    for (const attempt of [
      call(withKey(key)),
      rest('PATCH', 'n1/reservation', {}, withKey(key)),
      rest('DELETE', 'n1/reservation', undefined, withKey(key)),
    ]) {
      const { status, fault, text } = await attempt;
      expect([status, fault.faultcode]).toEqual([400, 'Client']);
      expect(fault.faultstring).toContain('that reservation has ended, or is of another node');
      expect(text).not.toContain(key);
    }
  }
  expect(service.hardware.calls).toHaveLength(0);
});

test('a locked node refuses a second lock with 409, unless it waits its turn', async () => {
  const { json } = await rest('PUT', 'n1/reservation', { reason: 'first' });
  const refused = await rest('PUT', 'n1/reservation', {}, { 'Passthru-Lock-Wait': '0' });
  expect([refused.status, refused.fault.detail.lock.reason]).toEqual([409, 'first']);
  const waiting = rest('PUT', 'n1/reservation', { reason: 'second' }, { 'Passthru-Lock-Wait': '30' });
  await rest('DELETE', 'n1/reservation', undefined, withKey(json.reservation_key));
  expect((await waiting).json.reservation.reason).toBe('second');
});

test('DELETE succeeds on a free node, and refuses to end the reservation of a call', async () => {
  expect(await rest('DELETE', 'n1/reservation')).toMatchObject({ status: 204 });
  const running = call();
  const { finish } = await service.hardware.call(0);
  expect((await rest('GET', 'n1/reservation')).json.reservation).toMatchObject({
    kind: 'RESERVATION_KIND_CALL',
    method: 'exclusive',
  });
  const refused = await rest('DELETE', 'n1/reservation');
  expect([refused.status, refused.fault.detail.lock.method]).toEqual([409, 'exclusive']);
  finish(null);
  await running;
});

describe('bad input is refused with its field, and locks nothing', () => {
  test.each<[string, string, unknown, Record<string, string>?]>([
    ['PUT', 'duration', { duration: 0 }],
    ['PUT', 'duration', { duration: -5 }],
    ['PUT', 'duration', { duration: 3601 }],
    ['PUT', 'duration', { duration: '15m' }],
    ['PUT', 'reason', { reason: 7 }],
    ['PUT', 'reason', { reason: 'x'.repeat(256) }],
    ['PUT', 'holder', { holder: '' }],
    ['PUT', 'hodler', { hodler: 'x' }],
    ['PUT', 'Passthru-Lock-Wait', {}, { 'Passthru-Lock-Wait': 'long' }],
    ['PATCH', 'duration', { duration: 3601 }],
    ['PATCH', 'reason', { reason: 'x' }],
    ['PATCH', 'Passthru-Reservation-Key', {}, withKey('passthru_rsv_1')],
    ['DELETE', 'Passthru-Reservation-Key', undefined, withKey('')],
  ])('%s: %s of %j', async (method, field, body, headers) => {
    const { status, fault } = await rest(method, 'n1/reservation', body, headers);
    expect([status, fault.detail.violations]).toEqual([400, [{ field, description: expect.any(String) }]]);
    expect(JSON.stringify(fault)).not.toContain('passthru_rsv_1');
    expect((await rest('GET', 'n1/reservation')).json).toEqual({ reservation: null });
  });

  test('a query, or a body that is not an object', async () => {
    expect((await rest('PUT', 'n1/reservation?duration=5')).status).toBe(400);
    expect((await rest('PUT', 'n1/reservation', ['x'])).status).toBe(400);
    expect((await rest('PUT', 'nope/reservation')).status).toBe(404);
    expect((await rest('POST', 'n1/reservation')).status).toBe(405);
  });

  test('a malformed key of a call, before anything is looked up', async () => {
    const { status, fault } = await call(withKey('passthru_rsv_1'), 'nope');
    expect([status, fault.detail.violations[0].field]).toEqual([400, 'Passthru-Reservation-Key']);
    expect(fault.faultstring).not.toContain('passthru_rsv_1');
  });
});
