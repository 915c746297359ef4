import type { JsonObject } from '../../../src/core/json.ts';
import type { Exchange } from './exchanges.ts';
import { isAmbiguousPoll, isMeant, mayFail } from './expected.ts';
import type { HeldDevice } from './furnish.ts';
import type { Ended, Story } from './run.ts';
import { DEADLINE_MS, IMAGE_PASSWORD, IMAGE_USER, PASSWORD, SECRET_HEADER, WRONG_PASSWORD } from './run.ts';

/** Returns what a machine's story breaks of what is promised; empty for a good one. */
export function brokenPromises(story: Story): string[] {
  const broken: string[] = [];
  for (const [index, ended] of story.calls.entries()) {
    const name = `call ${index} (${ended.call.method}, ${ended.error?.kind ?? 'succeeded'})`;
    const tell = (text: string) => broken.push(`${name}: ${text}`);
    if (ended.error === null) checkResult(story, ended, tell);
    else checkError(story, ended, tell);
    checkRepeats(ended, tell);
    checkSecrets(story, JSON.stringify([ended.result, ended.error]), tell);
    if (ended.durationMs > DEADLINE_MS) tell(`took ${Math.round(ended.durationMs)} ms`);
  }
  checkLogins(story, broken);
  for (const text of story.texts) checkSecrets(story, text, (what) => broken.push(`a node: ${what}`));
  if (story.nodesBusy.length > 0) broken.push(`nodes are left reserved: ${story.nodesBusy}`);
  const hit = story.record.exchanges.some(
    ({ method, hiccup, path }) => hiccup !== null && method !== 'GET' && path.includes('Session'),
  );
  // The log-out may have got a reset, or the 404 of a BMC that restarts.
  const cut = story.quirks.some((name) => /^ended-session-reset|^tasks-restart/.test(name));
  if (story.sessionsLeft > 0 && !hit && !cut) broken.push(`${story.sessionsLeft} sessions are left`);
  return broken;
}

type Tell = (text: string) => void;

/** URLs as URLs, with percent codes in one case. */
function sameUrl(a: string, b: string): boolean {
  const normal = (url: string) => (URL.parse(url)?.href ?? url).replace(/%[0-9a-f]{2}/gi, (code) => code.toUpperCase());
  return normal(a) === normal(b);
}

function checkResult(story: Story, ended: Ended, tell: Tell): void {
  const { call, before, after, id } = ended;
  const result = (ended.result ?? {}) as JsonObject;
  const ids = (state: typeof before) => state.subscriptions.map((each) => each.id);
  switch (call.method) {
    case 'get_subscription':
      if (String(result.Id) !== id) tell(`returned ${JSON.stringify(result)} for ${id}`);
      if (!ids(before).includes(id) && !ids(after).includes(id)) tell(`returned ${id}, which is not there`);
      return;
    case 'get_all_subscriptions': {
      const members = (result.Members as { '@odata.id': string }[]).map((member) => lastOf(member['@odata.id']));
      const seen = members.filter((member) => !member.startsWith('Unreadable'));
      const always = ids(before).filter((each) => ids(after).includes(each));
      const ever = [...ids(before), ...ids(after)];
      // A deletion moves those that follow it to an earlier page, which was read already.
      const paged = ended.shared && story.quirks.includes('pages');
      if (
        (!paged && always.some((each) => !seen.includes(each))) ||
        (!ended.shared && seen.some((each) => !ever.includes(each)))
      ) {
        tell(`listed ${seen}, but there are ${ids(after)}`);
      }
      if (new Set(members).size !== members.length) tell(`listed one twice: ${members}`);
      return;
    }
    case 'create_subscription':
      checkCreated(story, ended, result, tell);
      return;
    case 'delete_subscription':
      if (ids(after).includes(id)) tell(`told ${id} deleted, but it is there`);
      return;
    case 'eject_vmedia':
      checkEjected(story, ended, result, tell);
      return;
    case 'insert_vmedia':
      checkInserted(story, ended, result, tell);
      return;
    case 'get_vmedia':
      checkMedia(story, ended, result, tell);
      return;
    default:
      return;
  }
}

function checkCreated(story: Story, ended: Ended, { Id }: JsonObject, tell: Tell): void {
  const { call, before, after } = ended;
  const told = after.subscriptions.find(({ id }) => id === String(Id));
  if (told === undefined) {
    if (!ended.shared) tell(`told ${Id}, but there are ${after.subscriptions.map(({ id }) => id)}`);
    return;
  }
  if (!sameUrl(told.destination, call.destination)) tell(`told ${Id}, which leads to ${told.destination}`);
  const vague = story.quirks.some((name) => /^context-/.test(name));
  if (!vague && told.context !== (call.context ?? '')) tell(`told ${Id}, whose context is ${told.context}`);
  if (ended.shared) return;
  const made = after.subscriptions.filter(({ id }) => !before.subscriptions.some((each) => each.id === id));
  const existed = before.subscriptions.filter(
    (each) => sameUrl(each.destination, call.destination) && each.context === (call.context ?? ''),
  );
  if (made.length > 1) tell(`made ${made.length} subscriptions`);
  if (call.ifExists !== 'return' && made.length !== 1) tell(`made ${made.length} subscriptions`);
  if (made.length === 1 && made[0]!.id !== String(Id)) tell(`told ${Id}, but made ${made[0]!.id}`);
  const hidden = story.quirks.some((name) => /^destination-hidden|^unreadable-subscription/.test(name));
  if (call.ifExists === 'return' && existed.length > 0 && made.length > 0 && !hidden) {
    tell(
      `made ${made[0]!.id}, though ${existed[0]!.id} is the same (${made[0]!.destination}, ${existed[0]!.destination})`,
    );
  }
}

const isInsert = ({ method }: Ended['call']) => method === 'insert_vmedia';

function checkEjected(story: Story, ended: Ended, result: JsonObject, tell: Tell): void {
  const { call, before, after } = ended;
  const devices = result.devices as { id: string; path: string; outcome: string }[];
  const inserts = story.machine.steps.some((step) => 'calls' in step && step.calls.some(isInsert));
  // Another call may insert into a device that this one found empty.
  if (ended.shared && inserts) return;
  for (const { path, outcome, id } of devices) {
    const device = after.devices.find((each) => decodeURI(path).replace(/\/$/, '').endsWith(each.path));
    if (['ejected', 'empty'].includes(outcome) && device?.inserted)
      tell(`told ${id} ${outcome}, but it holds an image`);
    const failed = ended.met.some((each) => each.path === device?.path && each.status >= 400);
    if (outcome === 'unreadable' && device !== undefined && !failed) tell(`told ${id} unreadable, which is not`);
    if (outcome === 'skipped' && device && id !== 'Fixed1') tell(`told ${id} skipped`);
  }
  if (ended.shared) return;
  const told = devices.map(({ path }) => decodeURI(path).replace(/\/$/, ''));
  // A manager that got 404 while the BMC restarted is taken for absent as long as the places of media are kept: a limit.
  const closed = story.quirks.some((name) => /^closed-managers$|^no-managers$|^tasks-restart/.test(name));
  // One boot device is ejected where it is first found: the managers are not searched for others.
  const found = before.devices.some(
    (each) => each.path.includes('/Systems/') && each.inserted && isMeant(each.types, call.bootDevice),
  );
  const enough = call.bootDevice !== null && found;
  for (const { path, inserted, types, id } of after.devices) {
    if (!inserted || !isMeant(types, call.bootDevice) || id === 'Fixed1') continue;
    if ((closed || enough) && path.includes('/Managers/')) continue;
    if (!told.some((each) => each.endsWith(path))) tell(`said nothing of ${path}, which holds an image`);
  }
}

function checkInserted(story: Story, ended: Ended, result: JsonObject, tell: Tell): void {
  const { call, before, after } = ended;
  const { id, path } = result.device as { id: string; path: string };
  const at = ({ path: known }: HeldDevice) => decodeURI(path).replace(/\/$/, '').endsWith(known);
  const [was, now] = [before.devices.find(at), after.devices.find(at)];
  if (ended.shared) return;
  if (now === undefined || !now.inserted || now.image === null || !sameUrl(now.image, call.image)) {
    tell(`told ${id} ${result.outcome}, but it contains ${now?.inserted ? now.image : 'nothing'}`);
  }
  if (now && !isMeant(now.types, call.bootDevice ?? 'cd')) tell(`inserted into ${id}, which is ${now.types}`);
  if (was?.inserted && result.outcome === 'inserted' && !call.replace) tell(`replaced the image of ${id}`);
  if (result.replaced !== (was?.inserted === true && result.outcome === 'inserted'))
    tell(`told replaced ${result.replaced}`);
  const twins = story.machine.place === 'both-same';
  const changed = after.devices.filter((device, index) => device.image !== before.devices[index]?.image);
  const most = result.outcome === 'unchanged' ? 0 : twins ? 2 : 1;
  if (changed.length > most) tell(`changed ${changed.map((device) => device.path)}`);
  const sent = ended.sent.filter(
    (each) => each.path.endsWith('InsertMedia') && each.performed.some((status) => status < 300),
  );
  if (sent.length > 1) tell(`inserted ${sent.length} times`);
}

function checkMedia(story: Story, ended: Ended, result: JsonObject, tell: Tell): void {
  if (ended.shared) return;
  const devices = result.devices as { path: string; inserted: boolean; image: string | null }[];
  const slow = story.quirks.some((name) => /^lingering|^insert-slow|^tasks/.test(name));
  for (const { path, inserted } of devices) {
    const device = ended.after.devices.find((each) => decodeURI(path).replace(/\/$/, '').endsWith(each.path));
    if (device !== undefined && device.inserted !== inserted && !slow) tell(`told ${path} inserted ${inserted}`);
  }
}

/** Kinds that say that nothing was done. */
const NOT_DONE = new Set([
  'bmc_unreachable',
  'bmc_timeout',
  'bmc_refused',
  'bmc_failed',
  'bmc_busy',
  'bmc_unsupported',
  'failed_precondition',
  'subscription_exists',
  'subscription_not_found',
]);

function checkError(story: Story, ended: Ended, tell: Tell): void {
  const { call, before, id, error } = ended;
  const { kind, message } = error!;
  const why = mayFail(story, ended);
  if (why === null) tell(`must succeed, but: ${message}`);
  if (kind === 'deadline_exceeded') tell('did not end in time');
  if (!NOT_DONE.has(kind) && kind !== 'outcome_unknown') tell(`failed as ${kind}: ${message}`);
  const held = (state: typeof before) => state.subscriptions.some((each) => each.id === id);
  if (kind === 'subscription_not_found') {
    if (!['get_subscription', 'delete_subscription'].includes(call.method)) tell(`failed as ${kind}: ${message}`);
    // A BMC that restarts says so of everything.
    else if (held(before) && !ended.shared && !story.quirks.includes('tasks-restart'))
      tell(`told that ${id} is not there, but it was: ${message}`);
  }
  const done = ended.sent.some(isAmbiguousPoll) ? [] : ended.sent.filter(isDone);
  if (NOT_DONE.has(kind) && done.length > 0 && !(/_vmedia$/.test(call.method) && before.devices.length > 1)) {
    tell(`told that nothing was done, but ${done.map(({ method, path }) => `${method} ${path}`)} was: ${message}`);
  }
  const closed = story.quirks.includes('silent-close');
  if (kind === 'outcome_unknown' && !ended.sent.some(isUnclear) && !closed) {
    tell(`told an unknown outcome, but every change was answered: ${message}`);
  }
}

function isChange({ method }: Exchange): boolean {
  return method === 'POST' || method === 'PATCH' || method === 'DELETE';
}

function isDone(exchange: Exchange): boolean {
  return isChange(exchange) && exchange.performed.some((status) => status < 300);
}

/** Whether the BMC's response leaves open what became of a change. */
function isUnclear(exchange: Exchange): boolean {
  if (!isChange(exchange)) return false;
  const { status, delivery, path } = exchange;
  // Made, but nothing says what, if the subscription cannot be found by what it shows.
  const vague = path.endsWith('/Subscriptions') && status < 300;
  return vague || status === 202 || status >= 500 || delivery !== 'whole';
}

/** Statuses by which a BMC says that it has done nothing. */
const UNDONE = new Set([
  301, 302, 303, 307, 308, 400, 401, 403, 404, 405, 406, 409, 411, 412, 415, 422, 428, 429, 501, 503,
]);

/** Whether a change of a device inserts or ejects. */
function verbOf({ path, body }: Exchange): string {
  return path.endsWith('InsertMedia') || /"Image":"./.test(body) ? 'insert' : 'eject';
}

/** Checks that a change is sent again only after the BMC has said that the last one was not made. */
function checkRepeats({ sent }: Ended, tell: Tell): void {
  const last = new Map<string, Exchange>();
  for (const exchange of sent.filter(isChange)) {
    const { method, path } = exchange;
    const ofMedia = method === 'PATCH' || path.includes('/Actions/');
    const key = ofMedia ? `${verbOf(exchange)} ${path.replace(/\/Actions\/.*/, '')}` : `${method} ${path}`;
    const before = last.get(key);
    last.set(key, exchange);
    if (before === undefined) continue;
    const said = before.delivery !== 'reset' && UNDONE.has(before.status);
    const taskRefused = before.status === 202 && before.performed.some((status) => status >= 400);
    if (before.performed.some((status) => status < 300))
      tell(`sent ${key} again, though it was done (${before.status})`);
    else if (!said && !taskRefused) tell(`sent ${key} again after ${before.status} ${before.delivery}`);
  }
}

/** Checks that a wrong password was tried once by each way: a log-in that got 503, 405 or "no licence" was no try. */
function checkLogins({ record, machine }: Story, broken: string[]): void {
  if (!machine.wrongPassword) return;
  // A try whose response was lost is made once more.
  const judged = record.exchanges.filter(({ hiccup }) => hiccup === null);
  const posts = judged.filter(
    ({ method, path, status, wrongPassword }) =>
      method === 'POST' && path.endsWith('/Sessions') && (wrongPassword || status === 401),
  );
  const basic = judged.filter(({ auth, status, wrongPassword }) => auth === 'basic' && wrongPassword && status >= 400);
  if (posts.length > 1) broken.push(`a wrong password was sent to the sessions ${posts.length} times`);
  if (basic.length > 1) broken.push(`a wrong password was sent by Basic ${basic.length} times`);
}

function checkSecrets({ record }: Story, text: string, tell: Tell): void {
  const secrets = [PASSWORD, WRONG_PASSWORD, SECRET_HEADER, IMAGE_USER, IMAGE_PASSWORD, ...record.tokens];
  const forms = secrets.flatMap((secret) => [secret, btoa(`operator:${secret}`)]);
  for (const secret of forms) if (text.includes(secret)) tell(`tells the secret ${secret}`);
}

function lastOf(path: string): string {
  return decodeURI(path.replace(/\/$/, '')).split('/').at(-1)!;
}
