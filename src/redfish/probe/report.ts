import { isJsonObject, type Json, type JsonObject } from '../../core/json.ts';
import { textOf } from '../links.ts';
import type { CertificateFacts } from './certificate.ts';
import { etagForm } from './formKinds.ts';
import type { Kind } from './kind.ts';
import type { Machine } from './machine.ts';
import type { Verdict } from './methods.ts';
import { isDocument, type Recording } from './recording.ts';

/** What a probe tells of a machine. Every text in it is redacted. */
export interface ProbeReport {
  machine: { vendor: string | null; product: string | null; firmware: string | null; redfish: string | null };
  login: { kind: string; refused: number | null; error: string | null; strangers: string[] };
  virtual_media: { path: string; under: string; types: string[]; inserted: boolean; eject: string }[];
  events: {
    service: 'enabled' | 'switched off' | 'closed' | 'absent' | 'not read';
    event_types: Json;
    sse: boolean;
    subscriptions: number | null;
    retry: { attempts: Json; interval_seconds: Json };
  };
  forms: { etags: string; pages: number };
  /** What could not be read, other than the usual paths that were tried in vain. */
  closed: { path: string; status: number | null; why: string | null }[];
  requests: { count: number; median_ms: number | null; slowest_ms: number | null; slowest: string | null };
  certificate: CertificateFacts | null;
  stopped: string | null;
  /** How the BMC responded instead of showing a service root; null when it showed one. */
  no_root: string | null;
  kinds: { name: string; seen: string; in_capture: boolean }[];
  methods: Verdict[];
}

interface Findings {
  /** Redacted. */
  recording: Recording;
  /** Of the redacted recording. */
  machine: Machine;
  kinds: readonly Kind[];
  certificate: CertificateFacts | null;
  methods: Verdict[];
}

/** Makes the report of a redacted recording. */
export function toReport({ recording, machine, kinds, certificate, methods }: Findings): ProbeReport {
  const { login, strangers, pages, stopped } = recording;
  return {
    machine: describeMachine(machine),
    login: {
      kind: login.kind,
      refused: login.refusal?.status ?? null,
      error: login.error,
      strangers: [...strangers].filter(([, response]) => isDocument(response)).map(([path]) => path),
    },
    virtual_media: machine.devices.map(({ path, owner, types, inserted, eject }) => ({
      path,
      under: owner,
      types,
      inserted,
      eject,
    })),
    events: describeEvents(machine),
    forms: { etags: etagForm(recording), pages: pages.size },
    closed: closedParts(recording),
    requests: describeRequests(recording),
    certificate,
    stopped,
    no_root: describeNoRoot(recording),
    kinds: kinds.map(({ name, seen, inCapture }) => ({ name, seen, in_capture: inCapture !== 'no' })),
    methods,
  };
}

function describeNoRoot({ root, responses, strangers }: Recording): string | null {
  const response = responses.get(root) ?? strangers.get(root);
  if (response === undefined) return `GET ${root} got no response`;
  if (isDocument(response)) return null;
  return `GET ${root} returned ${response.status}${response.status < 300 ? ' without a JSON object' : ''}`;
}

function describeMachine({ root, systems, managers }: Machine): ProbeReport['machine'] {
  const first = (documents: readonly JsonObject[], key: string) =>
    documents.map((document) => textOf(document, key)).find((text) => text !== null) ?? null;
  const roots = root === null ? [] : [root];
  return {
    vendor: first(roots, 'Vendor') ?? first(systems, 'Manufacturer') ?? vendorOf(root),
    product: first(systems, 'Model') ?? first(roots, 'Product'),
    firmware: first(managers, 'FirmwareVersion'),
    redfish: first(roots, 'RedfishVersion'),
  };
}

/** Vendors name themselves under `Oem` where they have no `Vendor` (before Redfish 1.5). */
function vendorOf(root: JsonObject | null): string | null {
  return isJsonObject(root?.Oem) ? (Object.keys(root.Oem)[0] ?? null) : null;
}

function describeEvents({ events }: Machine): ProbeReport['events'] {
  const document = events?.document ?? {};
  const { ServiceEnabled: enabled, EventTypesForSubscription: types = null } = document;
  return {
    service: serviceOf(events, enabled === false),
    event_types: types,
    sse: textOf(document, 'ServerSentEventUri') !== null,
    subscriptions: events?.subscriptions ?? null,
    retry: {
      attempts: document.DeliveryRetryAttempts ?? null,
      interval_seconds: document.DeliveryRetryIntervalSeconds ?? null,
    },
  };
}

function serviceOf(events: Machine['events'], off: boolean): ProbeReport['events']['service'] {
  if (events === null) return 'absent';
  if (events.document === null) return events.status === null ? 'not read' : 'closed';
  return off ? 'switched off' : 'enabled';
}

/** What is listed or linked counts as closed by a 404 too; a usual path that was tried in vain does not. */
const LISTED: ReadonlySet<string | undefined> = new Set(['system', 'manager', 'device', 'subscription', undefined]);

function closedParts({ responses, found, silent }: Recording): ProbeReport['closed'] {
  const refused = [...responses]
    .filter(([path, { status }]) => status >= 300 && (status !== 404 || LISTED.has(found.get(path)?.resource)))
    .map(([path, { status }]) => ({ path, status, why: null }));
  return [...refused, ...[...silent].map(([path, why]) => ({ path, status: null, why }))];
}

function describeRequests({ exchanges }: Recording): ProbeReport['requests'] {
  const byTime = exchanges.toSorted((a, b) => a.durationMs - b.durationMs);
  const slowest = byTime.at(-1);
  const ms = (exchange: { durationMs: number } | undefined) =>
    exchange === undefined ? null : Math.round(exchange.durationMs);
  return {
    count: exchanges.length,
    median_ms: ms(byTime[Math.floor(byTime.length / 2)]),
    slowest_ms: ms(slowest),
    slowest: slowest === undefined ? null : `${slowest.method} ${slowest.path}`,
  };
}
