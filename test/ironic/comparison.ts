import { readFileSync } from 'node:fs';
import { isDeepStrictEqual } from 'node:util';
import { createFakeHardwareType } from '../../src/drivers/fake/fakeHardwareType.ts';
import { createIpmiHardwareType } from '../../src/drivers/ipmi/ipmiHardwareType.ts';
import { type Sent, send } from '../rest/client.ts';
import { runService } from '../service.ts';
import { type Class, type ComparedExchange, EXPECTED, type Expected } from './expected.ts';
import type { ComparedRequest } from './requests.ts';
import { differingMembers, type Response, shown, text } from './response.ts';

/** The responses of a real Ironic to requests, in their order. */
export interface Recording {
  ironic: string;
  api: string;
  /** Absent when they are `REQUESTS`. */
  requests?: ComparedRequest[];
  responses: Response[];
}

export const RECORDING = new URL('../recordings/ironic-39.json', import.meta.url);
/** Of random requests, which are in it. */
export const RANDOM_RECORDING = new URL('../recordings/ironic-39-random.json', import.meta.url);

export function readRecording(file: URL): Recording {
  return JSON.parse(readFileSync(file, 'utf8')) as Recording;
}

/** The result of a comparison. */
export interface Comparison {
  /** The requests whose response is worse, each with the difference. */
  worse: string[];
  /** The number of requests of each class. */
  counts: Record<string, number>;
  used: ReadonlySet<Expected>;
}

/**
 * Sends requests to a new service and compares its responses.
 * @param theirs returns the response of a real Ironic
 */
export async function compare(
  requests: readonly ComparedRequest[],
  theirs: (request: ComparedRequest, index: number) => Response | Promise<Response>,
): Promise<Comparison> {
  const service = await runService({
    hardwareTypes: [createFakeHardwareType({ vendorDelay: 0 }), createIpmiHardwareType()],
  });
  const worse: string[] = [];
  const counts: Record<string, number> = {};
  const used = new Set<Expected>();
  let before: ComparedExchange | undefined;
  for (const [index, request] of requests.entries()) {
    const ours = shown(await send(service.url, sentOf(request)), service.url);
    const exchange = { request, theirs: await theirs(request, index), ours };
    const { class: kind, why, expected } = classify(exchange, before);
    before = exchange;
    counts[kind] = (counts[kind] ?? 0) + 1;
    if (expected !== undefined) used.add(expected);
    if (kind === 'worse') worse.push(`${index} ${request.name}: ${why}`);
  }
  await service.close();
  return { worse, counts, used };
}

/** Returns the part of a request that is sent. */
export function sentOf({ method, path, headers, body }: ComparedRequest): Sent {
  return { method, path, headers, body };
}

/** Compares a response with that of a real Ironic. */
function classify(
  { request, theirs, ours }: ComparedExchange,
  before: ComparedExchange | undefined,
): {
  class: Class;
  why: string;
  expected?: Expected;
} {
  if (isSame(theirs, ours)) return { class: 'same', why: '' };
  const expected = EXPECTED.find((each) => each.matches(request, theirs, ours, before));
  if (expected !== undefined) return { class: expected.class, why: expected.why, expected };
  return { class: 'worse', why: difference(theirs, ours) };
}

function isSame(theirs: Response, ours: Response): boolean {
  if (theirs.status !== ours.status || !isDeepStrictEqual(theirs.headers, ours.headers)) return false;
  // The words of an error are for people.
  return theirs.status >= 400 || isDeepStrictEqual(theirs.body, ours.body);
}

/** Describes a difference in a line. */
function difference(theirs: Response, ours: Response): string {
  if (theirs.status !== ours.status) {
    return `Ironic ${theirs.status} ${text(theirs.body)}, here ${ours.status} ${text(ours.body)}`;
  }
  if (!isDeepStrictEqual(theirs.headers, ours.headers))
    return `headers ${text(theirs.headers)}, here ${text(ours.headers)}`;
  return differingMembers(theirs.body, ours.body).join('; ');
}
