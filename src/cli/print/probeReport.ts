import type { Json } from '../../core/json.ts';
import type { ProbeReport } from '../../redfish/index.ts';
import { dataText } from './output.ts';
import { drawTable } from './table.ts';
import { terminalWidth } from './textWidth.ts';

export type ReportFormat = 'table' | 'json' | 'yaml';

/** Prints what a probe found on `stream`. */
export async function printReport(
  report: ProbeReport,
  format: ReportFormat,
  stream: NodeJS.WriteStream,
): Promise<void> {
  // The keys are this type's own; the values may hold anything that a BMC sent.
  if (format !== 'table') stream.write(await dataText(report as unknown as Json, format));
  else stream.write(tables(report, terminalWidth(stream)));
}

function tables(report: ProbeReport, width: number): string {
  const { kinds, methods } = report;
  const drawn = [
    drawTable(['Field', 'Value'], facts(report), { width }),
    drawTable(
      ['Kind', 'Seen', 'In the capture'],
      kinds.map(({ name, seen, in_capture }) => [name, seen, in_capture ? 'yes' : `no; add --quirk ${name}`]),
      { width },
    ),
    drawTable(
      ['Method', 'Verdict', 'Why'],
      methods.map(({ method, verdict, why }) => [method, verdict, why]),
      { width },
    ),
  ];
  return drawn.join('\n');
}

function facts(report: ProbeReport): string[][] {
  const { machine, virtual_media: media, forms, closed, requests, stopped } = report;
  const rows: [string, string | null][] = [
    ['vendor', machine.vendor],
    ['product', machine.product],
    ['firmware', machine.firmware],
    ['Redfish', machine.redfish],
    ['login', login(report)],
    ['strangers may read', report.login.strangers.join('\n') || 'nothing'],
    ['virtual media', media.map(device).join('\n') || 'none seen'],
    ['events', events(report)],
    ['ETags', forms.etags],
    ['certificate', certificate(report)],
    ['closed or asleep', closed.map(({ path, status, why }) => `${path}: ${status ?? why}`).join('\n') || 'nothing'],
    [
      'requests',
      `${requests.count}, median ${requests.median_ms} ms, slowest ${requests.slowest_ms} ms: ${requests.slowest}`,
    ],
    ['incomplete', stopped],
  ];
  return rows.flatMap(([name, value]) => (value === null ? [] : [[name, value]]));
}

function login({ login: { kind, refused, error } }: ProbeReport): string {
  const refusal = refused === null ? '' : `; a login for a session got ${refused}`;
  return error === null ? kind + refusal : `${kind}: ${error}`;
}

function device({ path, under, types, inserted, eject }: ProbeReport['virtual_media'][number]): string {
  const how = eject === 'none' ? 'cannot be ejected' : `ejected by ${eject}`;
  return `${path} (${under}): ${types.join(', ') || 'no types'}, ${inserted ? 'with an image' : 'empty'}, ${how}`;
}

function events({ events: { service, event_types: types, sse, subscriptions, retry } }: ProbeReport): string {
  if (service !== 'enabled' && service !== 'switched off') return service;
  const given = (value: Json, unit = '') =>
    value === null ? 'not told' : Array.isArray(value) ? value.join(', ') : `${value}${unit}`;
  return [
    service,
    `${subscriptions ?? 'unknown number of'} subscriptions`,
    `event types: ${given(types)}`,
    `Server-Sent Events: ${sse ? 'yes' : 'no'}`,
    `delivery retries: ${given(retry.attempts)}, interval: ${given(retry.interval_seconds, ' s')}`,
  ].join('\n');
}

function certificate({ certificate: found }: ProbeReport): string | null {
  if (found === null) return null;
  const { protocol, cipher, selfSigned, expires, expired, matchesName, key, weak } = found;
  return [
    `${protocol ?? 'unknown protocol'}, ${cipher ?? 'unknown cipher'}, ${key ?? 'unknown key'}`,
    selfSigned ? 'self-signed' : 'signed by a CA',
    `${expired ? 'EXPIRED' : 'expires'} ${expires ?? 'unknown'}`,
    matchesName ? 'for this address' : 'for another name',
    ...(weak === null ? [] : [`weak: ${weak}`]),
  ].join('\n');
}
