import { Command } from 'commander';
import type { Driver } from '../../gen/passthru/v1/driver_pb.ts';
import { addCallOptions, type CallOptions, runCall } from './call.ts';
import { collectPages, withConnection } from './connection.ts';
import { addLongOption, methodListing } from './methods.ts';
import { addOutputOptions, type OutputOptions, printListing, printRecord } from './print/output.ts';

/** `passthru driver …`. */
export function driverCommand(): Command {
  return new Command('driver')
    .description('Show drivers (hardware types) and call their vendor methods')
    .addCommand(listCommand())
    .addCommand(showCommand())
    .addCommand(propertyCommand())
    .addCommand(passthruCommand());
}

function listCommand(): Command {
  const command = new Command('list').description('List the drivers');
  return addOutputOptions(command).action(async (options: OutputOptions) => {
    const found = await withConnection(command, ({ drivers }) =>
      collectPages(Number.POSITIVE_INFINITY, async (pageSize, pageToken) => {
        const page = await drivers.listDrivers({ pageSize, pageToken });
        return { items: page.drivers, nextPageToken: page.nextPageToken };
      }),
    );
    // Ironic's columns of `baremetal driver list`.
    const columns = ['Supported driver(s)', 'Active host(s)'];
    await printListing({ columns, rows: found.map(({ name, hosts }) => [name, hosts.join(', ')]) }, options);
  });
}

function showCommand(): Command {
  const command = new Command('show').description('Show a driver').argument('<driver>', 'driver name');
  return addOutputOptions(command).action(async (driver: string, options: OutputOptions) => {
    const found = await getDriver(command, driver);
    await printRecord(
      {
        default_vendor_interface: found.defaultVendorInterface,
        enabled_vendor_interfaces: found.enabledVendorInterfaces.join(', '),
        hosts: found.hosts.join(', '),
        name: found.name,
        type: 'dynamic',
      },
      options,
    );
  });
}

function propertyCommand(): Command {
  const list = new Command('list')
    .description('List the driver_info keys of a driver')
    .argument('<driver>', 'driver name');
  addOutputOptions(list).action(async (driver: string, options: OutputOptions) => {
    const { properties } = await getDriver(list, driver);
    const rows = Object.entries(properties).sort(([first], [second]) => (first < second ? -1 : 1));
    await printListing({ columns: ['Property', 'Description'], rows }, options);
  });
  return new Command('property').description('List the driver_info keys of a driver').addCommand(list);
}

function passthruCommand(): Command {
  const list = new Command('list')
    .description('List the vendor methods of a driver')
    .argument('<driver>', 'driver name');
  addOutputOptions(addLongOption(list)).action(async (driver: string, options: OutputOptions & { long?: boolean }) => {
    const { methods } = await withConnection(list, ({ passthru }) => passthru.listDriverMethods({ driver }));
    await printListing(methodListing(methods, options.long), options);
  });

  const call = addCallOptions(
    new Command('call')
      .description('Call a vendor method of a driver, without a node')
      .argument('<driver>', 'driver name')
      .argument('<method>', 'method name'),
  ).addHelpText('after', CALL_HELP);
  call.action(async (driver: string, method: string, options: CallOptions) => {
    await runCall(call, method, options, {
      list: ({ passthru }) => passthru.listDriverMethods({ driver }),
      call: ({ passthru }, message) => passthru.callDriverMethod({ driver, ...message }),
    });
  });
  return new Command('passthru')
    .description('List and call the vendor methods of a driver')
    .addCommand(list)
    .addCommand(call);
}

async function getDriver(command: Command, name: string): Promise<Driver> {
  const { driver } = await withConnection(command, ({ drivers }) => drivers.getDriver({ driver: name }));
  return driver!;
}

const CALL_HELP = `
Example:
  passthru driver passthru call redfish discover --arg address=https://bmc-7.example \\
    --arg username=operator --arg password=@password.txt`;
