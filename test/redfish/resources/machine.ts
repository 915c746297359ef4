import { onTestFinished } from 'vitest';
import { isJsonObject, type JsonObject } from '../../../src/core/json.ts';
import { createRedfishClients, ejectMedia, type RedfishClient } from '../../../src/redfish/index.ts';
import { type ScriptedBmc, type ScriptedRequest, type ScriptedResponse, startScriptedBmc } from '../scriptedBmc.ts';
import { forever, target } from '../target.ts';

export const ROOT = '/redfish/v1';
export const SYSTEM = `${ROOT}/Systems/1`;
export const MANAGER = `${ROOT}/Managers/1`;
export const SUBSCRIPTIONS = `${ROOT}/EventService/Subscriptions`;
export const IMAGE = 'http://images.example/a.iso';

export type Tree = Record<string, JsonObject>;
/** Responds before the documents do; undefined leaves the request to them. */
export type Handle = (request: ScriptedRequest, tree: Tree) => ScriptedResponse | undefined;

export const link = (path: string) => ({ '@odata.id': path });

/** An error as BMCs send it. */
export const refusal = (status: number, entry: JsonObject) => ({
  status,
  body: { error: { '@Message.ExtendedInfo': [entry] } },
});

/** A device with an image and the action. */
export const deviceAt = (path: string, more: JsonObject = {}): JsonObject => ({
  ...link(path),
  Id: path.split('/').at(-1)!,
  MediaTypes: ['CD', 'DVD'],
  Inserted: true,
  Image: IMAGE,
  Actions: { '#VirtualMedia.EjectMedia': { target: `${path}/Actions/VirtualMedia.EjectMedia` } },
  ...more,
});

/** A collection of devices under `owner`, and the devices. */
export function mediaUnder(owner: string, ...ids: string[]): Tree {
  const place = `${owner}/VirtualMedia`;
  const paths = ids.map((id) => `${place}/${id}`);
  return {
    [place]: { ...link(place), Members: paths.map(link) },
    ...Object.fromEntries(paths.map((path) => [path, deviceAt(path)])),
  };
}

/** A machine with one system and its manager, and an event service without subscriptions. */
export const machine = (more: Tree = {}): Tree => ({
  [ROOT]: {
    Id: 'RootService',
    Systems: link(`${ROOT}/Systems`),
    Managers: link(`${ROOT}/Managers`),
    EventService: link(`${ROOT}/EventService`),
  },
  [`${ROOT}/Systems`]: { Members: [link(SYSTEM)] },
  [`${ROOT}/Managers`]: { Members: [link(MANAGER)] },
  [SYSTEM]: { ...link(SYSTEM), Id: '1', Links: { ManagedBy: [link(MANAGER)] } },
  [MANAGER]: { ...link(MANAGER), Id: '1', FirmwareVersion: '1.2' },
  [`${ROOT}/EventService`]: { Subscriptions: link(SUBSCRIPTIONS) },
  [SUBSCRIPTIONS]: { Members: [] },
  ...more,
});

/** A BMC that serves `tree`, ejects a device by its action, and refuses other changes. */
export async function startMachine(tree: Tree, handle: Handle = () => undefined, account = { username: 'u' }) {
  const bmc: ScriptedBmc = await startScriptedBmc((request) => {
    const own = handle(request, tree);
    if (own !== undefined) return own;
    const { method, path } = request;
    if (method === 'POST' && path.endsWith('/Actions/VirtualMedia.EjectMedia')) {
      const device = path.replace('/Actions/VirtualMedia.EjectMedia', '');
      tree[device] = { ...tree[device], Inserted: false, Image: null };
      return { status: 204 };
    }
    if (method !== 'GET') return { status: 405 };
    const body = tree[path.replace(/\/$/, '')];
    return body === undefined ? { status: 404 } : { status: 200, body };
  });
  const clients = createRedfishClients();
  onTestFinished(async () => {
    await clients.close();
    await bmc.close();
  });
  const basic = { ...account, password: 'p', authType: 'basic' as const };
  const ofBmc = target(bmc.url, { account: basic });
  // Lets connections and timers proceed, in place of a pause.
  ofBmc.limits.pause = () => new Promise((resolve) => setImmediate(resolve));
  const client = clients.for(ofBmc, { signal: forever });
  return {
    bmc,
    tree,
    client,
    /** A client of a service that was started anew. */
    restarted(): RedfishClient {
      const others = createRedfishClients();
      onTestFinished(() => others.close());
      return others.for(ofBmc, { signal: forever });
    },
    eject: (mediaTypes: string[] | null = null) =>
      ejectMedia(client, SYSTEM, { mediaTypes, confirmMs: 300, progress: () => undefined }),
    /** The ids of the members of the subscriptions. */
    ids: () => idsIn(tree),
    posts: () => bmc.requests.filter(({ method }) => method === 'POST').map(({ body }) => JSON.parse(body || '{}')),
  };
}

export function idsIn(tree: Tree): string[] {
  const { Members } = tree[SUBSCRIPTIONS] ?? {};
  const members = Array.isArray(Members) ? Members.filter(isJsonObject) : [];
  return members.map((member) => String(member['@odata.id']).split('/').at(-1)!);
}

/** How a BMC makes subscriptions. */
interface Subscriber {
  /** Returns what is shown of what was sent. */
  show?: (sent: JsonObject, id: string) => JsonObject;
  /** Returns the response to the POST. */
  reply?: (path: string, shown: JsonObject) => ScriptedResponse;
}

/** Returns a handler that makes and deletes subscriptions. */
export function subscriber({ show = (sent) => sent, reply = located }: Subscriber = {}): Handle {
  let next = 1;
  return ({ method, path, body }, tree) => {
    const list = tree[SUBSCRIPTIONS]!;
    const members = Array.isArray(list.Members) ? list.Members : [];
    if (method === 'POST' && path === SUBSCRIPTIONS) {
      const id = String(next++);
      const at = `${SUBSCRIPTIONS}/${id}`;
      tree[at] = { ...link(at), Id: id, ...show(JSON.parse(body), id) };
      tree[SUBSCRIPTIONS] = { ...list, Members: [...members, link(at)] };
      return reply(at, tree[at]);
    }
    if (method === 'DELETE' && tree[path] !== undefined) {
      delete tree[path];
      const left = members.filter((member) => isJsonObject(member) && member['@odata.id'] !== path);
      tree[SUBSCRIPTIONS] = { ...list, Members: left };
      return { status: 204 };
    }
    return undefined;
  };
}

export const located = (path: string) => ({ status: 201, headers: { location: path } });
