import type { Exchange } from './exchanges.ts';
import type { Ended, Story } from './run.ts';

// Which calls a machine makes impossible, or of which no one can know the end. All others must succeed.

const MEDIA_TYPES = { cd: ['CD', 'DVD'], dvd: ['DVD'], usb: ['USBStick'], floppy: ['Floppy'] } as const;

/** Whether a device of the machine is meant by an eject or insert. */
export function isMeant(types: readonly string[], bootDevice: Ended['call']['bootDevice']): boolean {
  return bootDevice === null || types.some((type) => (MEDIA_TYPES[bootDevice] as readonly string[]).includes(type));
}

/** Whether a hiccup gave a poll a status that may be the end of the operation itself. */
export function isAmbiguousPoll({ path, hiccup, status }: Exchange): boolean {
  return hiccup !== null && path.includes('/TaskMonitors/') && (status === 500 || status === 429);
}

/** Returns why a call may fail; null when it must succeed. */
export function mayFail(story: Story, ended: Ended): string | null {
  const { machine, quirks } = story;
  const has = (...names: string[]) => names.some((name) => quirks.includes(name));
  const matching = (pattern: RegExp) => quirks.some((name) => pattern.test(name));
  if (machine.wrongPassword) return 'the password is wrong';
  const login = noLogin(machine.authType, ended.call.method === 'discover', has, matching);
  if (login !== null) return login;
  // A changing request, or a log-in, may have been lost; it is not repeated.
  if (ended.met.some(({ method, hiccup }) => method !== 'GET' && hiccup !== null))
    return 'a change was hit by a hiccup';
  if (ended.met.some(isAmbiguousPoll)) return 'a poll got what may be the end of a failed task';
  const reads = ended.met.filter(({ hiccup }) => hiccup !== null).length;
  if (reads > 0 && matching(/^first-read|^ended-session-reset|^session-serves/)) return 'a read failed too often';
  if (!READS.includes(ended.call.method)) {
    if (matching(/^tasks-.*fail/) && ended.call.method !== 'discover') return 'its tasks fail';
    if (has('tasks-gone-none', 'tasks-restart') && ended.error?.kind === 'outcome_unknown')
      return 'its tasks leave no trace';
  }
  if (matching(/^tasks-restart/) && ended.met.some(({ status }) => status === 404)) return 'the BMC restarts';
  if (matching(/^busy-/) && ended.shared && changes(ended)) return 'another call takes the turns of this one';
  // The BMC closes the connection while a change is on its way, and never sees it.
  if (has('silent-close') && changes(ended) && ended.error?.kind === 'outcome_unknown')
    return 'its connection was closed';
  if (
    has('delete-error-200') &&
    ended.call.method === 'delete_subscription' &&
    ['bmc_failed', 'outcome_unknown'].includes(ended.error?.kind ?? '')
  )
    return 'a DELETE is refused';
  if (has('ended-session-reset') && changes(ended)) return 'a dead token is met by a reset, also for a change';
  switch (ended.call.method) {
    case 'discover':
      return matching(/^(sleeping|closed)-system|^media-(without|error|page)|^unreadable-device/)
        ? 'a part cannot be read'
        : null;
    case 'eject_vmedia':
      return noEject(story, ended, has, matching);
    case 'get_vmedia':
      return noMedia(story, has, matching);
    case 'insert_vmedia':
      return noInsert(story, ended, has, matching);
    default:
      return noSubscription(ended, has, matching);
  }
}

const READS: readonly string[] = ['get_all_subscriptions', 'get_subscription', 'get_vmedia'];

type Has = (...names: string[]) => boolean;
type Matching = (pattern: RegExp) => boolean;

function changes({ call }: Ended): boolean {
  return ['create_subscription', 'delete_subscription', 'eject_vmedia', 'insert_vmedia'].includes(call.method);
}

function noLogin(nodeAuth: string, discovers: boolean, has: Has, matching: Matching): string | null {
  const auth = discovers ? 'auto' : nodeAuth;
  if (auth === 'basic' && has('basic-off')) return 'Basic is off';
  const noSessions =
    matching(/^log-in-/) ||
    has('sessions-disabled', 'basic-front-end', 'sessions-refused') ||
    matching(/^no-session-service/);
  return auth === 'session' && noSessions ? 'there are no sessions' : null;
}

function noMedia({ machine }: Story, has: Has, matching: Matching): string | null {
  const { place } = machine;
  if (place === 'none') return 'there are no virtual media';
  if (place === 'empty' && matching(/^(unreadable|sleeping|closed|several)-/)) return 'the only device cannot be read';
  const underManager = place === 'manager' || place === 'both-different';
  const closed = has('closed-managers', 'no-managers') || (has('closed-manager-collection') && has('no-managed-by'));
  if (underManager && closed) return 'the managers are closed';
  if (!machine.systemId && has('sleeping-system', 'closed-system')) return 'which system is meant is unknown';
  return matching(/^media-(without|error|page)/) ? 'the collection is broken' : null;
}

function noInsert(story: Story, ended: Ended, has: Has, matching: Matching): string | null {
  const none = noMedia(story, has, matching);
  if (none !== null) return none;
  const { call, before } = ended;
  const first = new Map<string, string>();
  for (const { path } of before.devices)
    first.set(path.replace(/[^/]+$/, ''), first.get(path.replace(/[^/]+$/, '')) ?? path);
  const refuses = has('insert-refused-by-first-slot', 'insert-405-in-first-slot');
  const usable = before.devices.filter(
    ({ path, id, types }) =>
      isMeant(types, call.bootDevice ?? 'cd') && id !== 'Fixed1' && !(refuses && [...first.values()].includes(path)),
  );
  if (usable.length === 0) return 'there is no such device';
  if (matching(/^unreadable-device/)) return 'a device cannot be read';
  if (has('media-listed-while-inserted')) return 'an empty device is not listed';
  const free = usable.some(({ inserted }) => !inserted);
  const same = usable.some(({ image }) => image !== null && sameImage(image, call.image));
  if (!free && !same && !call.replace) return 'every device contains another image';
  if (ended.shared) return 'another call may take the device';
  if (!free && refuses) return 'only a device that takes no image can be emptied';
  if (!free && has('dead-slot')) return 'a dead slot may be found first';
  return null;
}

function sameImage(a: string, b: string): boolean {
  return URL.parse(a)?.href === URL.parse(b)?.href;
}

function noEject(story: Story, ended: Ended, has: Has, matching: Matching): string | null {
  const { machine } = story;
  const { call, before } = ended;
  const { place } = machine;
  const none = noMedia(story, has, matching);
  if (none !== null) return none;
  const meant = before.devices.filter(({ types }) => isMeant(types, call.bootDevice));
  if (meant.length === 0) return 'there is no such device';
  if (has('media-listed-while-inserted') && !meant.some(({ inserted }) => inserted)) return 'no such device is listed';
  if (has('dead-slot') && place === 'both-different' && call.bootDevice !== null)
    return 'a dead slot may be found first';
  if (has('dead-slot') && !meant.some(({ id, inserted }) => inserted && id !== 'Fixed1'))
    return 'only a dead slot is meant';
  return null;
}

function noSubscription(ended: Ended, has: Has, matching: Matching): string | null {
  const { call, before, after, id } = ended;
  if (has('no-event-service')) return 'there is no event service';
  const listBroken = matching(/^subscriptions-(without|error|page)/);
  if (call.method === 'get_all_subscriptions') return listBroken ? 'the collection is broken' : null;
  const held = (state: typeof before) => state.subscriptions.some((each) => each.id === id);
  const closed = matching(/^closed-subscriptions/);
  if (call.method === 'get_subscription' && closed) return 'it cannot be read';
  if (call.method === 'get_subscription') return held(before) && held(after) ? null : 'it is not there';
  if (call.method === 'delete_subscription')
    return held(before) && !ended.shared ? null : 'it is not there, or was deleted meanwhile';
  if (matching(/^events-disabled/) || !before.eventsEnabled || !after.eventsEnabled) return 'events are switched off';
  if (call.context !== null && matching(/^refuses[- ](context|Context)/)) return 'the context is refused';
  if (call.eventTypes && matching(/^refuses[- ](event-types|EventTypes)/)) return 'the event types are refused';
  if (listBroken && call.ifExists === 'return') return 'the collection is broken';
  if (listBroken && matching(/^create-/)) return 'the new subscription cannot be looked for';
  if (matching(/^tasks/) && (listBroken || has('destination-hidden')))
    return 'the new subscription cannot be looked for';
  if (matching(/^unreadable-subscription-(403|50)/) && (call.ifExists === 'return' || matching(/^create-/)))
    return 'one cannot be read';
  if (closed && (call.ifExists === 'return' || matching(/^create-|^tasks|^one-per/))) return 'none can be read';
  if (has('context-changed') && matching(/^create-(location-(collection|empty)|20)/))
    return 'the new one cannot be told from others';
  if (has('destination-hidden') && matching(/^create-/)) return 'the new subscription cannot be recognised';
  if (
    matching(/^one-per-destination/) &&
    before.subscriptions.some(({ destination }) => destination === call.destination)
  ) {
    const same = before.subscriptions.some(
      (each) => each.destination === call.destination && each.context === (call.context ?? ''),
    );
    if (call.ifExists !== 'return' || !same || has('destination-hidden')) return 'there is one to that destination';
  }
  if (matching(/^one-per-destination/) && ended.shared) return 'another call may make it';
  return null;
}
