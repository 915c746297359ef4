import type { VendorMethod } from '../../gen/passthru/v1/passthru_pb.ts';
import type { Listing } from './output.ts';

/** `methods` under Ironic's columns of `baremetal node passthru list`. */
export function methodListing(methods: readonly VendorMethod[]): Listing {
  return {
    columns: ['Name', 'Supported HTTP methods', 'Async', 'Description', 'Response is attachment'],
    rows: methods.map(({ name, httpMethods, async, description, attach }) => {
      return [name, [...httpMethods].sort().join(', '), async, description, attach];
    }),
  };
}
