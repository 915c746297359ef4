import { Command } from 'commander';
import { collectPages, printsListing, printsRecord } from './connection.ts';
import { UNUSED_PROPERTY } from './driverKeys.ts';
import { passthruCommand } from './passthru.ts';
import type { OutputOptions } from './print/output.ts';

/** `passthru driver …`. */
export function driverCommand(): Command {
  return new Command('driver')
    .addCommand(listCommand())
    .addCommand(showCommand())
    .addCommand(propertyCommand())
    .addCommand(passthruCommand('driver'));
}

function listCommand(): Command {
  const command = new Command('list').description('List the drivers');
  return printsListing(command, async ({ drivers }) => {
    const found = await collectPages('drivers', (page) => drivers.listDrivers(page));
    // Ironic's columns of `baremetal driver list`.
    const columns = ['Supported driver(s)', 'Active host(s)'];
    return { columns, rows: found.map(({ name, hosts }) => [name, hosts.join(', ')]), empty: 'No drivers.' };
  });
}

function showCommand(): Command {
  const command = new Command('show').description('Show a driver').argument('<driver>', 'driver name');
  return printsRecord(command, async ({ drivers }, name) => {
    const driver = (await drivers.getDriver({ driver: name })).driver!;
    return {
      default_vendor_interface: driver.defaultVendorInterface,
      enabled_vendor_interfaces: driver.enabledVendorInterfaces.join(', '),
      hosts: driver.hosts.join(', '),
      name: driver.name,
      type: 'dynamic',
    };
  });
}

function propertyCommand(): Command {
  const description = 'List the driver_info keys of a driver';
  const list = new Command('list')
    .description(description)
    .argument('<driver>', 'driver name')
    .option('--all', 'also the keys that are accepted for compatibility with Ironic and not used');
  printsListing<{ all?: boolean } & OutputOptions>(list, async ({ drivers }, name, { all = false, format }) => {
    const { properties } = (await drivers.getDriver({ driver: name })).driver!;
    const rows = Object.entries(properties)
      // Programs get what Ironic gives them.
      .filter(([, about]) => all || format !== 'table' || about !== UNUSED_PROPERTY)
      .sort(([first], [second]) => (first < second ? -1 : 1));
    return { columns: ['Property', 'Description'], rows, empty: `Driver ${name} reads no keys of driver_info.` };
  });
  return new Command('property').description(description).addCommand(list);
}
