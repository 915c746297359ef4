import { expect, test } from 'vitest';
import { type Answer, CD, EJECT, FIRST, fault } from './machine.ts';
import { open, rest, serviceUrl } from './operator.ts';

// What a machine asks to wait for is waited for within the call's deadline, and no longer.

/** Calls a method by Connect's JSON with a deadline. */
async function callWithin(ms: number, node: string, method: string, args: object) {
  const response = await fetch(`${serviceUrl()}/passthru.v1.PassthruService/CallNodeMethod`, {
    method: 'POST',
    headers: { 'Content-Type': 'application/json', 'Connect-Protocol-Version': '1', 'Connect-Timeout-Ms': String(ms) },
    body: JSON.stringify({ node, method, arguments: args }),
  });
  return (await response.json()) as { code?: string };
}

const LONG: readonly (readonly [string, Answer])[] = [
  ['503 with Retry-After', { status: 503, headers: { 'Retry-After': '3600' } }],
  ['429 with Retry-After', { status: 429, headers: { 'Retry-After': '3600' } }],
  ['503 with a date', { status: 503, headers: { 'Retry-After': new Date(Date.now() + 3_600_000).toUTCString() } }],
  ['a message that names the seconds', fault(503, 'Base.1.8.ServiceTemporarilyUnavailable', { MessageArgs: ['3600'] })],
  ['SYS518', fault(503, 'IDRAC.2.8.SYS518', {}, { 'Retry-After': '3600' })],
];

test.concurrent.for(LONG)('a call ends with its deadline where a read gets %s', async ([, answer], context) => {
  const { machine, node } = await open(context, { behave: ({ path }) => (path === FIRST ? answer : undefined) });
  const { code } = await callWithin(1200, node.name, 'get_subscription', { id: 'first' });
  expect(['deadline_exceeded', 'internal', 'unavailable', 'failed_precondition']).toContain(code);
  expect(machine.sent('GET', FIRST).length).toBeLessThanOrEqual(5);
  // The node is free again, and the machine is read at once.
  expect((await node.call('get_all_subscriptions')).status).toBe(200);
});

test.concurrent('a job that waits for a machine can be cancelled', async (context) => {
  const { machine, node } = await open(context, {
    behave: ({ method, path }) =>
      method === 'POST' && path === EJECT ? fault(503, 'IDRAC.2.8.SYS518', {}, { 'Retry-After': '20' }) : undefined,
  });
  const accepted = await rest('POST', `/v1/nodes/${node.name}/vendor_passthru?method=eject_vmedia`, {});
  const job = `/v1/jobs/${accepted.headers['passthru-job-id']}`;
  while (machine.sent('POST', EJECT).length === 0) await new Promise((resolve) => setTimeout(resolve, 20));
  await rest('DELETE', job);
  let state = 'JOB_STATE_RUNNING';
  while (state === 'JOB_STATE_RUNNING') {
    await new Promise((resolve) => setTimeout(resolve, 50));
    state = (await rest('GET', job)).json.state;
  }
  expect(state).toBe('JOB_STATE_CANCELLED');
  expect(machine.sent('POST', EJECT)).toHaveLength(1);
  expect(machine.documents.get(CD)!.Inserted).toBe(true);
  expect((await node.call('get_all_subscriptions')).status).toBe(200);
}, 15_000);
