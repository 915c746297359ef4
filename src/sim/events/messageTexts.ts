import { isJsonObject } from '../../core/json.ts';
import type { Documents } from '../documents.ts';
import { documentType } from '../documents.ts';

/** A message of one of a BMC's registries. */
export interface KnownMessage {
  /** As a BMC writes it, with registry and version. */
  id: string;
  text: string;
  severity: string;
  /** The number of arguments. */
  args: number;
  /** Of the registry: `DMTF`, or a vendor. */
  owner: string;
}

/** Returns the registry and the key of a MessageId, which may lack its version. */
export function messageIdParts(id: string): { registry: string; key: string } {
  const parts = id.split('.');
  return { registry: parts.length > 1 ? (parts[0] ?? '') : '', key: parts.at(-1) ?? '' };
}

const known = new WeakMap<Documents, ReadonlyMap<string, KnownMessage>>();

/** Returns the message with an id, in any case, with any version or a key alone; undefined for an unknown one. */
export function findMessage(documents: Documents, id: string): KnownMessage | undefined {
  const { registry, key } = messageIdParts(id);
  const messages = messagesOf(documents);
  if (registry !== '') return messages.get(`${registry}.${key}`.toLowerCase());
  return [...messages.values()].find((message) => message.id.toLowerCase().endsWith(`.${key.toLowerCase()}`));
}

/** Returns the messages of a fleet's registries, by registry and key in lower case. Made once. */
export function messagesOf(documents: Documents): ReadonlyMap<string, KnownMessage> {
  let messages = known.get(documents);
  if (!messages) {
    messages = readRegistries(documents);
    known.set(documents, messages);
  }
  return messages;
}

function readRegistries(documents: Documents): Map<string, KnownMessage> {
  const messages = new Map<string, KnownMessage>();
  for (const document of documents.values()) {
    if (documentType(document) !== 'MessageRegistry' || !isJsonObject(document.Messages)) continue;
    const { RegistryPrefix: prefix, RegistryVersion: version, OwningEntity: owner } = document;
    const short = String(version).split('.').slice(0, 2).join('.');
    for (const [key, message] of Object.entries(document.Messages)) {
      if (!isJsonObject(message)) continue;
      messages.set(`${prefix}.${key}`.toLowerCase(), {
        id: `${prefix}.${short}.${key}`,
        text: String(message.Message ?? ''),
        severity: String(message.MessageSeverity ?? message.Severity ?? 'OK'),
        args: Number(message.NumberOfArgs ?? 0),
        owner: String(owner),
      });
    }
  }
  return messages;
}

/** Returns the text of a message with its arguments. */
export function filled(text: string, args: readonly string[]): string {
  return text.replace(/%(\d)/g, (_, number: string) => args[Number(number) - 1] ?? '');
}
