import type { CertificateFacts } from './certificate.ts';
import { collectionKinds } from './collectionKinds.ts';
import { errorKinds, formKinds } from './formKinds.ts';
import { type Kind, kind } from './kind.ts';
import type { Machine } from './machine.ts';
import { entriesOf } from './machine.ts';
import { partKinds } from './partKinds.ts';
import type { Recording } from './recording.ts';
import { loginKinds, rootKinds } from './rootKinds.ts';

/** Returns the kinds that a recording shows. */
export function kindsIn(recording: Recording, machine: Machine, certificate: CertificateFacts | null): Kind[] {
  const kinds = [
    ...mediaKinds(recording, machine),
    ...eventKinds(machine),
    ...collectionKinds(recording),
    ...partKinds(recording, machine),
    ...rootKinds(recording, machine),
    ...loginKinds(recording, machine),
    ...formKinds(recording),
    ...errorKinds(recording),
    ...connectionKinds(recording, certificate),
  ];
  return kinds.filter(({ name }, index) => kinds.findIndex((other) => other.name === name) === index);
}

function mediaKinds(recording: Recording, { devices, systems, managers }: Machine): Kind[] {
  const [system, manager] = ['system', 'manager'].map((owner) => devices.some((device) => device.owner === owner));
  const offers = (type: string) => devices.some(({ types }) => types.includes(type));
  const both = devices.some(({ types }) => types.includes('CD') && types.includes('USBStick'));
  const byAction = devices.filter(({ eject }) => eject === 'action').length;
  const collections = entriesOf(recording, 'media').some(([, { status }]) => status !== 404);
  return [
    ...kind(!system && manager === true, 'media-under-manager', 'virtual media hang under the manager'),
    ...kind(system === true && !manager, 'media-under-system', 'virtual media hang under the system'),
    ...kind(system === true && manager === true, 'media-under-both', 'virtual media hang under system and manager'),
    ...kind(systems.length > 0 && !collections, 'no-virtual-media', 'no virtual media were found'),
    ...kind(managers.length > 1, 'several-managers', `${managers.length} managers were read`),
    ...kind(offers('DVD') && !offers('CD'), 'dvd-only', 'there is a device for DVD, and none for CD'),
    ...kind(both, 'cd-and-usb-in-one', 'one device takes CD and USBStick'),
    ...kind(devices.length > 0 && byAction === 0, 'no-media-actions', 'virtual media have no EjectMedia action'),
    ...kind(byAction > 0 && byAction < devices.length, 'dead-slot', 'some virtual media have no EjectMedia action'),
  ];
}

function eventKinds({ events, subscriptions }: Machine): Kind[] {
  const document = events?.document ?? null;
  const types = document?.EventTypesForSubscription;
  const hasTypes = Array.isArray(types) && types.length > 0;
  const lists = subscriptions.some(({ HttpHeaders }) => Array.isArray(HttpHeaders));
  return [
    ...kind(events === null, 'no-event-service', 'no event service was found'),
    ...kind(document?.ServiceEnabled === false, 'events-disabled', 'ServiceEnabled of the event service is false'),
    ...kind(document !== null && !hasTypes, 'no-event-types', 'the event service has no EventTypesForSubscription'),
    ...kind(lists, 'http-headers-empty-list', 'a subscription has HttpHeaders as a list'),
  ];
}

/** Redirects, reads that succeed on a repeat only, and old protocols. */
function connectionKinds({ exchanges, root }: Recording, certificate: CertificateFacts | null): Kind[] {
  const redirects = exchanges.filter(({ status }) => status !== null && status >= 300 && status < 400);
  const ofRoot = (path: string) => redirects.some((exchange) => exchange.path === path);
  const others = redirects.filter(({ path }) => path !== root && path !== `${root}/` && !path.endsWith('/'));
  const versions: Record<string, string> = { TLSv1: 'tls-1.0', 'TLSv1.1': 'tls-1.1' };
  const old = versions[certificate?.protocol ?? ''];
  const everywhere = others[0]?.status;
  return [
    ...(others.length > 2
      ? kind(true, `redirects-to-slash-${everywhere}`, `${others.length} paths without a slash redirect`, 'named')
      : kind(ofRoot(root), 'redirect-to-slash', 'the service root without a slash redirects', 'named')),
    ...kind(ofRoot(`${root}/`), 'redirect-from-slash', 'the service root with a slash redirects', 'named'),
    ...repeatedReads({ exchanges }),
    ...(old === undefined ? [] : kind(true, old, `the BMC chose ${certificate?.protocol}`, 'no')),
  ];
}

const PASSING: Readonly<Record<string, string>> = {
  '429': 'first-read-429',
  '500': 'first-read-500',
  '502': 'first-read-502',
  '503': 'first-read-503',
  '504': 'first-read-504',
  '400': 'first-read-not-ready-400',
  '409': 'first-read-not-ready-409',
  null: 'first-read-reset',
};

function repeatedReads({ exchanges }: Pick<Recording, 'exchanges'>): Kind[] {
  const failures = new Map<string, number>();
  exchanges.forEach(({ method, path, status }, index) => {
    const name = PASSING[String(status)];
    if (method !== 'GET' || name === undefined) return;
    const next = exchanges.slice(index + 1).find((exchange) => exchange.path === path && exchange.method === 'GET');
    if (next?.status === 200) failures.set(name, (failures.get(name) ?? 0) + 1);
  });
  return [...failures].flatMap(([name, count]) =>
    kind(true, name, `${count} ${count === 1 ? 'read' : 'reads'} succeeded on a repeat only`, 'no'),
  );
}
