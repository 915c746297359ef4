import { objectOf } from '../links.ts';
import { type Kind, kind } from './kind.ts';
import { entriesOf, type Machine } from './machine.ts';
import { isDocument, type Recording } from './recording.ts';
import type { Resource } from './scope.ts';

/** Statuses of listed members that cannot be read, which the simulator shows. */
const UNREADABLE = [403, 404, 500, 503];

/** Returns the kinds of parts that are asleep, closed to the account, or not linked. */
export function partKinds(recording: Recording, { systems, managers, devices }: Machine): Kind[] {
  const statuses = (resource: Resource) => entriesOf(recording, resource).map(([, { status }]) => status);
  const [collection] = statuses('managers');
  const closed = statuses('manager').filter((status) => status === 403).length;
  const allClosed = collection === 403 && managers.length === 0;
  const unreadable = (resource: Resource, name: string) =>
    UNREADABLE.flatMap((status) => {
      const count = statuses(resource).filter((one) => one === status).length;
      return kind(count > 0, `unreadable-${name}-${status}`, `${count} listed, and ${status} when read`);
    });
  const closedToAll = (statuses: readonly number[], status: number) =>
    statuses.length > 0 && statuses.every((one) => one === status);
  const part = (resource: Resource, status: number, name: string) => {
    const count = statuses(resource).filter((one) => one === status).length;
    return kind(count > 0, name, `${count} listed, and ${status} when read`);
  };
  const unmanaged = systems.filter((system) => !Array.isArray(objectOf(system, 'Links').ManagedBy));
  return [
    ...unreadable('device', 'device'),
    ...unreadable('subscription', 'subscription'),
    ...[403, 500, 503].flatMap((status) =>
      kind(
        closedToAll(statuses('subscription'), status),
        `closed-subscriptions-${status}`,
        `all subscriptions are listed, and ${status} when read`,
      ),
    ),
    ...kind(statuses('events').includes(403), 'closed-event-service', 'the event service gets 403'),
    ...part('manager', 503, 'sleeping-manager'),
    ...part('manager', 500, 'failing-manager'),
    ...kind(closed > 0 && !allClosed, 'closed-manager', `${closed} listed, and 403 when read`),
    ...part('system', 503, 'sleeping-system'),
    ...part('system', 403, 'closed-system'),
    ...kind(allClosed, 'closed-managers', 'the managers and their collection get 403'),
    ...kind(collection === 403 && !allClosed, 'closed-manager-collection', 'the collection of managers gets 403'),
    ...kind(collection === 404, 'no-managers', 'there is no collection of managers'),
    ...kind(
      unmanaged.length > 0 && managers.length > 0,
      'no-managed-by',
      `${unmanaged.length} of ${systems.length} systems name no managers`,
    ),
    ...kind(
      devices.length > 0 && unlinkedMedia(recording),
      'no-virtual-media-link',
      'virtual media are at their usual path, without a link',
    ),
    ...kind(
      unlinkedSubscriptions(recording),
      'no-subscriptions-link',
      'the event service does not link its subscriptions',
    ),
  ];
}

function unlinkedMedia(recording: Recording): boolean {
  return isUnlinked(recording, 'media', 'VirtualMedia');
}

function unlinkedSubscriptions(recording: Recording): boolean {
  return isUnlinked(recording, 'subscriptions', 'Subscriptions');
}

/** Whether a resource was read that the document above does not link to. */
function isUnlinked(recording: Recording, resource: Resource, property: string): boolean {
  return entriesOf(recording, resource).some(([path, response]) => {
    const above = recording.responses.get(recording.found.get(path)!.from);
    return isDocument(response) && isDocument(above) && !(property in above.document);
  });
}
