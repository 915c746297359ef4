import type { JsonObject } from '../../core/json.ts';
import { BASE_MESSAGES } from '../messages.ts';
import type { Part } from './documentParts.ts';
import { collection, document } from './documentParts.ts';
import type { Registry } from './registryMessages.ts';
import { RESOURCE_EVENT, TASK_EVENT } from './registryMessages.ts';

const PLACE = '/redfish/v1/Registries';

/** The registry of the messages in the simulator's own errors. */
const BASE: Registry = {
  id: 'Base',
  prefix: 'Base',
  version: '1.18.0',
  owner: 'DMTF',
  messages: BASE_MESSAGES,
};

/**
 * Returns the collection of registries, their files and the registries themselves: the standard ones and `own`.
 * @param store the folder in which the registries are; by default each is under its file
 */
export function registries(own: Registry, store: string | null = null): Part[] {
  const all = [BASE, RESOURCE_EVENT, TASK_EVENT, own];
  return [
    collection(
      PLACE,
      'MessageRegistryFile',
      'Registry File Collection',
      all.map(({ id }) => id),
    ),
    ...all.flatMap((registry) => {
      const { id, prefix } = registry;
      const uri = store === null ? `${PLACE}/${id}/${prefix}` : `${store}/${prefix}`;
      return [file(registry, uri), contents(registry, uri)];
    }),
  ];
}

function file({ id, prefix, version }: Registry, uri: string): Part {
  return document(`${PLACE}/${id}`, 'MessageRegistryFile.v1_1_0.MessageRegistryFile', {
    Id: id,
    Name: `${prefix} Message Registry File`,
    Registry: `${prefix}.${shortVersion(version)}`,
    Languages: ['en'],
    Location: [{ Language: 'en', Uri: uri }],
  });
}

function contents({ prefix, version, owner, messages }: Registry, uri: string): Part {
  return document(uri, 'MessageRegistry.v1_6_0.MessageRegistry', {
    Id: `${prefix}.${version}`,
    Name: `${prefix} Message Registry`,
    Language: 'en',
    Description: `This registry defines the messages of ${prefix}.`,
    RegistryPrefix: prefix,
    RegistryVersion: version,
    OwningEntity: owner,
    Messages: Object.fromEntries(
      Object.entries(messages).map(([key, [severity, text, resolution = 'None.']]): [string, JsonObject] => {
        const numbers = [...text.matchAll(/%(\d)/g)].map(([, number]) => Number(number));
        const count = Math.max(0, ...numbers);
        const message = {
          Description: `Indicates: ${text}`,
          Message: text,
          Severity: severity,
          MessageSeverity: severity,
          NumberOfArgs: count,
          ...(count === 0 ? {} : { ParamTypes: Array<string>(count).fill('string') }),
          Resolution: resolution,
        };
        return [key, message];
      }),
    ),
  });
}

function shortVersion(version: string): string {
  return version.split('.').slice(0, 2).join('.');
}
