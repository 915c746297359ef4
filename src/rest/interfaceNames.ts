import { INTERFACES } from './apiTable.ts';

/** The interfaces of all of Ironic's hardware types; those of one type add to them. */
const GENERIC: Readonly<Record<string, readonly string[]>> = {
  bios: ['no-bios'],
  boot: ['ipxe', 'pxe', 'http-ipxe', 'http'],
  console: ['no-console', 'fake-graphical'],
  deploy: ['autodetect', 'direct', 'ansible', 'ramdisk', 'anaconda', 'bootc', 'custom-agent'],
  firmware: ['no-firmware'],
  inspect: ['agent', 'no-inspect'],
  management: [],
  network: ['flat', 'neutron', 'ironic-networking', 'noop'],
  power: [],
  raid: ['no-raid', 'agent'],
  rescue: ['no-rescue', 'agent'],
  storage: ['noop', 'cinder', 'external'],
};

/** As in Ironic, it takes the interfaces of all types. */
const FAKE = 'fake-hardware';

/** The further interfaces of a hardware type, by its name, which Ironic prefers to the generic ones. */
const OF_TYPE: Readonly<Record<string, Readonly<Record<string, readonly string[]>>>> = {
  [FAKE]: {
    bios: ['fake'],
    boot: ['fake'],
    console: ['fake'],
    deploy: ['fake'],
    firmware: ['fake'],
    inspect: ['fake'],
    management: ['fake'],
    power: ['fake'],
    raid: ['fake'],
    rescue: ['fake'],
    storage: ['fake'],
  },
  ipmi: { console: ['ipmitool-socat'], management: ['ipmitool', 'noop'], power: ['ipmitool'] },
  redfish: {
    bios: ['redfish'],
    boot: ['redfish-virtual-media', 'redfish-https'],
    console: ['redfish-graphical', 'ipmitool-socat'],
    firmware: ['redfish'],
    inspect: ['redfish'],
    management: ['redfish', 'noop'],
    power: ['redfish'],
    raid: ['redfish'],
  },
};

/** Interfaces of hardware types that are not here: a driver of another name takes any that Ironic has. */
const ELSEWHERE: Readonly<Record<string, readonly string[]>> = {
  bios: ['idrac-redfish'],
  boot: ['idrac-redfish-virtual-media'],
  deploy: ['noop'],
  inspect: ['idrac-redfish'],
  management: ['idrac-redfish', 'intel-ipmitool'],
  power: ['agent', 'idrac-redfish'],
  raid: ['idrac-redfish'],
};

/**
 * Returns the names of interfaces of this kind that a node of `driver` may have, as Ironic's own hardware type of that name
 * supports them. They are stored and shown; none of them does anything here. The vendor interfaces are the core's.
 */
export function interfaceNames(driver: string, kind: string): readonly string[] {
  const generic = GENERIC[kind] ?? [];
  const own = Object.hasOwn(OF_TYPE, driver) ? OF_TYPE[driver] : undefined;
  if (own !== undefined && driver !== FAKE) return [...(own[kind] ?? []), ...generic];
  const all = [
    ...(own?.[kind] ?? []),
    ...Object.values(OF_TYPE).flatMap((type) => type[kind] ?? []),
    ...generic,
    ...(ELSEWHERE[kind] ?? []),
  ];
  return [...new Set(all)];
}

/** The fields of a node that name an interface other than the vendor interface, with the kind of each. */
export const KEPT_INTERFACES: ReadonlyMap<string, string> = new Map(
  [...INTERFACES.keys()].filter((kind) => kind !== 'vendor').map((kind) => [`${kind}_interface`, kind]),
);
