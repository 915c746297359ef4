import type { RedfishError } from '../errors.ts';
import type { Machine, SeenDevice } from './machine.ts';
import type { LoginRecord } from './recording.ts';

/** How reading what a method needs has ended: `null` when it was read, else the error; absent when it was not tried. */
export interface Trials {
  listSubscriptions?: RedfishError | null;
  getSubscription?: RedfishError | null;
  eventService?: RedfishError | null;
  /** Finding the system whose media are ejected. */
  findSystem?: RedfishError | null;
  listMedia?: RedfishError | null;
  discover?: RedfishError | null;
}

/** Whether a method works on the machine, as far as reading can tell. */
export interface Verdict {
  /** The method, with the device for one of them: `eject_vmedia CD1`. */
  method: string;
  verdict: 'works' | 'will not work' | 'unknown until tried';
  why: string;
}

type Outcome = [verdict: Verdict['verdict'], why: string];

const NOT_READ: Outcome = ['unknown until tried', 'the probe ended before it was read'];

const METHODS = [
  'get_all_subscriptions',
  'get_subscription',
  'create_subscription',
  'delete_subscription',
  'eject_vmedia',
  'discover',
];

/** Returns a verdict for each method. Only what was read counts: the probe has changed nothing. */
export function verdictsOf(trials: Trials, machine: Machine, login: LoginRecord['kind']): Verdict[] {
  const of = (method: string, [verdict, why]: Outcome): Verdict => ({ method, verdict, why });
  const all = (...outcome: Outcome) => METHODS.map((method) => of(method, outcome));
  if (login === 'failed') return all('will not work', 'the credentials were not accepted');
  if (login === 'none' && Object.values(trials).some((error) => error?.status === 401)) {
    return all('unknown until tried', 'strangers may not read what it needs; give an account');
  }
  return [
    of('get_all_subscriptions', read(trials.listSubscriptions, 'the subscriptions were read')),
    of('get_subscription', getSubscription(trials)),
    of('create_subscription', create(trials, machine)),
    of('delete_subscription', remove(trials)),
    ...ejects(trials, machine).map(([method, outcome]) => of(method, outcome)),
    of('discover', read(trials.discover, 'systems, managers and virtual media were read')),
  ];
}

function read(trial: RedfishError | null | undefined, done: string): Outcome {
  if (trial === undefined) return NOT_READ;
  return trial === null ? ['works', done] : ['will not work', trial.message];
}

function getSubscription({ listSubscriptions, getSubscription: one }: Trials): Outcome {
  if (one !== undefined) return read(one, 'a subscription was read');
  if (listSubscriptions !== null) return read(listSubscriptions, '');
  return ['unknown until tried', 'there is no subscription to read'];
}

function create({ eventService }: Trials, { events }: Machine): Outcome {
  if (eventService !== null) return read(eventService, '');
  if (events?.document?.ServiceEnabled === false) {
    return ['will not work', 'the event service is switched off (ServiceEnabled is false)'];
  }
  return ['unknown until tried', 'the event service was read; nothing was created'];
}

function remove({ listSubscriptions }: Trials): Outcome {
  if (listSubscriptions !== null) return read(listSubscriptions, '');
  return ['unknown until tried', 'the subscriptions were read; none was deleted'];
}

function ejects({ findSystem, listMedia }: Trials, { devices }: Machine): [method: string, outcome: Outcome][] {
  const failed = [findSystem, listMedia].find((trial) => trial !== null);
  if (failed !== undefined) return [['eject_vmedia', read(failed, '')]];
  if (findSystem === undefined || listMedia === undefined) return [['eject_vmedia', NOT_READ]];
  if (devices.length === 0) return [['eject_vmedia', ['will not work', 'no virtual media device was found']]];
  return devices.map((device) => [`eject_vmedia ${device.id} (${device.owner})`, eject(device)]);
}

function eject({ inserted, eject: how }: SeenDevice): Outcome {
  if (how === 'none') return ['will not work', 'it has no EjectMedia action and allows no PATCH'];
  const by = how === 'action' ? 'by its EjectMedia action' : 'by PATCH, as it has no EjectMedia action';
  if (inserted) return ['unknown until tried', `it holds an image, to be ejected ${by}; nothing was ejected`];
  return ['works', `it is empty now, so there is nothing to do; an image would be ejected ${by}`];
}
