import type { JsonObject } from '../../core/json.ts';
import type { RedfishClient } from '../client.ts';
import { hasStatus, RedfishError } from '../errors.ts';
import type { ServiceRoot } from '../identity.ts';
import { sendWithDefaults } from '../resources/defaults.ts';
import { getEventService } from '../resources/eventService.ts';
import { getServiceRoot } from '../resources/serviceRoot.ts';
import { followTask } from '../resources/task.ts';
import { vendorMessageIds } from './messageRegistries.ts';

/**
 * Message ids of test events, of which a BMC takes some, by its firmware: those that its vendor's tools send first. When all are
 * refused, some of the vendor's own registries follow.
 */
const DELL = ['TMP0118'];
const HPE = ['iLOEvents.0.9.ResourceStatusChanged', 'TestEvent'];
const STANDARD = ['ResourceEvent.1.0.TestMessage', 'ResourceEvent.1.0.ResourceChanged', 'Base.1.0.Success'];

/** The number of messages of the vendor's registries that are tried. */
const MAX_VENDOR_IDS = 4;

/** The key of the message id in `Discovered` that the BMC took. */
const TAKEN_KEY = 'message id of test events';

const TEXT = 'Test of the event source by passthru';

/**
 * Makes the BMC send a test event to its subscribers. Returns its message id, without registry and version; null when the BMC
 * chose it.
 * @throws kind `unsupported` when the BMC has no test events; the refusal of the last message id
 */
export async function submitTestEvent(client: RedfishClient): Promise<string | null> {
  const root = await getServiceRoot(client);
  const target = await testAction(client);
  const taken = client.discovered.peek<string>(TAKEN_KEY);
  const candidates = new Set([...(taken === undefined ? [] : [taken]), ...candidatesOf(root)]);
  let refusal: unknown;
  let isExtended = false;
  // What is added to a set while it is iterated is visited too.
  for (const messageId of candidates) {
    try {
      const sent = await submit(client, target, messageId, root);
      client.discovered.set(TAKEN_KEY, messageId);
      return sent;
    } catch (error) {
      if (hasStatus(error, 404, 405, 501)) throw withoutTests(client, error);
      // A refused request did nothing.
      if (!(error instanceof RedfishError) || error.kind !== 'refused') throw error;
      refusal = error;
      if (isExtended || messageId !== [...candidates].at(-1)) continue;
      isExtended = true;
      for (const id of await vendorMessageIds(client, MAX_VENDOR_IDS)) candidates.add(id);
    }
  }
  throw refusal;
}

async function testAction(client: RedfishClient): Promise<string> {
  const { testAction: target, enabled } = await getEventService(client);
  if (target !== null) return target;
  const what = enabled === false ? 'The EventService of the BMC is switched off' : 'The BMC has no test events';
  throw new RedfishError('unsupported', `${what} (SubmitTestEvent)`, { url: client.origin });
}

function candidatesOf({ vendor }: ServiceRoot): string[] {
  if (isOf(vendor, 'Dell')) return [...DELL, ...STANDARD];
  return isOf(vendor, 'HPE') ? [...HPE, ...STANDARD] : [...STANDARD, ...DELL];
}

function withoutTests({ origin: url }: RedfishClient, cause: RedfishError): RedfishError {
  const { status, extendedInfo } = cause;
  const message = `The BMC has no test events (SubmitTestEvent): ${cause.message}`;
  return new RedfishError('unsupported', message, { status, extendedInfo, url, cause });
}

/** Returns the message id that the BMC will send. */
async function submit(
  client: RedfishClient,
  target: string,
  messageId: string,
  { vendor }: ServiceRoot,
): Promise<string | null> {
  const details: JsonObject = {
    EventType: 'Alert',
    EventId: `passthru-${Date.now()}`,
    EventTimestamp: `${new Date().toISOString().slice(0, 19)}Z`,
    Severity: 'OK',
    Message: TEXT,
    MessageArgs: [],
    // A plain text here, where an event has a link.
    OriginOfCondition: client.root,
  };
  // iLO demands all of them; Dell and Lenovo refuse what they do not know.
  const sent = { MessageId: messageId, ...(isOf(vendor, 'HPE') ? details : {}) };
  let chosen: string | null = messageId;
  await sendWithDefaults(
    {},
    sent,
    async (body) => {
      chosen = typeof body.MessageId === 'string' ? body.MessageId : null;
      return followTask(client, await client.post(target, body));
    },
    { ifMissing: details },
  );
  return chosen === null ? null : nameOf(chosen);
}

/** Returns a message id without registry and version. */
function nameOf(messageId: string): string {
  return messageId.slice(messageId.lastIndexOf('.') + 1);
}

function isOf(vendor: string | null, name: string): boolean {
  return vendor?.toLowerCase().startsWith(name.toLowerCase()) ?? false;
}
