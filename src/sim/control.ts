import type { IncomingMessage, ServerResponse } from 'node:http';
import { createServer } from 'node:http';
import { text } from 'node:stream/consumers';
import Router from 'find-my-way';
import { z } from 'zod';
import { PassthruError } from '../core/errors.ts';
import { listen, stop } from './connections.ts';
import { noEvents } from './events/counters.ts';
import type { FlowInput } from './events/flow.ts';
import { FLOW, sendEvents } from './events/flow.ts';
import { EVENT, REPORT } from './events/records.ts';
import { FAULT, MILLISECONDS, validated } from './faults.ts';
import type { Fleet } from './fleet.ts';
import type { SimulatedBmc } from './simulatedBmc.ts';

/** A running control API. */
export interface Control {
  /** `http://HOST:PORT`. */
  url: string;
  close(): Promise<void>;
}

const RESTART = z.strictObject({
  bootTime: MILLISECONDS.optional(),
  serviceRoot: z.enum(['same', 'etag', 'uuid']).optional(),
});
const SUBSCRIPTION = z.strictObject({ id: z.string().optional() });
const LATENCY = z.strictObject({ ms: MILLISECONDS });
const CLOCK = z.strictObject({ offset: z.number() });
const CERTIFICATE = z.strictObject({ key: z.string(), cert: z.string() });

/** Handles a route of one BMC. The response is 200 with the returned value, or 204 for undefined. */
type Handler = (bmc: SimulatedBmc, number: number, body: string) => unknown;

/**
 * Starts the control API of a fleet: HTTP and JSON, without credentials, for what a test does in-process. Port 0 is any
 * free one. Rejects when it cannot listen.
 */
export async function startControl(fleet: Fleet, host: string, port: number): Promise<Control> {
  const flows = new Flows();
  const router = makeRouter(fleet, flows);
  const server = createServer((request, response) => router.lookup(request, response));
  const { authority } = await listen(server, host, port);
  return {
    url: `http://${authority}`,
    close: () => {
      flows.stop();
      return stop(server);
    },
  };
}

/** The flows of events that were asked for. */
class Flows {
  #ending = new AbortController();

  start(bmcs: readonly SimulatedBmc[], flow: FlowInput): void {
    void sendEvents(bmcs, flow, this.#ending.signal);
  }

  stop(): void {
    this.#ending.abort();
    this.#ending = new AbortController();
  }
}

function makeRouter(fleet: Fleet, flows: Flows): Router.Instance<Router.HTTPVersion.V1> {
  const router = Router({
    ignoreTrailingSlash: true,
    defaultRoute: (_request, response) => send(response, 404, { error: 'unknown path or method' }),
  });
  router.on('GET', '/bmcs', (_request, response) => {
    const bmcs = fleet.bmcs.map((bmc, index) => summary(bmc, index + 1));
    send(response, 200, bmcs);
  });
  router.on('GET', '/events', (_request, response) => send(response, 200, eventsOf(fleet.bmcs)));
  router.on('POST', '/events/flow', (request, response) => {
    void run(request, response, (body) => flows.start(fleet.bmcs, parse(FLOW, body || '{}')));
  });
  router.on('DELETE', '/events/flow', (_request, response) => {
    flows.stop();
    response.writeHead(204).end();
  });
  const on = (method: Router.HTTPMethod, path: string, handle: Handler) => {
    router.on(method, `/bmcs/:number${path}`, (request, response, params) => {
      const number = Number(params.number);
      const bmc = fleet.bmcs[number - 1];
      if (!bmc) send(response, 404, { error: `unknown BMC ${params.number}; use 1 to ${fleet.bmcs.length}` });
      else void run(request, response, (body) => handle(bmc, number, body));
    });
  };
  on('GET', '', summary);
  on('GET', '/requests', (bmc) => bmc.requests);
  on('PUT', '/latency', (bmc, _number, body) => bmc.setLatency(parse(LATENCY, body).ms));
  on('GET', '/faults', (bmc) => bmc.faults.list());
  on('POST', '/faults', (bmc, _number, body) => ({ id: bmc.faults.add(parse(FAULT, body)) }));
  on('DELETE', '/faults', (bmc) => bmc.faults.clear());
  on('POST', '/sessions/expire', (bmc) => ({ expired: bmc.expireSessions() }));
  on('POST', '/restart', (bmc, _number, body) => {
    // Not awaited, so that the caller sees the BMC down.
    void bmc.restart(parse(RESTART, body || '{}'));
  });
  on('POST', '/subscriptions/fail', (bmc, _number, body) => ({
    failed: bmc.failDeliveries(parse(SUBSCRIPTION, body || '{}').id),
  }));
  on('POST', '/leave', (bmc, _number, body) => {
    void bmc.leave(parse(LATENCY, body).ms);
  });
  on('POST', '/factory-reset', (bmc, _number, body) => {
    void bmc.factoryReset(parse(RESTART, body || '{}'));
  });
  on('PUT', '/clock', (bmc, _number, body) => bmc.setClockOffset(parse(CLOCK, body).offset));
  on('PUT', '/certificate', (bmc, _number, body) => bmc.setCertificate(parse(CERTIFICATE, body)));
  on('POST', '/subscriptions/drop', (bmc, _number, body) => ({
    dropped: bmc.events.drop(parse(SUBSCRIPTION, body || '{}').id),
  }));
  on('POST', '/subscriptions/disable', (bmc, _number, body) => ({
    disabled: bmc.events.disable(parse(SUBSCRIPTION, body || '{}').id),
  }));
  on('GET', '/events', (bmc) => eventsOf([bmc]));
  on('POST', '/events/flow', (bmc, _number, body) => flows.start([bmc], parse(FLOW, body || '{}')));
  on('POST', '/events/report', (bmc, _number, body) => ({ id: bmc.events.sendReport(parse(REPORT, body)) }));
  on('GET', '/events/acknowledged', (bmc) => bmc.events.acknowledged);
  on('POST', '/events', (bmc, _number, body) => ({ ids: bmc.events.send(parse(EVENT, body || '{}')) }));
  on('POST', '/reset', (bmc) => bmc.reset());
  return router;
}

async function run(
  request: IncomingMessage,
  response: ServerResponse,
  handle: (body: string) => unknown,
): Promise<void> {
  try {
    const value = handle(await text(request));
    if (value === undefined) response.writeHead(204).end();
    else send(response, 200, value);
  } catch (error) {
    if (error instanceof PassthruError) send(response, 400, { error: error.message });
    // The client has gone before it sent its body.
    else response.destroy();
  }
}

/** Returns what became of the events of these BMCs. */
function eventsOf(bmcs: readonly SimulatedBmc[]): object {
  const sum = { ...noEvents(), waiting: 0, streams: 0 };
  for (const { events } of bmcs) {
    for (const [name, value] of Object.entries(events.counters)) sum[name as keyof typeof sum] += value;
    sum.waiting += events.waiting;
    sum.streams += events.streams;
  }
  return sum;
}

function summary(bmc: SimulatedBmc, number: number): object {
  return {
    number,
    url: bmc.url,
    latency: bmc.latency,
    faults: bmc.faults.list().length,
    sessions: bmc.sessions.length,
    connections: bmc.connections,
    requests: bmc.requestCount,
  };
}

function parse<T>(schema: z.ZodType<T>, body: string): T {
  let value: unknown;
  try {
    value = JSON.parse(body);
  } catch {
    throw new PassthruError('invalid_argument', 'the body is not JSON');
  }
  return validated(schema, value);
}

function send(response: ServerResponse, status: number, value: unknown): void {
  response.writeHead(status, { 'Content-Type': 'application/json' });
  response.end(`${JSON.stringify(value)}\n`);
}
