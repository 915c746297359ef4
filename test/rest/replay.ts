import { readFileSync } from 'node:fs';
import { isDeepStrictEqual } from 'node:util';
import { ANONYMOUS } from '../../src/core/caller.ts';
import { isTerminal } from '../../src/core/job.ts';
import { type RestResponse, type Sent, send } from './client.ts';
import type { RecordedService } from './recordedNodes.ts';

/** The response required of this service. */
interface Want {
  status: number;
  /** `json`: equals `json`, by default the recorded document; `superset`: contains it; `shape`: has its keys. */
  body?: 'json' | 'superset' | 'shape' | 'keys' | 'empty';
  json?: unknown;
  fault?: string;
  fault_contains?: string;
  /** Keys that the document must have. */
  keys?: string[];
  /** What the document must contain. */
  subset?: unknown;
  /** Number of nodes listed. */
  count?: number;
}

/** A request recorded from a real Ironic, its response, and the response required here. */
export interface Exchange {
  name?: string;
  request: Sent;
  response: { status: number; headers: Record<string, string>; json?: unknown };
  want: Want;
}

/** The BMC behind the recordings. */
const RECORDED_BMC = 'http://127.0.0.1:8000';

export function readExchanges(file: string): Exchange[] {
  return JSON.parse(readFileSync(new URL(`../recordings/${file}`, import.meta.url), 'utf8')) as Exchange[];
}

/**
 * Sends a recorded request to `service`. Returns how the response differs from the required one, null if it does not.
 * The addresses of the recorded BMC and of the service's are exchanged, both ways. A job that the request started has
 * ended when this returns, as in the recording: it holds the lock that the next exchange needs.
 */
export async function replay(service: RecordedService, { request, response, want }: Exchange): Promise<string | null> {
  const { url, bmc } = service;
  const got = await send(url, {
    ...request,
    headers: request.headers ?? {},
    body: request.body === null ? undefined : replaceText(request.body, RECORDED_BMC, bmc),
  });
  await endOfJob(service, got);
  if (got.status !== want.status) return `status ${got.status}, expected ${want.status}: ${got.text.slice(0, 300)}`;
  if (got.status >= 400) return faultDifference(got, want, bmc);

  const hadVersion = Object.keys(response.headers).some((name) => name.toLowerCase() === VERSION);
  if (hadVersion && got.headers[VERSION] === undefined) return `no header ${VERSION}`;
  return bodyDifference(replaceText(got.json, bmc, RECORDED_BMC), got.text, response.json, want);
}

async function endOfJob({ core }: RecordedService, { headers }: RestResponse): Promise<void> {
  const id = headers['passthru-job-id'];
  if (typeof id !== 'string') return;
  for await (const job of core.jobs.watch(id, null, ANONYMOUS, AbortSignal.timeout(30_000)))
    if (isTerminal(job)) return;
}

const VERSION = 'x-openstack-ironic-api-version';

function faultDifference({ status, headers, fault }: RestResponse, want: Want, bmc: string): string | null {
  if (!String(headers['content-type']).startsWith('application/json')) return `content type ${headers['content-type']}`;
  if (fault === undefined) return 'error_message is not a JSON text';
  // Responses of Ironic's HTTP layer have another shape, and no text that matters.
  if (status === 406 || (want.fault === undefined && want.fault_contains === undefined)) return null;
  const text = String(fault.faultstring).replaceAll(bmc, RECORDED_BMC);
  const side = status >= 500 ? 'Server' : 'Client';
  if (fault.faultcode !== side) return `faultcode ${fault.faultcode}, expected ${side}`;
  if (want.fault !== undefined && text !== want.fault) return `fault "${text}", expected "${want.fault}"`;
  return text.includes(want.fault_contains ?? '') ? null : `fault "${text}" lacks "${want.fault_contains}"`;
}

function bodyDifference(got: unknown, text: string, recorded: unknown, want: Want): string | null {
  const shown = text.slice(0, 300);
  const missing = (keys: string[]) => keys.filter((key) => !(isObject(got) && key in got));
  switch (want.body) {
    case 'empty':
      return text === '' ? null : `expected no body: ${shown}`;
    case 'json':
      return isDeepStrictEqual(got, 'json' in want ? want.json : recorded) ? null : `another document: ${shown}`;
    case 'superset':
      return covers(recorded, got) ? null : `less than the recorded document: ${shown}`;
    case 'shape': {
      const absent = missing(Object.keys(recorded as object)).filter((key) => !UNSERVED_KEYS.test(key));
      return absent.length === 0 ? null : `keys missing: ${absent.join(', ')}`;
    }
  }
  const absent = missing(want.keys ?? []);
  if (absent.length > 0) return `keys missing: ${absent.join(', ')}`;
  const nodes = isObject(got) ? got.nodes : undefined;
  if (want.count !== undefined && (!Array.isArray(nodes) || nodes.length !== want.count)) {
    return `not ${want.count} nodes: ${shown}`;
  }
  return want.subset === undefined || covers(want.subset, got)
    ? null
    : `lacks ${JSON.stringify(want.subset)}: ${shown}`;
}

/** Keys of Ironic's interfaces and properties that this service may leave out. */
const UNSERVED_KEYS =
  /_interfaces?$|^(agent_|deploy_|rescue_|image_|cert_|force_|redfish_(?!address|system_id|username|password|verify_ca|auth_type))/;

/** Tells whether `got` contains all of `want`. */
function covers(want: unknown, got: unknown): boolean {
  if (Array.isArray(want)) {
    return Array.isArray(got) && got.length >= want.length && want.every((item, index) => covers(item, got[index]));
  }
  if (!isObject(want)) return want === got;
  return isObject(got) && Object.entries(want).every(([key, member]) => key in got && covers(member, got[key]));
}

function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

function replaceText(value: unknown, from: string, to: string): unknown {
  return value === undefined ? undefined : JSON.parse(JSON.stringify(value).replaceAll(from, to));
}
