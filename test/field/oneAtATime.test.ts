import { request as startRequest } from 'node:http';
import { afterAll, beforeAll, expect, type TestContext, test, vi } from 'vitest';
import { type Command, startPassthru } from '../cli/run.ts';
import { send } from '../rest/client.ts';
import { type PostgresServer, startPostgres } from '../store/postgres/embeddedPostgres.ts';
import { EJECT, type Json, type Received, SUBSCRIPTIONS, startMachine } from './machine.ts';
import { DESTINATION, enrol, type FieldNode, open, rest, serviceUrl } from './operator.ts';

// A machine gets one change at a time, also when the caller of the first has left, cancelled it or given up: its node stays
// reserved until the machine has responded.

const IRONIC = { 'X-OpenStack-Ironic-API-Version': '1.82', 'Content-Type': 'application/json' };

/** The changes at a machine: how many were under way at the same moment at most, and a gate that the first waits at. */
class Changes {
  most = 0;
  count = 0;
  #underWay = 0;
  readonly #began = Promise.withResolvers<void>();
  readonly #gate = Promise.withResolvers<void>();

  /** Resolves when the first change has arrived. */
  get began(): Promise<void> {
    return this.#began.promise;
  }

  /** Lets the machine respond to the first change. */
  respond(): void {
    this.#gate.resolve();
  }

  readonly behave = async ({ method, path }: Received): Promise<undefined> => {
    if (method === 'GET' || ![SUBSCRIPTIONS, EJECT].includes(path)) return;
    this.most = Math.max(this.most, ++this.#underWay);
    this.count++;
    this.#began.resolve();
    await this.#gate.promise;
    this.#underWay--;
  };
}

async function start(context: TestContext) {
  const changes = new Changes();
  context.onTestFinished(() => changes.respond());
  const { node, machine } = await open(context, { behave: changes.behave });
  return { changes, node, machine };
}

/** Creates a subscription, waiting `seconds` for the node. */
async function subscribe({ name }: FieldNode, seconds: number): Promise<number> {
  const path = `/v1/nodes/${name}/vendor_passthru?method=create_subscription`;
  const headers = { ...IRONIC, 'Passthru-Lock-Wait': String(seconds) };
  return (await send(serviceUrl(), { method: 'POST', path, headers, body: { Destination: DESTINATION } })).status;
}

const reservation = async ({ name }: FieldNode) => (await rest('GET', `/v1/nodes/${name}`)).json.reservation;

/** Checks that the node is refused to others until the machine responds, and that the next change comes after that. */
async function expectReserved({ changes, node }: Awaited<ReturnType<typeof start>>): Promise<void> {
  expect(await subscribe(node, 0)).toBe(409);
  const next = subscribe(node, 30);
  await new Promise(setImmediate);
  expect(changes.count).toBe(1);
  changes.respond();
  expect(await next).toBe(200);
  expect({ count: changes.count, most: changes.most }).toEqual({ count: 2, most: 1 });
  await vi.waitFor(async () => expect(await reservation(node)).toBeNull());
}

test('a caller that leaves keeps the node reserved until the machine has responded', async (context) => {
  const started = await start(context);
  const { hostname, port } = new URL(serviceUrl());
  const path = `/v1/nodes/${started.node.name}/vendor_passthru?method=create_subscription`;
  const leaving = startRequest({ hostname, port, path, method: 'POST', headers: IRONIC, agent: false });
  leaving.on('error', () => {}).end(JSON.stringify({ Destination: DESTINATION }));
  await started.changes.began;
  leaving.destroy();
  await expectReserved(started);
});

test('a deadline that passes is told at once, and keeps the node reserved until the machine has responded', async (context) => {
  const started = await start(context);
  const call = (method: string, body: Json, timeout: number) =>
    send(serviceUrl(), {
      method: 'POST',
      path: `/passthru.v1.PassthruService/${method}`,
      headers: { 'Content-Type': 'application/json', 'Connect-Timeout-Ms': String(timeout) },
      body,
    });
  // The first call logs in and reads, so that the deadline passes at the change.
  await started.node.call('get_all_subscriptions');
  const { name } = started.node;
  const given = { node: name, method: 'create_subscription', arguments: { Destination: DESTINATION } };
  const { status, json } = await call('CallNodeMethod', given, 500);
  expect({ status, code: json.code }).toEqual({ status: 504, code: 'deadline_exceeded' });
  await started.changes.began;
  await expectReserved(started);
});

test('a cancelled job keeps the node reserved, and its request is not sent again', async (context) => {
  const started = await start(context);
  const { changes, node, machine } = started;
  const accepted = await rest('POST', `/v1/nodes/${node.name}/vendor_passthru?method=eject_vmedia`, {});
  const job = String(accepted.headers['passthru-job-id']);
  await changes.began;
  const cancelled = rest('DELETE', `/v1/jobs/${job}`);
  expect(await subscribe(node, 0)).toBe(409);
  expect((await rest('GET', `/v1/jobs/${job}`)).json.state).toBe('JOB_STATE_RUNNING');
  await expectReserved(started);
  expect((await cancelled).status).toBe(200);
  const ended = (await rest('GET', `/v1/jobs/${job}`)).json;
  expect(ended).toMatchObject({ state: 'JOB_STATE_CANCELLED' });
  expect(ended.error.message).toContain('the BMC had accepted its eject; it is empty now');
  expect(machine.sent('POST', EJECT)).toHaveLength(1);
});

test('a request that the machine never responds to frees the node when its time is over', async (context) => {
  const { changes, machine } = await start(context);
  const node = await enrol({ redfish_address: machine.url, redfish_request_timeout: 0.5 });
  const job = await rest('POST', `/v1/nodes/${node.name}/vendor_passthru?method=eject_vmedia`, {});
  await changes.began;
  await rest('DELETE', `/v1/jobs/${String(job.headers['passthru-job-id'])}`);
  await vi.waitFor(async () => expect(await reservation(node)).toBeNull(), { timeout: 30_000 });
});

let postgres: PostgresServer;
const replicas: Command[] = [];
beforeAll(async () => {
  postgres = await startPostgres();
});
afterAll(async () => {
  for (const replica of replicas) replica.process.kill('SIGKILL');
  await Promise.all(replicas.map(({ ended }) => ended));
  await postgres.remove();
});

async function startReplica(store: string, name: string): Promise<string> {
  const replica = startPassthru(['serve'], {
    PASSTHRU_LISTEN: '127.0.0.1:0',
    PASSTHRU_STORE: store,
    PASSTHRU_SECRETS_PLAIN: 'true',
    PASSTHRU_HOST: name,
    PASSTHRU_NODE_LOCK_LEASE: '3s',
    PASSTHRU_NODE_LOCKED_RETRY_INTERVAL: '200ms',
    PASSTHRU_REDFISH_REQUEST_TIMEOUT: '500ms',
  });
  replicas.push(replica);
  const [, url] = await replica.printed(/^listening on (http:\/\/\S+)$/m);
  return url!;
}

test('the node of a killed replica stays reserved for the time of a request of its own, not of the service', async (context) => {
  const store = postgres.url(await postgres.createDatabase());
  const [a, b] = [await startReplica(store, 'a'), await startReplica(store, 'b')];
  let underWay = 0;
  let most = 0;
  const began = Promise.withResolvers<void>();
  // The machine works on, whoever has gone. Longer than the shortest grace (5 s) and the lease.
  const { machine, stop } = await startMachine({
    async behave({ method, path }) {
      if (method !== 'POST' || path !== SUBSCRIPTIONS) return undefined;
      most = Math.max(most, ++underWay);
      began.resolve();
      await new Promise((resolve) => setTimeout(resolve, 10_500));
      underWay--;
      return undefined;
    },
  });
  context.onTestFinished(stop);
  const info = {
    redfish_address: machine.url,
    redfish_username: 'u',
    redfish_password: 'p',
    redfish_request_timeout: 11,
  };
  const enrolled = { name: 'slow', driver: 'redfish', driver_info: info };
  expect((await send(a, { method: 'POST', path: '/v1/nodes', headers: IRONIC, body: enrolled })).status).toBe(201);
  const call = (base: string) =>
    send(base, {
      method: 'POST',
      path: '/v1/nodes/slow/vendor_passthru?method=create_subscription',
      headers: { ...IRONIC, 'Passthru-Lock-Wait': '50' },
      body: { Destination: DESTINATION },
    });
  const lost = call(a).catch(() => null);
  await began.promise;
  replicas[0]!.process.kill('SIGKILL');
  // On a busy machine a lease as short as this is lost now and then.
  await vi.waitFor(
    async () => {
      const response = await call(b);
      expect(response.status, response.text).toBe(200);
    },
    { timeout: 100_000 },
  );
  expect(await lost).toBeNull();
  expect(most).toBe(1);
  expect(machine.sent('POST', SUBSCRIPTIONS)).toHaveLength(2);
}, 120_000);
