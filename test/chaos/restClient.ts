import { createInterface } from 'node:readline';
import { Readable } from 'node:stream';
import type { ReadableStream } from 'node:stream/web';
import { fromJson } from '@bufbuild/protobuf';
import { JobSchema } from '../../gen/passthru/v1/job_pb.ts';
import { NodeSchema } from '../../gen/passthru/v1/node_pb.ts';
import {
  CALL_TIMEOUT,
  type ChaosCall,
  type ChaosClient,
  type Outcome,
  type SeenJob,
  type Told,
} from './chaosClient.ts';

const VERSION = { 'X-OpenStack-Ironic-API-Version': '1.80' };

/** Uses Ironic's REST, with jobs as Server-Sent Events. */
export const restClient: ChaosClient = {
  name: 'REST',

  async call(url, { node, method, httpMethod, args, key, reservationKey }: ChaosCall): Promise<Outcome> {
    let response: Response;
    let text: string;
    try {
      response = await fetch(`${url}/v1/nodes/${node}/vendor_passthru/${method}`, {
        method: httpMethod,
        headers: {
          ...VERSION,
          ...(key === null ? {} : { 'Idempotency-Key': key }),
          ...(reservationKey === undefined ? {} : { 'Passthru-Reservation-Key': reservationKey }),
        },
        ...(httpMethod === 'GET' ? {} : { body: JSON.stringify(args) }),
        signal: AbortSignal.timeout(CALL_TIMEOUT),
      });
      text = await response.text();
    } catch (error) {
      return { kind: 'no response', reason: String((error as Error).cause ?? error) };
    }
    const job = response.headers.get('passthru-job-id');
    if (job !== null) return { kind: 'job', id: job };
    if (response.status === 200) return { kind: 'result', id: JSON.parse(text)?.Id ?? null };
    const reason = `${response.status} ${text.slice(0, 300)}`;
    return { kind: response.status === 500 ? 'failed' : 'refused', reason };
  },

  async *watch(url, job, after, signal): AsyncGenerator<SeenJob> {
    for await (const { data } of events(`${url}/v1/jobs/${job}/events`, after === null ? '' : String(after), signal)) {
      const { revision, state } = JSON.parse(data);
      yield { revision: Number(revision), state: String(state).replace('JOB_STATE_', '').toLowerCase() };
    }
  },

  async *watchMany(url, kind, driver, cursor, signal): AsyncGenerator<Told> {
    const query = driver === '' ? '' : `?driver=${driver}`;
    for await (const { event, id, data } of events(`${url}/v1/${kind}s/events${query}`, cursor, signal)) {
      yield { cursor: id, event: eventOf(event, JSON.parse(data)) };
    }
  },

  async *watchEvents(url, cursor, signal) {
    for await (const { event, id } of events(`${url}/v1/events/stream`, cursor, signal)) {
      yield { kind: event === 'event' || event === 'reset' ? event : 'current', cursor: id };
    }
  },

  async cancel(url, job) {
    const response = await fetch(`${url}/v1/jobs/${job}`, {
      method: 'DELETE',
      headers: VERSION,
      signal: AbortSignal.timeout(CALL_TIMEOUT),
    });
    await response.text();
    if (!response.ok) throw new Error(`${response.status}`);
  },

  async hold(url, node, seconds, reason) {
    const { reservation_key: key } = await reserve(url, node, 'PUT', { duration: seconds, reason });
    return String(key);
  },

  async renew(url, node, key, seconds) {
    await reserve(url, node, 'PATCH', { duration: seconds }, key);
  },

  async endHold(url, node, key) {
    await reserve(url, node, 'DELETE', undefined, key);
  },
};

/** Yields the Server-Sent Events of a stream after one, or from the beginning for ''. */
async function* events(url: string, after: string, signal: AbortSignal) {
  const headers = { ...VERSION, ...(after === '' ? {} : { 'Last-Event-ID': after }) };
  const response = await fetch(url, { headers, signal });
  if (response.status === 204) return;
  if (response.status !== 200 || response.body === null) throw new Error(`${response.status}`);
  let fields: Record<string, string> = {};
  for await (const line of createInterface({ input: Readable.fromWeb(response.body as ReadableStream) })) {
    const [, name, value] = /^(\w+): (.*)$/.exec(line) ?? [];
    if (name !== undefined) fields[name] = value as string;
    // An event that was cut off has no empty line.
    if (line !== '') continue;
    const { event = '', id = '', data } = fields;
    if (data !== undefined) yield { event, id, data };
    fields = {};
  }
}

function eventOf(name: string, document: Parameters<typeof fromJson>[1]): Told['event'] {
  switch (name) {
    case 'job':
      return { kind: 'job', item: fromJson(JobSchema, document) };
    case 'node':
      return { kind: 'node', item: fromJson(NodeSchema, document) };
    case 'removed':
      return { kind: 'removed', uuid: String((document as { uuid: string }).uuid) };
    case 'current':
    case 'reset':
      return { kind: name };
    default:
      throw new Error(`the event ${name} is unknown`);
  }
}

/** Sends a request about the reservation of a node. Throws when it is refused. */
async function reserve(
  url: string,
  node: string,
  method: string,
  body?: object,
  key?: string,
): Promise<Record<string, unknown>> {
  const response = await fetch(`${url}/v1/nodes/${node}/reservation`, {
    method,
    headers: {
      ...VERSION,
      'Passthru-Lock-Wait': '0',
      ...(key === undefined ? {} : { 'Passthru-Reservation-Key': key }),
    },
    ...(body === undefined ? {} : { body: JSON.stringify(body) }),
    signal: AbortSignal.timeout(CALL_TIMEOUT),
  });
  const text = await response.text();
  if (!response.ok) throw new Error(`${response.status} ${text.slice(0, 300)}`);
  return text === '' ? {} : JSON.parse(text);
}
