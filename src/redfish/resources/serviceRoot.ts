// The resources: a file for each part of the Redfish tree that is read or changed.
import type { RedfishClient } from '../client.ts';
import { isNotFound, RedfishError } from '../errors.ts';
import {
  readServiceRoot,
  recordServiceRoot,
  SERVICE_ROOT_KEY,
  type ServiceName,
  type ServiceRoot,
} from '../identity.ts';
import { asUnreadable, isAbsent, patientFor } from './unreadable.ts';

/** How long the service root is repeated where the login has repeated it before, in ms; see `LOGIN_PATIENCE_MS`. */
const ROOT_PATIENCE_MS = 21_000;

/** Returns the service root; requested once, normally by the login. */
export async function getServiceRoot(client: RedfishClient): Promise<ServiceRoot> {
  await client.logIn();
  return client.discovered.get(SERVICE_ROOT_KEY, client.signal, () => readRoot(client, false));
}

/**
 * Returns the path of a service or collection of the service root; null when the BMC has none. Where the service root does
 * not link to it, it is read again with the account's credentials, as some BMCs show less to strangers; then the path is
 * tried that DSP0268 gives it.
 * @throws the BMC's error when it says something else at that path than that there is nothing
 */
export async function findService(client: RedfishClient, name: ServiceName): Promise<string | null> {
  const root = await getServiceRoot(client);
  const linked = root.services[name];
  if (linked !== undefined) return linked;
  return client.discovered.get(UNLINKED + name, client.signal, async () => {
    const shown = root.anonymous ? (await readOwnRoot(client)).services[name] : undefined;
    return shown ?? findUnlinked(client, `${client.root}${name}`);
  });
}

const UNLINKED = 'unlinked ';

/** Returns the path of a service in a snapshot of `Discovered`; null when it was not found. */
export function knownService(
  discovered: ReadonlyMap<string, unknown>,
  root: ServiceRoot,
  name: ServiceName,
): string | null {
  return root.services[name] ?? (discovered.get(UNLINKED + name) as string | null | undefined) ?? null;
}

/**
 * Returns `path`, at which DSP0268 has a resource to which the BMC does not link; null when the BMC has nothing there.
 * @throws the BMC's error when it says something else
 */
export async function findUnlinked(client: RedfishClient, path: string): Promise<string | null> {
  try {
    const document = await client.get(path);
    return Object.keys(document).length > 0 ? path : null;
  } catch (error) {
    const part = asUnreadable(client, path, error);
    // A front end may return its own page, in HTML, for every path.
    if (isAbsent(part) || part.error.status === 200) return null;
    throw error;
  }
}

/**
 * Checks that discovered paths still belong to the BMC, when that is in doubt or was last checked a while ago; drops them
 * when they do not. Call it before discovered paths are used. A response that is not a service root, as of a BMC that is
 * starting, is ignored.
 * @throws whatever a GET without a response throws
 */
export function confirmDiscovered(client: RedfishClient): Promise<void> {
  return client.discovered.confirm(client.signal, async () => {
    const anonymous = client.discovered.peek<ServiceRoot>(SERVICE_ROOT_KEY)?.anonymous ?? false;
    try {
      await readRoot(client, anonymous);
    } catch (error) {
      if (!(error instanceof RedfishError) || error.status === 0 || (error.kind === 'auth' && !anonymous)) throw error;
    }
  });
}

/** Whether the BMC returns its service root now. One that is restarting returns nothing, or 404 or 5xx to everything. */
export async function isUp(caller: RedfishClient): Promise<boolean> {
  try {
    await patientFor(caller).get(caller.root);
    return true;
  } catch (error) {
    caller.signal.throwIfAborted();
    if (!(error instanceof RedfishError)) throw error;
    return error.status >= 200 && error.status < 500 && !isNotFound(error);
  }
}

/** Reads the service root as the account sees it; as strangers do where the BMC does not show it to the account. */
async function readOwnRoot(client: RedfishClient): Promise<ServiceRoot> {
  try {
    return await readRoot(client, false);
  } catch (error) {
    asUnreadable(client, client.root, error);
    return getServiceRoot(client);
  }
}

async function readRoot(client: RedfishClient, anonymous: boolean): Promise<ServiceRoot> {
  const reader = client.with(client.authType === 'basic' ? { anonymous } : { anonymous, patienceMs: ROOT_PATIENCE_MS });
  const { document, headers } = await reader.getResponse(client.root);
  const root = readServiceRoot(document, headers.etag ?? null, client.origin, anonymous);
  recordServiceRoot(client.discovered, root);
  return root;
}
