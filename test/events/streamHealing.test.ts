// Whatever happens to the stream of a source, on simulated BMCs of each profile that has one: it heals by itself, or says why not.
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, beforeAll, describe, expect, test, vi } from 'vitest';
import type { EventTransport } from '../../src/core/events/eventSource.ts';
import type { Service } from '../../src/service.ts';
import { type Fault as BmcFault, PROFILES } from '../../src/sim/index.ts';
import { makeAuthority } from '../auth/certificates.ts';
import { startWatching, WatchedMachine } from './watchedMachine.ts';

const YEAR = 365 * 86_400_000;
const EVENT_SERVICE = '/redfish/v1/EventService';

/** The profiles that have a stream. */
const STREAMING = [...PROFILES].flatMap(([name, { documents }]) =>
  documents.get(EVENT_SERVICE)?.ServerSentEventUri === undefined ? [] : [name],
);

const authority = makeAuthority('BMCs');
const stranger = makeAuthority('other BMCs');
const certificate = (by = authority) => by.issue({ loopback: true });

let directory: string;
/** A file with the authorities of one machine, which an operator may write anew. */
const authoritiesOf = (node: string) => join(directory, `${node}.pem`);

interface Fault {
  /** What happens to a machine whose source is active by its stream. */
  happens(machine: WatchedMachine): unknown;
  /** What the source must tell. By default it heals without help. */
  tells?: RegExp;
  /** What an operator does once it has told so, or the BMC by itself. */
  mended?(machine: WatchedMachine): unknown;
  /** The gap that is told. */
  gap?: RegExp;
  quirks?: readonly string[];
  /** Whether the BMC has HTTPS, by a certificate of `authority`, which the node trusts. */
  tls?: boolean;
  /** The wished transport; null for whichever works. */
  wish?: EventTransport | null;
  /** Done before the source is set. */
  before?(machine: WatchedMachine): unknown;
  /** The transport by which events arrive before, and after. Default: the stream. */
  from?: EventTransport;
  to?: EventTransport;
}

/** Ends the stream, which then cannot be opened: the BMC has a fault in its place. */
function refused(fault: Pick<BmcFault & { kind: 'status' }, 'status' | 'headers' | 'body'>): Fault['happens'] {
  return (machine) => {
    machine.bmc.faults.add({ kind: 'status', ...fault, match: { method: 'GET', path: machine.stream } });
    machine.bmc.events.endStreams();
  };
}
const allowed = ({ bmc }: WatchedMachine) => bmc.faults.clear();

/** Refuses new subscriptions, and loses those that are there. */
function refusesPush({ bmc }: WatchedMachine): void {
  const body = JSON.stringify({ error: { code: 'Base.1.0.GeneralError', message: 'Subscriptions are not supported' } });
  bmc.faults.add({
    ...{ kind: 'status', status: 400, body },
    match: { method: 'POST', path: `${EVENT_SERVICE}/Subscriptions` },
  });
  bmc.events.drop();
}

const BROKEN = /The stream of events was broken/;
const ended = ({ bmc }: WatchedMachine) => bmc.events.endStreams();

const FAULTS: Record<string, Fault> = {
  'the stream ends': { happens: ended, gap: BROKEN },
  'the stream is reset': { happens: ({ bmc }) => bmc.events.endStreams('reset'), gap: BROKEN },
  'the BMC has forgotten the stream, whose connection stays open': {
    happens: ({ bmc }) => bmc.events.forgetStreams(),
    gap: BROKEN,
  },
  'the stream ends, and the BMC sends what was missed': {
    quirks: ['event-stream-replays'],
    happens: async (machine) => {
      refused({ status: 503 })(machine);
      await vi.waitFor(() => expect(machine.bmc.events.streams).toBe(0));
      const missed = machine.proven();
      allowed(machine);
      await missed;
    },
    gap: /sends again what it has kept/,
  },
  'the BMC sends garbage, slowly': {
    happens: async ({ bmc }) => {
      for (let part = 0; part < 20; part++) {
        bmc.events.writeToStreams('\0data <html> {"');
        await sleep(20);
      }
      bmc.events.writeToStreams('\n\n');
    },
  },
  'the BMC sends an event that is no JSON': {
    happens: ({ bmc }) => bmc.events.writeToStreams('id: x\ndata: {"Events": [\n\n'),
    gap: /sent an event that cannot be read/,
  },
  'the BMC sends an event without records': {
    happens: ({ bmc }) => bmc.events.writeToStreams('id: x\ndata: []\n\n'),
  },
  'the BMC sends a huge event': {
    quirks: ['event-stream-replays'],
    happens: ({ bmc }) => bmc.events.send({ message: 'x'.repeat(1_100_000) }),
    gap: /sent an event of more than/,
  },
  'the BMC sends a huge line that does not end': {
    happens: ({ bmc }) => bmc.events.writeToStreams(`: ${'x'.repeat(2_500_000)}\n`),
  },
  'the BMC sends an event in pieces, within characters': {
    happens: async ({ bmc }) => {
      bmc.events.writeToStreams('id: 1\nda');
      await sleep(20);
      bmc.events.writeToStreams('ta: {}\n');
      await sleep(20);
      bmc.events.writeToStreams('\n');
    },
  },
  'the BMC has restarted': { happens: ({ bmc }) => bmc.restart({ bootTime: 1500 }), gap: BROKEN },
  'the BMC has restarted, and its ids start over': {
    quirks: ['event-stream-replays', 'event-ids-start-over'],
    happens: ({ bmc }) => bmc.restart({ bootTime: 1500 }),
    gap: BROKEN,
  },
  'the BMC says that it has restarted': {
    happens: (machine) =>
      machine.tellClock({ DateTime: new Date().toISOString(), LastResetTime: new Date().toISOString() }),
  },
  'the BMC was reset to its defaults': { happens: ({ bmc }) => bmc.factoryReset({ bootTime: 1500 }), gap: BROKEN },
  'the BMC is away': {
    happens: ({ bmc }) => void bmc.leave(4000),
    tells: /^The BMC cannot be reached; the service tries again/,
    gap: BROKEN,
  },
  'the BMC has too many streams (503)': {
    quirks: ['event-few-subscriptions'],
    happens: (machine) => {
      for (let more = 0; more < 20; more++) machine.add({ Destination: `https://receiver.example/${more}` });
      machine.bmc.events.endStreams();
    },
    tells: /^The BMC has no room for another subscription/,
    mended: ({ bmc }) => {
      for (const { '@odata.id': path } of bmc.documents.get(`${EVENT_SERVICE}/Subscriptions`)!.Members as {
        '@odata.id': string;
      }[]) {
        if (/added-/.test(path)) bmc.documents.removeMember(path);
      }
    },
  },
  'the BMC has too many streams (409)': {
    happens: refused({
      status: 409,
      body: JSON.stringify({ error: { code: 'Oem.1.0.Limit', message: 'The maximum number of streams is reached.' } }),
    }),
    tells: /^The BMC has no room for another subscription/,
    mended: allowed,
  },
  'the BMC has no room for the stream now (503)': {
    happens: refused({ status: 503, headers: { 'Retry-After': '1' } }),
    tells: /503|tries again/,
    mended: allowed,
  },
  'the stream fails at the BMC (500)': { happens: refused({ status: 500 }), tells: /500/, mended: allowed },
  'the BMC responds without a stream (204)': { happens: refused({ status: 204 }), tells: /204/, mended: allowed },
  'the BMC responds with a page': {
    happens: (machine) => {
      machine.bmc.faults.add({ kind: 'garbage', form: 'html', match: { path: machine.stream } });
      machine.bmc.events.endStreams();
    },
    tells: /text\/html, not a stream of events/,
    mended: allowed,
  },
  'the BMC responds with a document': {
    happens: refused({ status: 200, body: '{}' }),
    tells: /application\/json, not a stream of events/,
    mended: allowed,
  },
  'the stream has another URI': {
    happens: (machine) => {
      machine.change(EVENT_SERVICE, { ServerSentEventUri: `${EVENT_SERVICE}/Moved` });
      machine.bmc.events.endStreams();
    },
    gap: BROKEN,
  },
  'the BMC has no stream any more': {
    happens: (machine) => {
      machine.change(EVENT_SERVICE, { ServerSentEventUri: null });
      machine.bmc.events.endStreams();
    },
    tells: /has no stream of events/,
    mended: (machine) => machine.change(EVENT_SERVICE, { ServerSentEventUri: `${EVENT_SERVICE}/SSE` }),
  },
  'the BMC redirects the stream': {
    happens: (machine) => {
      const { stream, bmc } = machine;
      const match = { method: 'GET', path: stream };
      bmc.faults.add({ kind: 'status', status: 308, headers: { Location: `${stream}/` }, times: 1, match });
      bmc.events.endStreams();
    },
    gap: BROKEN,
  },
  'the BMC redirects the stream to another host': {
    happens: refused({ status: 307, headers: { Location: 'https://other.example/redfish/v1/SSE' } }),
    tells: /redirects to https:\/\/other.example/,
    mended: allowed,
  },
  'the event service of the BMC is switched off': {
    happens: (machine) => machine.change(EVENT_SERVICE, { ServiceEnabled: false }),
    tells: /^Switch on the EventService of the BMC/,
    gap: /switched off/,
    mended: (machine) => machine.change(EVENT_SERVICE, { ServiceEnabled: true }),
  },
  'the password was changed': {
    happens: (machine) => machine.configure({ redfish_password: 'another' }),
    tells: /correct them in the driver_info/,
    mended: (machine) => machine.configure({ redfish_password: 'p' }),
  },
  'driver_info has become invalid': {
    happens: (machine) => machine.configure({ redfish_verify_ca: '/nowhere/ca.pem' }),
    tells: /redfish_verify_ca/,
    mended: (machine) => machine.configure({ redfish_verify_ca: false }),
  },
  'the sessions of the BMC have ended': {
    happens: ({ bmc }) => {
      bmc.expireSessions();
      bmc.events.endStreams();
    },
    gap: BROKEN,
  },
  'the BMC has another certificate of the same authority': {
    tls: true,
    happens: ({ bmc }) => bmc.setCertificate(certificate()),
  },
  'the BMC has a certificate that is not trusted': {
    tls: true,
    happens: ({ bmc }) => bmc.setCertificate(certificate(stranger)),
    tells: /The certificate of the BMC is not trusted.*set redfish_verify_ca/,
    mended: ({ node }) => writeFileSync(authoritiesOf(node), authority.cert + stranger.cert),
  },
  'the node has another BMC': { happens: (machine) => machine.move() },
  'the clock of the BMC is years behind': {
    happens: (machine) => {
      machine.bmc.setClockOffset(-56 * YEAR);
      machine.tellClock({ DateTime: new Date(Date.now() - 56 * YEAR).toISOString() });
    },
  },
  'the clock of the BMC is years ahead': {
    happens: (machine) => {
      machine.bmc.setClockOffset(20 * YEAR);
      machine.tellClock({ DateTime: new Date(Date.now() + 20 * YEAR).toISOString() });
    },
  },
  'it has ended, and is compressed': { quirks: ['event-stream-compressed'], happens: ended, gap: BROKEN },
  'it has ended, and its lines end with CR LF, after a mark': {
    quirks: ['event-stream-crlf'],
    happens: ended,
    gap: BROKEN,
  },
  'it has ended, and its lines end with CR': { quirks: ['event-stream-cr'], happens: ended, gap: BROKEN },
  'it has ended, and has comments': { quirks: ['event-stream-comments'], happens: ended, gap: BROKEN },
  'it has ended, and its data are on many lines': { quirks: ['event-body-indented'], happens: ended, gap: BROKEN },
  'it has ended, and its events have no ids': { quirks: ['event-stream-no-id'], happens: ended, gap: BROKEN },
  'it has ended, and its events have one id': {
    quirks: ['event-stream-one-id', 'event-stream-replays'],
    happens: ended,
    gap: BROKEN,
  },
  'it has ended, and its ids are odd': {
    quirks: ['event-stream-odd-id', 'event-stream-replays'],
    happens: ended,
    gap: BROKEN,
  },
  'whichever works is wished, and the BMC takes no subscription any more': {
    wish: null,
    from: 'push',
    happens: refusesPush,
    gap: /lost the subscription/,
  },
  'whichever works is wished, and the BMC has no stream any more, but takes subscriptions': {
    wish: null,
    before: refusesPush,
    to: 'push',
    happens: (machine) => {
      allowed(machine);
      machine.change(EVENT_SERVICE, { ServerSentEventUri: null });
      machine.bmc.events.endStreams();
    },
    gap: /stream of events/,
  },
  'whichever works is wished, and the BMC has neither for a while': {
    wish: null,
    before: refusesPush,
    happens: (machine) => {
      machine.change(EVENT_SERVICE, { ServerSentEventUri: null });
      machine.bmc.events.endStreams();
    },
    tells: /Subscriptions are not supported|no stream of events/,
    mended: (machine) => machine.change(EVENT_SERVICE, { ServerSentEventUri: `${EVENT_SERVICE}/SSE` }),
    gap: BROKEN,
  },
};

beforeAll(() => {
  directory = mkdtempSync(join(tmpdir(), 'passthru-streams-'));
});
afterAll(() => rmSync(directory, { recursive: true }));

describe.each(STREAMING)('a source by the stream of a BMC like %s heals, or says why not, when', (profile) => {
  let service: Service;
  beforeAll(async () => {
    service = await startWatching({ PASSTHRU_REDFISH_CA_FOLDER: directory });
  });
  afterAll(() => service.close());

  test.concurrent.each(Object.entries(FAULTS))('%s', { timeout: 100_000 }, async (name, fault) => {
    const { happens, tells, mended, gap, quirks = [], tls = false, wish = 'sse', before } = fault;
    const { from = 'sse', to = 'sse' } = fault;
    const node = `${profile}-${name}`.replace(/\W+/g, '-');
    writeFileSync(authoritiesOf(node), authority.cert);
    const options = { quirks, ...(tls ? { tls: certificate(), verifyCa: authoritiesOf(node) } : {}) };
    await using machine = await WatchedMachine.start(service, node, profile, options);
    machine.tellClock({ DateTime: new Date().toISOString(), LastResetTime: new Date(Date.now() - YEAR).toISOString() });
    await before?.(machine);
    machine.add({ Destination: 'https://receiver.example/x', Context: 'passthru:other:other:1' });
    await machine.set(wish);
    await machine.healed(from);

    const { others } = machine;
    await happens(machine);
    if (tells !== undefined) await machine.reason(tells);
    await mended?.(machine);
    await machine.healed(to);
    if (gap !== undefined) await vi.waitFor(async () => expect((await machine.gaps()).join('\n')).toMatch(gap));
    if (!/defaults|too many/.test(name)) expect(machine.others).toEqual(others);
    await machine.remove();
    await vi.waitFor(() => expect(machine.bmcs.map(({ events }) => events.streams)).toEqual([0, 0]));
    expect(machine.own).toEqual([]);
  });
});
