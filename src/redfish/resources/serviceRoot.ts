import type { RedfishClient, RequestOptions } from '../client.ts';
import { RedfishError } from '../errors.ts';
import { noteServiceRoot, readServiceRoot, SERVICE_ROOT_KEY, type ServiceRoot } from '../identity.ts';

/** The service root; asked once, as a rule by the log-in. */
export async function getServiceRoot(client: RedfishClient, options: RequestOptions): Promise<ServiceRoot> {
  await client.logIn(options.signal);
  return client.known.get(SERVICE_ROOT_KEY, options.signal, async () => {
    const root = await askServiceRoot(client, false, options);
    noteServiceRoot(client.known, root);
    return root;
  });
}

/**
 * Looks whether the BMC is still the one of which the paths are known, when that is in doubt or was last seen a while ago,
 * and drops them when it is not. To be called before known paths are used. An answer that is no service root, as of a
 * BMC that starts, says nothing.
 * @throws what a GET throws that gets no answer
 */
export function confirmKnown(client: RedfishClient, options: RequestOptions): Promise<void> {
  return client.known.confirm(options.signal, async () => {
    const asStranger = client.known.peek<ServiceRoot>(SERVICE_ROOT_KEY)?.asStranger ?? false;
    try {
      noteServiceRoot(client.known, await askServiceRoot(client, asStranger, options));
    } catch (error) {
      if (!(error instanceof RedfishError) || error.status === 0 || (error.kind === 'auth' && !asStranger)) throw error;
    }
  });
}

async function askServiceRoot(
  client: RedfishClient,
  asStranger: boolean,
  options: RequestOptions,
): Promise<ServiceRoot> {
  const { document, headers } = await client.getAnswer(client.root, { ...options, asStranger });
  return readServiceRoot(document, headers.etag ?? null, client.origin, asStranger);
}
