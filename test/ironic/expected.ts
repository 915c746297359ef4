import type { ComparedRequest } from './requests.ts';
import { differingMembers, type Response } from './response.ts';

/** How a response differs from that of a real Ironic. */
export type Class =
  | 'same'
  /** Right where Ironic errs. */
  | 'better'
  /** Makes no difference to a client. */
  | 'neutral'
  /** A feature that is not served, with a text that says so. */
  | 'scope'
  | 'worse';

/** A difference that is no defect of the service. */
export interface Expected {
  class: Exclude<Class, 'same' | 'worse'>;
  why: string;
  /** @param before the exchange before, with both services */
  matches(request: ComparedRequest, theirs: Response, ours: Response, before: ComparedExchange | undefined): boolean;
}

/** A request with the responses of both services. */
export interface ComparedExchange {
  request: ComparedRequest;
  theirs: Response;
  ours: Response;
}

/** Differences between members of documents, as `differingMembers` has them, which depend on the set-up of the two services. */
const MEMBERS: readonly RegExp[] = [
  // A node here has no interface of a kind that is not served until one is set; Ironic fills in its default.
  /_interface: ".*", here null$/,
  /\/enabled_\w+_interfaces(\/\d+)?: /,
  // Ironic shows the reservation of the update itself.
  /^\/reservation: ".*", here null$/,
  /(^|\/)updated_at: /,
  // Removed, these are null in Ironic until the node is read again.
  /^\/(disable_power_off|retired): null, here false$/,
  // The link to the next page has the parameters of the request; Ironic adds the defaults of others, and links an empty page.
  /^\/next: /,
  // Where the API is described, and by whom it is served.
  /^\/links\/1\//,
  /^\/description: /,
  // Other hardware types are enabled, and their order is not fixed.
  /^\/drivers\/\d+/,
  /^\/conductors\/\d+\/drivers/,
  // The recorded conductor was busy for longer than its heartbeat.
  /^\/conductors\/\d+\/alive: false, here true$/,
];

function isMinor(theirs: Response, ours: Response): boolean {
  if (theirs.status !== ours.status || theirs.status >= 400) return false;
  if (JSON.stringify(theirs.headers) !== JSON.stringify(ours.headers)) return false;
  return differingMembers(theirs.body, ours.body).every((line) => MEMBERS.some((member) => member.test(line)));
}

export const EXPECTED: readonly Expected[] = [
  {
    class: 'neutral',
    why: 'members that depend on the set-up',
    matches: (_request, theirs, ours) => isMinor(theirs, ours),
  },
  {
    class: 'better',
    why: 'Ironic fails with 500 and a Python message',
    matches: (_request, theirs, ours) => theirs.status === 500 && ours.status < 500,
  },
  {
    class: 'scope',
    why: 'a route of Ironic that is not served says so',
    matches: (_request, _theirs, ours) => ours.status === 400 && String(ours.body).startsWith('Not served here'),
  },
  {
    class: 'neutral',
    why: 'events can be listed; Ironic can only be told of them',
    matches: ({ method, path }, theirs, ours) =>
      method === 'GET' && path.startsWith('/v1/events') && theirs.status === 405 && ours.status === 200,
  },
  {
    class: 'neutral',
    why: 'errors of the HTTP layer have the headers of the versions too',
    matches: (_request, theirs, ours) =>
      theirs.status === ours.status && theirs.status >= 400 && hasAllHeaders(theirs, ours),
  },
  {
    class: 'neutral',
    why: 'the removal of a node that one of the two has not made before',
    matches: ({ name }) => name === 'clean up',
  },
  {
    class: 'better',
    why: 'fields that Ironic shows but does not select',
    matches: ({ path }, theirs, ours) =>
      path.includes('?fields=') && says(theirs, 400, /is not a valid field/) && ours.status !== 404,
  },
  {
    class: 'better',
    why: 'a field that can be removed can be set to null',
    matches: ({ method, body }, theirs, ours) =>
      method === 'PATCH' &&
      JSON.stringify(body)?.includes('"value":null') === true &&
      theirs.status === 400 &&
      ours.status === 200,
  },
  {
    class: 'better',
    why: 'a parent is found by its name',
    matches: ({ path }) => path.includes('parent_node=plain'),
  },
  {
    class: 'neutral',
    why: 'the default of a field that its version lacks is taken on create',
    matches: ({ body }, theirs, ours) =>
      JSON.stringify(body)?.includes('"conductor_group":null') === true && theirs.status === 406 && ours.status === 201,
  },
  {
    class: 'scope',
    why: 'chassis are labels here, and need not exist',
    matches: ({ path }, theirs) => path.includes('chassis_uuid=') && theirs.status === 404,
  },
  {
    class: 'scope',
    why: 'network_data is kept and not read',
    matches: ({ body }, theirs) =>
      JSON.stringify(body)?.includes('network_data') === true && says(theirs, 400, /network_data/),
  },
  {
    class: 'neutral',
    why: 'without authentication Ironic 39 takes no owner',
    matches: (_request, theirs) => says(theirs, 400, /project scoped admin/),
  },
  {
    class: 'better',
    why: 'a word that is no boolean is refused',
    matches: ({ body }, _theirs, ours) =>
      JSON.stringify(body)?.includes('"secure_boot":"x"') === true && ours.status === 400,
  },
  {
    class: 'better',
    why: 'a body that is no object is refused instead of ignored',
    matches: ({ path, body }, theirs, ours) =>
      path.endsWith('/maintenance') && (body === 'x' || body === 5) && theirs.status === 202 && ours.status === 400,
  },
  {
    class: 'neutral',
    why: 'shows a change that only one of the two has accepted in the request before',
    matches: ({ method, path }, theirs, ours, before) =>
      before !== undefined &&
      (method === 'GET' || method === 'PATCH') &&
      before.request.method !== 'GET' &&
      before.request.path.startsWith(path.replace(/\?.*/, '')) &&
      before.theirs.status < 300 !== before.ours.status < 300 &&
      theirs.status === ours.status,
  },
  {
    class: 'neutral',
    why: 'a body of DELETE is ignored',
    matches: ({ method, path }, theirs, ours) =>
      method === 'DELETE' && path.endsWith('/maintenance') && theirs.status === 400 && ours.status === 202,
  },
  {
    class: 'neutral',
    why: 'an accepted call names its job',
    matches: ({ method }, theirs, ours) =>
      method === 'POST' && theirs.status === 202 && ours.status === 202 && hasAllHeaders(theirs, ours),
  },
  {
    class: 'neutral',
    why: 'a sort key that is none in any version is refused either way',
    matches: ({ path }, theirs, ours) => path.includes('sort_key=') && theirs.status === 400 && ours.status === 406,
  },
  {
    class: 'neutral',
    why: 'of several faults of one request another is told',
    matches: ({ random }, theirs, ours) =>
      random === true && [theirs, ours].every(({ status }) => REFUSALS.has(status)),
  },
  {
    class: 'scope',
    why: 'the only interface that is validated is vendor',
    matches: ({ method, path }, theirs, ours) =>
      method === 'GET' && path.endsWith('/validate') && theirs.status === 200 && ours.status === 200,
  },
  {
    class: 'scope',
    why: 'chassis and groups of conductors are labels here, and need not exist',
    matches: (_request, theirs, ours) =>
      ours.status < 300 &&
      (says(theirs, 400, /^Chassis .* could not be found/) || says(theirs, 400, /for conductor group/)),
  },
  {
    class: 'better',
    why: 'a parameter that Ironic does not read in detail is checked there too',
    matches: ({ path }, theirs, ours) =>
      path.includes('/detail?') &&
      /(include_children|parent_node)=/.test(path) &&
      theirs.status === 200 &&
      REFUSALS.has(ours.status),
  },
  {
    class: 'better',
    why: 'the id of Ironic’s database is no field of its documents',
    matches: (_request, theirs, ours) => theirs.status === 200 && says(ours, 400, /^Field id is not a valid field/),
  },
  {
    class: 'neutral',
    why: 'log_passthrough is listed from 1.83',
    matches: ({ method, path }, theirs, ours) =>
      method === 'GET' &&
      path.endsWith('/vendor_passthru/methods') &&
      differingMembers(theirs.body, ours.body).every((line) => line.startsWith('/log_passthrough: ')),
  },
  {
    class: 'better',
    why: 'arguments of a method are checked before it starts',
    matches: ({ path }, theirs, ours) =>
      path.includes('/vendor_passthru') && [200, 202].includes(theirs.status) && ours.status === 400,
  },
  {
    class: 'better',
    why: 'secure_boot is false where it says so; Ironic takes every text for true',
    matches: ({ body }, theirs, ours) =>
      JSON.stringify(body)?.includes('"secure_boot":"') === true && theirs.status === 201 && ours.status === 201,
  },
  {
    class: 'neutral',
    why: 'a UUID may be in upper case; in Ironic that depends on the database',
    matches: ({ path }, theirs, ours) => /[A-F]{8}-/.test(path) && theirs.status === 404 && ours.status === 200,
  },
  {
    class: 'neutral',
    why: 'texts have a maximum length, which in Ironic depends on the database',
    matches: (_request, theirs, ours) => theirs.status < 300 && says(ours, 400, /must be at most \d+ characters long/),
  },
  {
    class: 'better',
    why: 'a description contains a text as it is, without wildcards, and each contains the empty one',
    matches: ({ path }, theirs, ours) =>
      /description_contains=(&|$|%25|_)/.test(path) && theirs.status === 200 && ours.status === 200,
  },
  {
    class: 'neutral',
    why: 'the conductor has another name',
    matches: ({ path }, theirs, ours) =>
      /(conductor|marker)=localhost/.test(path) && [200, 404].includes(theirs.status) && ours.status === 200,
  },
  {
    class: 'better',
    // Ironic's conductor names this refusal as what attaching and detaching return, but only its job finds out.
    why: 'virtual media of a driver that has none are refused at once, not in the job',
    matches: ({ method, path }, theirs, ours) =>
      method !== 'GET' &&
      /\/vmedia(\?|$)/.test(path) &&
      theirs.status === 204 &&
      says(ours, 400, /^Driver \S+ does not support (at|de)tach_virtual_media/),
  },
  {
    class: 'better',
    why: 'HEAD goes with GET (RFC 9110, 9.1)',
    matches: ({ method }, theirs, ours) =>
      method === 'HEAD' && [400, 405].includes(theirs.status) && [200, 404].includes(ours.status),
  },
  {
    class: 'neutral',
    why: 'OPTIONS has the verbs and the versions, and fails for a path or a version that does not exist',
    matches: ({ method }, theirs, ours) =>
      method === 'OPTIONS' && theirs.status === 200 && [200, 404, 406].includes(ours.status),
  },
];

/** The statuses of a request that is refused for what it says. */
const REFUSALS: ReadonlySet<number> = new Set([400, 404, 405, 406]);

function says({ status, body }: Response, expected: number, text: RegExp): boolean {
  return status === expected && text.test(String(body));
}

/** Whether a response has the headers of another, except that the location of a job is another. */
function hasAllHeaders(theirs: Response, ours: Response): boolean {
  return Object.entries(theirs.headers).every(([name, value]) => ours.headers[name] === value);
}
