import { z } from 'zod';
import { defineMethod, type Method } from '../../core/method.ts';
import type { DriverTask } from '../../core/task.ts';
import {
  describeKnown,
  getEventService,
  getServiceRoot,
  getSystem,
  listSystems,
  MediaSearch,
  managersOf,
  type RedfishClient,
  type RedfishClients,
  RedfishError,
  type RedfishTarget,
  readParts,
  type Unreadable,
} from '../../redfish/index.ts';
import { toBmcError } from './bmcAccess.ts';
import { type RedfishSettings, readBmc } from './driverInfo.ts';
import { toUnreadablePart, unreadablePart } from './unreadablePart.ts';

const text = z.string().nullable();
const discovered = z.object({
  systems: z.array(
    z.object({
      system_id: z.string().describe('For redfish_system_id'),
      vendor: text,
      model: text,
      serial_number: text,
      firmware: text.describe('Version of the firmware of the BMC'),
      bios: text.describe('Version of the BIOS'),
      events: z
        .boolean()
        .nullable()
        .describe('Whether subscriptions can be made; null if the event service could not be read'),
      virtual_media: z
        .boolean()
        .nullable()
        .describe('Whether there are virtual media devices; null if they could not be read'),
    }),
  ),
  unreadable: z.array(unreadablePart).describe('The parts of the machine that could not be read'),
});
type DiscoveredSystem = z.output<typeof discovered>['systems'][number];

/** Makes `discover`, which describes a BMC before a node is enrolled for it. Its session ends with the call. */
export function discoverMethod(clients: RedfishClients, settings: RedfishSettings): Method<DriverTask> {
  return defineMethod({
    name: 'discover',
    httpMethods: ['POST'],
    description:
      "Describes the systems behind a BMC. Required argument: 'address'. " +
      "Optional arguments: 'username', 'password', 'verify_ca' (a Boolean, or CA certificates in PEM)",
    requireExclusiveLock: false,
    // It logs in where, and with what, its caller says.
    role: 'admin',
    arguments: z.object({
      address: z.string().min(1).describe('URL of the BMC; the scheme defaults to https'),
      username: z.string().optional(),
      password: z.string().optional(),
      verify_ca: z
        .union([z.boolean(), z.string()])
        .optional()
        .describe('Whether the certificate is verified, or the CA certificates in PEM to verify it by. Default true'),
    }),
    result: discovered,
    async handler(task: DriverTask, { address, username = null, password = null, verify_ca = null }) {
      const info = {
        redfish_address: address,
        redfish_username: username,
        redfish_password: password,
        redfish_verify_ca: verify_ca,
        // The waiting caller can try again.
        redfish_connection_attempts: 1,
      };
      // A caller names no file of this machine.
      const { target } = readBmc(
        info,
        { ...settings, caFolder: null },
        {
          field: (key) => `arguments.${key.replace('redfish_', '')}`,
          message: (faults) => `Invalid arguments of discover: ${faults.replaceAll('redfish_', '')}`,
        },
      );
      try {
        const { signal, recorder } = task;
        return await clients.once(await pin(target, settings, signal), { signal, recorder }, (client) => {
          recorder?.context(describeKnown(client, null));
          return describeSystems(client);
        });
      } catch (error) {
        throw toBmcError(error, target.origin);
      }
    },
  });
}

/** Adds the current addresses of the target's name, all of them allowed, so that connections do not resolve it again. */
async function pin(
  target: RedfishTarget,
  { destinations }: RedfishSettings,
  signal: AbortSignal,
): Promise<RedfishTarget> {
  if (destinations === undefined) return target;
  const host = new URL(target.origin).hostname.replace(/^\[|\]$/g, '');
  const addresses = await destinations.resolve('address', host, signal);
  if (addresses !== null) return { ...target, connection: { ...target.connection, addresses } };
  throw new RedfishError('unreachable', 'the host name is unknown', { url: target.origin });
}

/** Describes the systems behind a BMC: the result of `discover`. */
export async function describeSystems(client: RedfishClient): Promise<z.output<typeof discovered>> {
  const paths = await listSystems(client);
  const events = await hasEvents(client);
  const describe = (reader: RedfishClient, path: string) => describeSystem(reader, path, events.value);
  const described = await readParts(client, paths.values, (path) => path, describe, true);
  const [failed] = described.unreadable;
  if (described.values.length === 0 && failed !== undefined) throw failed.error;
  const parts = [paths, events, described, ...described.values].flatMap(({ unreadable }) => unreadable);
  return {
    systems: described.values.map(({ system }) => system),
    unreadable: parts
      .filter(({ path }, index) => parts.findIndex((other) => other.path === path) === index)
      .map(toUnreadablePart),
  };
}

async function describeSystem(
  client: RedfishClient,
  path: string,
  events: boolean | null,
): Promise<{ system: DiscoveredSystem; unreadable: Unreadable[] }> {
  const { vendor } = await getServiceRoot(client);
  const system = await getSystem(client, path);
  const managers = await managersOf(client, system, false);
  const media = await new MediaSearch(client, path).all();
  const unreadable = [...managers.unreadable, ...media.unreadable];
  return {
    system: {
      system_id: path,
      vendor: system.manufacturer ?? vendor,
      model: system.model,
      serial_number: system.serialNumber,
      firmware: managers.values.find(({ firmwareVersion }) => firmwareVersion !== null)?.firmwareVersion ?? null,
      bios: system.biosVersion,
      events,
      virtual_media: media.devices.length > 0 ? true : media.unreadable.length > 0 ? null : false,
    },
    unreadable,
  };
}

/** Whether subscriptions can be made; null when the event service could not be read. */
async function hasEvents(client: RedfishClient): Promise<{ value: boolean | null; unreadable: Unreadable[] }> {
  try {
    const { values, unreadable } = await readParts(
      client,
      [`${client.root}EventService`],
      (path) => path,
      getEventService,
      false,
    );
    const [service] = values;
    return { value: service?.enabled ?? null, unreadable: [...unreadable, service?.unreadable ?? []].flat() };
  } catch (error) {
    if (error instanceof RedfishError && error.kind === 'unsupported') return { value: false, unreadable: [] };
    throw error;
  }
}
