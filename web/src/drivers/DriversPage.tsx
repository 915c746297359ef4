// Drivers: which there are, and the methods that they have without a node.
import { useQuery } from '@connectrpc/connect-query';
import { Link } from 'wouter';
import { DriverService } from '../../../gen/passthru/v1/driver_pb.ts';
import { Message } from '../parts/Message.tsx';
import { Page } from '../parts/Page.tsx';
import { texts } from '../texts.ts';
import './drivers.css';

/** A driver list longer than this is not the console's. */
const MOST_DRIVERS = 1000;

export function DriversPage() {
  const { data, error } = useQuery(DriverService.method.listDrivers, { pageSize: MOST_DRIVERS });
  return (
    <Page title={texts.drivers.title}>
      {error !== null && <Message kind="error">{error.rawMessage}</Message>}
      {data === undefined && error === null && <p role="status">{texts.loading}</p>}
      {data?.drivers.length === 0 && <p>{texts.drivers.none}</p>}
      {data !== undefined && data.drivers.length > 0 && (
        // Scrolled by the keyboard as well.
        // biome-ignore lint/a11y/noNoninteractiveTabindex: a scrolled region has to take the focus
        <div className="plain-table" role="region" aria-label={texts.drivers.title} tabIndex={0}>
          <table>
            <thead>
              <tr>
                <th scope="col">{texts.drivers.name}</th>
                <th scope="col">{texts.drivers.defaultInterface}</th>
                <th scope="col">{texts.drivers.interfaces}</th>
                <th scope="col">{texts.drivers.hosts}</th>
              </tr>
            </thead>
            <tbody>
              {data.drivers.map(({ name, defaultVendorInterface, enabledVendorInterfaces, hosts }) => (
                <tr key={name}>
                  <th scope="row">
                    <Link href={`/drivers/${encodeURIComponent(name)}`}>{name}</Link>
                  </th>
                  <td>{defaultVendorInterface}</td>
                  <td>{enabledVendorInterfaces.join(', ')}</td>
                  <td>{hosts.join(', ')}</td>
                </tr>
              ))}
            </tbody>
          </table>
        </div>
      )}
    </Page>
  );
}
