// The resources: a file for each part of the Redfish tree that is read or changed.
import type { RedfishClient } from '../client.ts';
import { RedfishError } from '../errors.ts';
import { readServiceRoot, recordServiceRoot, SERVICE_ROOT_KEY, type ServiceRoot } from '../identity.ts';

/** Returns the service root; requested once, normally by the login. */
export async function getServiceRoot(client: RedfishClient): Promise<ServiceRoot> {
  await client.logIn();
  return client.discovered.get(SERVICE_ROOT_KEY, client.signal, async () => {
    const root = await fetchServiceRoot(client, false);
    recordServiceRoot(client.discovered, root);
    return root;
  });
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
      recordServiceRoot(client.discovered, await fetchServiceRoot(client, anonymous));
    } catch (error) {
      if (!(error instanceof RedfishError) || error.status === 0 || (error.kind === 'auth' && !anonymous)) throw error;
    }
  });
}

async function fetchServiceRoot(client: RedfishClient, anonymous: boolean): Promise<ServiceRoot> {
  const { document, headers } = await client.with({ anonymous }).getResponse(client.root);
  return readServiceRoot(document, headers.etag ?? null, client.origin, anonymous);
}
