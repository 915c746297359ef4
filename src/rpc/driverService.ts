import type { MessageInitShape } from '@bufbuild/protobuf';
import type { ServiceImpl } from '@connectrpc/connect';
import type { DriverSchema, DriverService } from '../../gen/passthru/v1/driver_pb.ts';
import type { HardwareType } from '../core/hardware.ts';
import { countFitting } from '../core/page.ts';
import type { Enter } from './authorize.ts';
import { nextToken, pageSize, previousKey } from './fields.ts';

/** Implements DriverService: lists the drivers. */
export function driverService(enter: Enter): ServiceImpl<typeof DriverService> {
  const toMessage = (type: HardwareType, hosts: string[]): MessageInitShape<typeof DriverSchema> => ({
    name: type.name,
    defaultVendorInterface: type.vendorInterfaces[0].name,
    enabledVendorInterfaces: type.vendorInterfaces.map((vendorInterface) => vendorInterface.name),
    properties: { ...type.properties },
    hosts,
  });
  return {
    async listDrivers(request, context) {
      const size = pageSize(request.pageSize);
      const after = previousKey('drivers', request.pageToken, (text) => text !== '');
      const { core } = enter(context);
      const types = core.drivers.list().filter((type) => after === null || type.name > after);
      const hosts = await core.hosts();
      const found = types.map((type) => toMessage(type, hosts));
      const fitting = Math.min(size, countFitting(found.map((driver) => JSON.stringify(driver).length)));
      const page = { items: found.slice(0, fitting), more: found.length > fitting };
      return { drivers: page.items, nextPageToken: nextToken('drivers', page, (driver) => driver.name ?? '') };
    },
    async getDriver(request, context) {
      const { core } = enter(context);
      return { driver: toMessage(core.drivers.get(request.driver), await core.hosts()) };
    },
  };
}
