import type { IncomingMessage, ServerResponse } from 'node:http';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { text } from 'node:stream/consumers';
import Router from 'find-my-way';
import { z } from 'zod';
import { PassthruError } from '../core/errors.ts';
import { MAX_DELAY } from './faults.ts';
import type { Fleet } from './fleet.ts';
import type { SimulatedBmc } from './simulatedBmc.ts';

/** The control API while it listens. */
export interface Control {
  /** `http://HOST:PORT`. */
  url: string;
  close(): Promise<void>;
}

const STRIKES = {
  match: z.strictObject({ method: z.string().optional(), path: z.string().optional() }).optional(),
  times: z.int().min(1).optional(),
  probability: z.number().min(0).max(1).optional(),
};
const HEADERS = z.record(z.string().regex(/^[\w!#$%&'*+.^`|~-]+$/), z.string().regex(/^[\t\x20-\x7e]*$/));

/** A `Fault` as JSON. */
const FAULT = z.discriminatedUnion('kind', [
  z.strictObject({ kind: z.literal('delay'), ms: z.number(), ...STRIKES }),
  z.strictObject({ kind: z.literal('hang'), afterRead: z.boolean().optional(), ...STRIKES }),
  z.strictObject({ kind: z.literal('reset'), afterRead: z.boolean().optional(), ...STRIKES }),
  z.strictObject({
    kind: z.literal('status'),
    status: z.int().min(200).max(599),
    body: z.string().optional(),
    headers: HEADERS.optional(),
    ...STRIKES,
  }),
  z.strictObject({ kind: z.literal('garbage'), form: z.enum(['html', 'broken-json']).optional(), ...STRIKES }),
]);

const RESTART = z.strictObject({
  bootTime: z.number().min(0).max(MAX_DELAY).optional(),
  serviceRoot: z.enum(['same', 'etag', 'uuid']).optional(),
});
const DELIVERIES = z.strictObject({ id: z.string().optional() });
const LATENCY = z.strictObject({ ms: z.number() });

/** What a route does with a BMC. A value that it returns is answered with 200, undefined with 204. */
type Act = (bmc: SimulatedBmc, number: number, body: string) => unknown;

/**
 * Starts the control API of a fleet: HTTP and JSON, without credentials, by which a user of `passthru sim` sets what
 * a test sets in-process. `port` 0 is any free one. Rejects when it cannot listen.
 */
export async function startControl(fleet: Fleet, host: string, port: number): Promise<Control> {
  const router = makeRouter(fleet);
  const server = createServer((request, response) => router.lookup(request, response));
  await new Promise<void>((resolve, reject) => {
    server.once('error', reject);
    server.listen({ host, port }, resolve);
  });
  const bound = (server.address() as AddressInfo).port;
  return {
    url: `http://${host.includes(':') ? `[${host}]` : host}:${bound}`,
    close: () =>
      new Promise((resolve) => {
        server.close(() => resolve());
        server.closeAllConnections();
      }),
  };
}

function makeRouter(fleet: Fleet): Router.Instance<Router.HTTPVersion.V1> {
  const router = Router({
    ignoreTrailingSlash: true,
    defaultRoute: (_request, response) => send(response, 404, { error: 'no such path or method here' }),
  });
  router.on('GET', '/bmcs', (_request, response) => {
    send(
      response,
      200,
      fleet.bmcs.map((bmc, index) => summary(bmc, index + 1)),
    );
  });
  const on = (method: Router.HTTPMethod, path: string, act: Act) => {
    router.on(method, `/bmcs/:number${path}`, (request, response, params) => {
      const number = Number(params.number);
      const bmc = fleet.bmcs[number - 1];
      if (!bmc) send(response, 404, { error: `there is no BMC ${params.number}; they are 1 to ${fleet.bmcs.length}` });
      else void run(request, response, (body) => act(bmc, number, body));
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
    // Not waited for: whoever asks wants to see it away.
    void bmc.restart(parse(RESTART, body || '{}'));
  });
  on('POST', '/subscriptions/fail', (bmc, _number, body) => ({
    failed: bmc.failDeliveries(parse(DELIVERIES, body || '{}').id),
  }));
  on('POST', '/reset', (bmc) => bmc.reset());
  return router;
}

async function run(request: IncomingMessage, response: ServerResponse, act: (body: string) => unknown): Promise<void> {
  try {
    const value = act(await text(request));
    if (value === undefined) response.writeHead(204).end();
    else send(response, 200, value);
  } catch (error) {
    if (error instanceof PassthruError) send(response, 400, { error: error.message });
    // The client has gone before its body was here.
    else response.destroy();
  }
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
  const parsed = schema.safeParse(value);
  if (!parsed.success) throw new PassthruError('invalid_argument', z.prettifyError(parsed.error));
  return parsed.data;
}

function send(response: ServerResponse, status: number, value: unknown): void {
  response.writeHead(status, { 'Content-Type': 'application/json' });
  response.end(`${JSON.stringify(value)}\n`);
}
