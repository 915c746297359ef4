// The load balancers of docs/events.md and docs/operating.md, as they are documented but for addresses and files: two replicas on
// PostgreSQL behind them, BMCs that send by TLS, and watchers.
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { createClient } from '@connectrpc/connect';
import { createGrpcTransport } from '@connectrpc/connect-node';
import { Agent, type Dispatcher, fetch } from 'undici';
import { afterAll, afterEach, beforeAll, describe, expect, test, vi } from 'vitest';
import { parse } from 'yaml';
import { EventService } from '../../gen/passthru/v1/event_pb.ts';
import { type Fleet, PROFILES, QUIRKS, startFleet } from '../../src/sim/index.ts';
import { makeAuthority } from '../auth/certificates.ts';
import { type Command, startPassthru } from '../cli/run.ts';
import { needs } from '../needs.ts';
import { type PostgresServer, startPostgres } from '../store/postgres/embeddedPostgres.ts';
import { Balancer, balancersMissing, examplesOf, freePort, withPlaces } from './balancers.ts';

const VERSION = { 'X-OpenStack-Ironic-API-Version': '1.80' };

const authority = makeAuthority('passthru');
const certificate = authority.issue({ loopback: true });

let directory: string;
let postgres: PostgresServer;
let balancer: Balancer | null = null;
let dispatcher: Dispatcher;
const fleets: Fleet[] = [];
const replicas = new Map<string, Command>();

const crt = () => join(directory, 'events.crt');
const key = () => join(directory, 'events.key');

/** The ports of the replicas' receivers and APIs. */
interface Ports {
  events: [a: number, b: number];
  api: [a: number, b: number];
  /** Of the balancer. */
  front: number;
}

async function choosePorts(): Promise<Ports> {
  const [a, b, c, d, front] = await Promise.all(Array.from({ length: 5 }, freePort));
  return { events: [a!, b!], api: [c!, d!], front: front! };
}

/** Starts replica a or b again and again under the same addresses. */
async function startReplica(name: 'a' | 'b', ports: Ports, environment: Record<string, string>): Promise<void> {
  const index = name === 'a' ? 0 : 1;
  const command = startPassthru(['serve'], {
    PASSTHRU_HOST: name,
    PASSTHRU_LISTEN: `127.0.0.1:${ports.api[index]}`,
    PASSTHRU_EVENTS_LISTEN: `127.0.0.1:${ports.events[index]}`,
    PASSTHRU_EVENTS_VERIFY_INTERVAL: '2s',
    PASSTHRU_EVENTS_TEST_TIMEOUT: '20s',
    PASSTHRU_SECRETS_PLAIN: 'true',
    PASSTHRU_REDFISH_CONNECTION_ATTEMPTS: '1',
    PGPASSWORD: '',
    ...environment,
  });
  replicas.set(name, command);
  await command.printed(/^listening on /m);
}

async function endReplica(name: 'a' | 'b', signal: NodeJS.Signals): Promise<void> {
  const command = replicas.get(name);
  replicas.delete(name);
  command?.process.kill(signal);
  await command?.ended;
}

// biome-ignore lint/suspicious/noExplicitAny: documents of REST
async function rest(url: string, method: string, path: string, body?: unknown): Promise<any> {
  const response = await fetch(url + path, {
    method,
    headers: { ...VERSION, 'Content-Type': 'application/json' },
    ...(body === undefined ? {} : { body: JSON.stringify(body) }),
    dispatcher,
  });
  const text = await response.text();
  if (!response.ok) throw new Error(`${method} ${path}: ${response.status} ${text}`);
  return text === '' ? null : JSON.parse(text);
}

/** Starts BMCs that verify the certificate of the balancer, enrols them, and sets a source for each. */
async function enrol(api: string, count: number, host = '127.0.0.1'): Promise<Fleet> {
  const fleet = await startFleet({
    ...{ count, host, profile: PROFILES.get('plain')!, quirks: [QUIRKS.get('event-verifies')!] },
    ...{ eventCa: authority.cert, eventRetryInterval: 200 },
  });
  fleets.push(fleet);
  for (const [index, { url }] of fleet.bmcs.entries()) {
    const driver_info = { redfish_address: url, redfish_username: 'u', redfish_password: 'p' };
    await rest(api, 'POST', '/v1/nodes', { name: `bmc-${index}`, driver: 'redfish', driver_info });
    await rest(api, 'PUT', `/v1/nodes/bmc-${index}/event_source`, { transport: 'push' });
  }
  return fleet;
}

const sources = async (api: string) =>
  (await rest(api, 'GET', '/v1/event_sources')).event_sources as { state: string; reason: string }[];

async function active(api: string, count: number): Promise<void> {
  await vi.waitFor(
    async () => {
      const all = await sources(api);
      expect(all.map(({ state, reason }) => `${state} ${reason}`)).toEqual(
        Array.from({ length: count }, () => 'EVENT_SOURCE_STATE_ACTIVE '),
      );
    },
    { timeout: 90_000, interval: 500 },
  );
}

/** Returns the BMCs' ids of all stored records. */
async function stored(api: string): Promise<Set<string>> {
  const ids = new Set<string>();
  for (let url: string | undefined = `${api}/v1/events?limit=1000`; url !== undefined; ) {
    const page = await rest(url, 'GET', '');
    for (const { node_uuid, bmc_event_id } of page.events) ids.add(`${node_uuid} ${bmc_event_id}`);
    url = page.next;
  }
  return ids;
}

/** Sends events of all BMCs until `stopped`. */
async function sendUntil(stopped: AbortSignal, { bmcs }: Fleet): Promise<void> {
  while (!stopped.aborted) {
    for (const { events } of bmcs) events.send({ message: 'text' });
    await sleep(50);
  }
}

/** Tells how long after `send` the first thing arrives by a stream of Server-Sent Events and by one of gRPC, in turn. */
async function watchBy(api: string, fleet: Fleet): Promise<void> {
  const abort = new AbortController();
  const response = await fetch(`${api}/v1/events/stream`, { signal: abort.signal, dispatcher });
  expect(response.status).toBe(200);
  let read = '';
  const reading = (async () => {
    for await (const chunk of response.body!) read += Buffer.from(chunk as Uint8Array).toString();
  })().catch(() => {});
  const told: string[] = [];
  const transport = createGrpcTransport({
    baseUrl: api,
    ...(api.startsWith('https:') ? { nodeOptions: { ca: authority.cert } } : {}),
  });
  const client = createClient(EventService, transport);
  const watching = (async () => {
    for await (const { update } of client.watchEvents({}, { signal: abort.signal })) {
      if (update.case === 'event') told.push(update.value.message);
    }
  })().catch((error: unknown) => told.push(`ended: ${error}`));
  // Each is told before the next is made, so that none waits in a buffer for more.
  await sleep(500);
  for (let number = 0; number < 5; number++) {
    const message = `alone ${number} by ${api}`;
    await vi.waitFor(
      () => {
        fleet.bmcs[0]!.events.send({ message });
        expect({ sse: read.includes(message), grpc: told }).toEqual({
          sse: true,
          grpc: expect.arrayContaining([message]),
        });
      },
      { interval: 2000 },
    );
  }
  abort.abort();
  await Promise.all([reading, watching]);
}

/** Ends replicas in turn while BMCs send: whatever was acknowledged is stored. */
async function endInTurn(ports: Ports, fleet: Fleet, environment: Record<string, string>): Promise<void> {
  const stopped = new AbortController();
  const sending = sendUntil(stopped.signal, fleet);
  for (const [name, signal] of [
    ['a', 'SIGKILL'],
    ['b', 'SIGTERM'],
    ['b', 'SIGKILL'],
    ['a', 'SIGTERM'],
  ] as const) {
    await sleep(1000);
    await endReplica(name, signal);
    await sleep(1000);
    await startReplica(name, ports, environment);
  }
  stopped.abort();
  await sending;
  await Promise.all(fleet.bmcs.map(({ events }) => events.idle()));
  const api = `http://127.0.0.1:${ports.api[0]}`;
  const acknowledged = new Set<string>();
  for (const [index, { events }] of fleet.bmcs.entries()) {
    const { uuid } = await rest(api, 'GET', `/v1/nodes/bmc-${index}`);
    for (const id of events.acknowledged) acknowledged.add(`${uuid} ${id}`);
  }
  expect(acknowledged.size).toBeGreaterThan(100);
  const all = await stored(api);
  expect([...acknowledged].filter((id) => !all.has(id))).toEqual([]);
}

describe('behind a load balancer', { ...needs(balancersMissing()), timeout: 300_000 }, () => {
  beforeAll(async () => {
    directory = mkdtempSync(join(tmpdir(), 'passthru-balancers-'));
    writeFileSync(crt(), certificate.cert);
    writeFileSync(key(), certificate.key);
    postgres = await startPostgres();
    dispatcher = new Agent({ connect: { ca: authority.cert } });
  });
  afterEach(async () => {
    for (const name of ['a', 'b'] as const) await endReplica(name, 'SIGKILL');
    await balancer?.[Symbol.asyncDispose]();
    balancer = null;
    for (const fleet of fleets.splice(0)) await fleet.close();
  });
  afterAll(async () => {
    await dispatcher.close();
    await postgres.remove();
    rmSync(directory, { recursive: true });
  });

  /** Starts the replicas, before the balancer: HAProxy takes one that does not listen for down, and looks again after a while. */
  async function startBoth(ports: Ports, environment: Record<string, string>): Promise<Record<string, string>> {
    const database = await postgres.createDatabase();
    const all = {
      PASSTHRU_STORE: postgres.url(database),
      PASSTHRU_EVENTS_VERIFY_SENDER: 'off',
      ...environment,
    };
    await Promise.all([startReplica('a', ports, all), startReplica('b', ports, all)]);
    return all;
  }

  const nginxOfEvents = (ports: Ports) =>
    withPlaces(examplesOf('events.md', 'nginx')[0]!, [
      ['10.0.1.11:6386', `127.0.0.1:${ports.events[0]}`],
      ['10.0.1.12:6386', `127.0.0.1:${ports.events[1]}`],
      ['listen 6386', `listen 127.0.0.1:${ports.front}`],
      ['/etc/nginx/events.crt', crt()],
      ['/etc/nginx/events.key', key()],
      ['/var/log/nginx/events.log', join(directory, 'events.log')],
    ]);

  test('nginx that ends TLS passes events on, and the end of a replica loses none that was acknowledged', async () => {
    const ports = await choosePorts();
    const environment = await startBoth(ports, { PASSTHRU_EVENTS_URL: `https://127.0.0.1:${ports.front}/bmc` });
    balancer = await Balancer.nginx({ http: nginxOfEvents(ports) }, ports.front);
    const api = `http://127.0.0.1:${ports.api[0]}`;
    const fleet = await enrol(api, 4);
    await active(api, 4);
    await endInTurn(ports, fleet, environment);
    // Not even a post that could not be passed on is in a log.
    const logged = balancer.output + readFileSync(join(directory, 'events.log'), 'utf8');
    expect(logged).not.toContain('passthru_evt_');
  });

  test('HAProxy that passes TLS through does too', async () => {
    const ports = await choosePorts();
    const configuration = withPlaces(examplesOf('events.md', 'haproxy')[0]!, [
      ['10.0.1.11:6386', `127.0.0.1:${ports.events[0]}`],
      ['10.0.1.12:6386', `127.0.0.1:${ports.events[1]}`],
      ['bind :6386', `bind 127.0.0.1:${ports.front}`],
    ]);
    const environment = await startBoth(ports, {
      PASSTHRU_EVENTS_URL: `https://127.0.0.1:${ports.front}/bmc`,
      PASSTHRU_EVENTS_TLS_CERT_FILE: crt(),
      PASSTHRU_EVENTS_TLS_KEY_FILE: key(),
    });
    balancer = await Balancer.haproxy(configuration, ports.front);
    const api = `http://127.0.0.1:${ports.api[0]}`;
    const fleet = await enrol(api, 4);
    await active(api, 4);
    await endInTurn(ports, fleet, environment);
    expect(balancer.output).not.toMatch(/missing timeouts/);
  });

  test('the sender check sees the address of the balancer, whatever a header says', async () => {
    const ports = await choosePorts();
    const forwarding = nginxOfEvents(ports).replace(
      'proxy_set_header Connection "";',
      '$& proxy_set_header X-Forwarded-For 127.0.0.2;',
    );
    balancer = await Balancer.nginx({ http: forwarding }, ports.front);
    await startBoth(ports, {
      PASSTHRU_EVENTS_URL: `https://127.0.0.1:${ports.front}/bmc`,
      PASSTHRU_EVENTS_VERIFY_SENDER: 'refuse',
      PASSTHRU_EVENTS_TEST_TIMEOUT: '2s',
    });
    const api = `http://127.0.0.1:${ports.api[0]}`;
    const fleet = await enrol(api, 1, '127.0.0.2');
    await vi.waitFor(async () => {
      expect(await sources(api)).toMatchObject([{ reason: expect.stringContaining('No test event arrived') }]);
    });
    expect(fleet.bmcs[0]!.events.counters.refused).toBeGreaterThan(0);
    expect((await stored(api)).size).toBe(0);
  });

  test('watchers are told at once through nginx that passes connections on (examples/deploy/compose.yaml)', async () => {
    const ports = await choosePorts();
    const compose = parse(readFileSync(new URL('../../examples/deploy/compose.yaml', import.meta.url), 'utf8'), {
      merge: true,
    });
    const stream = withPlaces(String(compose.configs.nginx.content).replace('events {}', ''), [
      ['passthru-1:6385', `127.0.0.1:${ports.api[0]}`],
      ['passthru-2:6385', `127.0.0.1:${ports.api[1]}`],
      ['server passthru-3:6385 max_fails=1 fail_timeout=5s;', ''],
      ['listen 6385', `listen 127.0.0.1:${ports.front}`],
    ]);
    await startBoth(ports, { PASSTHRU_EVENTS_URL: `http://127.0.0.1:${ports.events[0]}` });
    balancer = await Balancer.nginx({ stream }, ports.front);
    const api = `http://127.0.0.1:${ports.front}`;
    const fleet = await enrol(api, 1);
    await active(api, 1);
    await watchBy(api, fleet);
  });

  test('watchers are told at once through nginx that ends TLS (docs/operating.md)', async () => {
    const ports = await choosePorts();
    const http = withPlaces(examplesOf('operating.md', 'nginx')[0]!, [
      ['10.0.1.11:6385', `127.0.0.1:${ports.api[0]}`],
      ['10.0.1.12:6385', `127.0.0.1:${ports.api[1]}`],
      ['listen 443', `listen 127.0.0.1:${ports.front}`],
      ['/etc/nginx/passthru.crt', crt()],
      ['/etc/nginx/passthru.key', key()],
    ]);
    await startBoth(ports, { PASSTHRU_EVENTS_URL: `http://127.0.0.1:${ports.events[0]}` });
    balancer = await Balancer.nginx({ http }, ports.front);
    const api = `https://127.0.0.1:${ports.front}`;
    const fleet = await enrol(api, 1);
    await active(api, 1);
    await watchBy(api, fleet);
  });

  test('watchers are told at once through HAProxy that passes connections on', async () => {
    const ports = await choosePorts();
    const configuration = withPlaces(examplesOf('events.md', 'haproxy')[0]!, [
      ['10.0.1.11:6386', `127.0.0.1:${ports.api[0]}`],
      ['10.0.1.12:6386', `127.0.0.1:${ports.api[1]}`],
      ['bind :6386', `bind 127.0.0.1:${ports.front}`],
    ]);
    await startBoth(ports, { PASSTHRU_EVENTS_URL: `http://127.0.0.1:${ports.events[0]}` });
    balancer = await Balancer.haproxy(configuration, ports.front);
    const api = `http://127.0.0.1:${ports.front}`;
    const fleet = await enrol(api, 1);
    await active(api, 1);
    await watchBy(api, fleet);
  });
});
