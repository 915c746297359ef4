import type { EventSeverity } from '../../core/events/event.ts';
import type { RegistryMessage } from '../../core/events/eventsInterface.ts';
import { isJsonObject, type JsonObject } from '../../core/json.ts';
import type { RedfishClient } from '../client.ts';
import { objectOf, ownLinkPath, textOf } from '../links.ts';
import { getCollection, type Member } from '../resources/collection.ts';
import { findService, getServiceRoot } from '../resources/serviceRoot.ts';
import { asUnreadable, patientFor } from '../resources/unreadable.ts';
import { readManagerState } from './bmcState.ts';

/** The messages of a registry by their keys, in lower case. */
type Messages = ReadonlyMap<string, RegistryMessage>;

/** The maximum number of registries in memory; those of BMCs with the same firmware are shared. */
const MAX_REGISTRIES = 64;

/** The maximum number of messages of one registry, and the length of a text, in characters. */
const MAX_MESSAGES = 20_000;
const MAX_TEXT = 2000;

/** The maximum number of registries of a BMC whose names are read, where its links do not tell them. */
const MAX_NAMES_READ = 100;

/** The registries by vendor, firmware version and name; those used longest ago are forgotten first. */
const registries = new Map<string, Promise<Messages>>();

const MEMBERS_KEY = 'message registries';

/** Drops the registries in memory, for tests. */
export function forgetRegistries(): void {
  registries.clear();
}

/**
 * Returns what the BMC's message registries say about message ids, whose case and version do not count. Registries are read
 * once for all BMCs of a vendor with the same firmware.
 * @throws what `asUnreadable` throws: what concerns the BMC as a whole
 */
export async function readMessages(
  caller: RedfishClient,
  systemPath: string | null,
  messageIds: readonly string[],
): Promise<Map<string, RegistryMessage>> {
  const client = patientFor(caller);
  const found = new Map<string, RegistryMessage>();
  const owner = await ownerOf(client, systemPath);
  for (const messageId of new Set(messageIds)) {
    const { registry, key } = splitMessageId(messageId);
    if (registry === '') continue;
    const message = (await registryOf(client, owner, registry)).get(key.toLowerCase());
    if (message !== undefined) found.set(messageId, message);
  }
  return found;
}

/** Splits `Registry.1.0.Key`, `Registry.1.0.0.Key` or `Registry.Key`; the registry is '' when there is none. */
function splitMessageId(messageId: string): { registry: string; key: string } {
  const parts = messageId.split('.');
  return { registry: parts.length > 1 ? parts[0]! : '', key: parts.at(-1)! };
}

/** Returns what the registries of the BMC depend on. Without a firmware version they are the BMC's own. */
async function ownerOf(client: RedfishClient, systemPath: string | null): Promise<string> {
  return client.discovered.get(`owner of registries of ${systemPath}`, client.signal, async () => {
    const { vendor } = await getServiceRoot(client);
    const { firmwareVersion } = await readManagerState(client, systemPath);
    return JSON.stringify(firmwareVersion === null ? [client.origin] : [vendor, firmwareVersion]);
  });
}

async function registryOf(client: RedfishClient, owner: string, registry: string): Promise<Messages> {
  const key = `${owner} ${registry.toLowerCase()}`;
  const known = registries.get(key);
  const messages = known ?? readRegistry(client, registry);
  registries.delete(key);
  registries.set(key, messages);
  const [oldest] = registries.keys();
  if (registries.size > MAX_REGISTRIES && oldest !== undefined) registries.delete(oldest);
  try {
    return await messages;
  } catch (error) {
    if (registries.get(key) === messages) registries.delete(key);
    // Another BMC may have failed, or its caller left.
    if (known !== undefined) return registryOf(client, owner, registry);
    throw error;
  }
}

/** Returns the messages of the BMC's registry of that name; none when it has no such registry, or it cannot be read. */
async function readRegistry(client: RedfishClient, name: string): Promise<Messages> {
  for (const { path } of await registryFiles(client, name)) {
    try {
      const file = await client.get(path);
      if (!isNamed(textOf(file, 'Registry') ?? '', name)) continue;
      const place = placeOf(file, client.origin);
      if (place !== null) return toMessages(await client.get(place));
    } catch (error) {
      asUnreadable(client, path, error);
    }
  }
  return new Map();
}

/** Returns the files that may be of a registry, the likely ones first. */
async function registryFiles(client: RedfishClient, name: string): Promise<Member[]> {
  const members = await registryMembers(client);
  const likely = members.filter(({ path }) => isNamed(path.replace(/\/+$/, '').split('/').at(-1)!, name));
  return likely.length > 0 ? likely : members.slice(0, MAX_NAMES_READ);
}

function registryMembers(client: RedfishClient): Promise<Member[]> {
  return client.discovered.get(MEMBERS_KEY, client.signal, async () => {
    const path = await findService(client, 'Registries');
    return path === null ? [] : (await getCollection(client, path)).members;
  });
}

/** Whether `text` is the name of a registry, with or without a version: `Base`, `Base.1.8`, `Base.1.8.1`. */
function isNamed(text: string, name: string): boolean {
  if (!text.toLowerCase().startsWith(name.toLowerCase())) return false;
  return /^(?:[._v-]*\d[\d._]*(?:json)?)?$/i.test(text.slice(name.length));
}

/** Returns the path of the English text of a registry on the BMC itself; of any when there is no English one. */
function placeOf({ Location: locations }: JsonObject, origin: string): string | null {
  const all = Array.isArray(locations) ? locations.filter(isJsonObject) : [];
  const english = all.find(({ Language: language }) => typeof language === 'string' && /^en/i.test(language));
  for (const location of [english, ...all]) {
    const path = location === undefined ? null : ownLinkPath(location.Uri, origin);
    if (path !== null) return path;
  }
  return null;
}

/** @param folded whether the keys are in lower case */
function toMessages(document: JsonObject, folded = true): Messages {
  const messages = new Map<string, RegistryMessage>();
  for (const [key, message] of Object.entries(objectOf(document, 'Messages')).slice(0, MAX_MESSAGES)) {
    if (!isJsonObject(message)) continue;
    const text = (textOf(message, 'Message') ?? textOf(message, 'Description') ?? '').slice(0, MAX_TEXT);
    const severity = textOf(message, 'MessageSeverity') ?? textOf(message, 'Severity');
    messages.set(folded ? key.toLowerCase() : key, {
      text,
      severity: SEVERITIES[severity?.toLowerCase() ?? ''] ?? null,
    });
  }
  return messages;
}

const SEVERITIES: Record<string, EventSeverity> = {
  ok: 'ok',
  informational: 'ok',
  warning: 'warning',
  critical: 'critical',
  fatal: 'critical',
};

/** The maximum number of the vendor's registries that are read for `vendorMessageIds`. */
const MAX_VENDOR_REGISTRIES = 4;

/**
 * Returns ids of messages of the vendor's own registries, for a BMC that takes no others: tests first, then what is harmless.
 * @param limit the maximum number
 */
export async function vendorMessageIds(caller: RedfishClient, limit: number): Promise<string[]> {
  const client = patientFor(caller);
  const found: { id: string; rank: number }[] = [];
  let read = 0;
  for (const { path } of await registryMembers(client)) {
    if (read === MAX_VENDOR_REGISTRIES) break;
    try {
      const place = placeOf(await client.get(path), client.origin);
      const document = place === null ? null : await client.get(place);
      if (document === null || textOf(document, 'OwningEntity') === 'DMTF') continue;
      read++;
      found.push(...idsOf(document));
    } catch (error) {
      asUnreadable(client, path, error);
    }
  }
  return found
    .sort((a, b) => a.rank - b.rank)
    .slice(0, limit)
    .map(({ id }) => id);
}

function idsOf(document: JsonObject): { id: string; rank: number }[] {
  const prefix = textOf(document, 'RegistryPrefix');
  if (prefix === null) return [];
  const version = (textOf(document, 'RegistryVersion') ?? '1.0').split('.').slice(0, 2).join('.');
  return [...toMessages(document, false)].map(([key, { text, severity }]) => {
    const isTest = /test/i.test(key) || /\btest\b/i.test(text);
    return { id: `${prefix}.${version}.${key}`, rank: isTest ? 0 : severity === 'ok' ? 1 : 2 };
  });
}
