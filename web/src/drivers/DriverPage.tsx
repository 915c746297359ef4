import { useQuery } from '@connectrpc/connect-query';
import { Link } from 'wouter';
import { type Driver, DriverService } from '../../../gen/passthru/v1/driver_pb.ts';
import { PassthruService } from '../../../gen/passthru/v1/passthru_pb.ts';
import { Methods } from '../calls/Methods.tsx';
import { Fact, Facts } from '../parts/Facts.tsx';
import { Message } from '../parts/Message.tsx';
import { Page } from '../parts/Page.tsx';
import { texts } from '../texts.ts';
import './drivers.css';

/** One driver: its own methods, one of which can be called, and what it reads of its nodes. */
export function DriverPage({ params: { driver: name } }: { params: { driver: string } }) {
  const { data, error } = useQuery(DriverService.method.getDriver, { driver: name });
  const driver = data?.driver;
  if (driver === undefined) {
    return (
      <Page title={name}>
        {error === null ? <p role="status">{texts.loading}</p> : <Message kind="error">{error.rawMessage}</Message>}
      </Page>
    );
  }
  return (
    <Page
      title={driver.name}
      actions={<Link href={`/nodes?driver=${encodeURIComponent(driver.name)}`}>{texts.drivers.nodes}</Link>}
    >
      <Facts>
        <Fact name={texts.drivers.defaultInterface}>{driver.defaultVendorInterface}</Fact>
        <Fact name={texts.drivers.interfaces}>{driver.enabledVendorInterfaces.join(', ')}</Fact>
        <Fact name={texts.drivers.hosts}>{driver.hosts.join(', ')}</Fact>
      </Facts>
      <DriverMethods name={driver.name} />
      <Keys driver={driver} />
    </Page>
  );
}

function DriverMethods({ name }: { name: string }) {
  const { data, error } = useQuery(PassthruService.method.listDriverMethods, { driver: name });
  return (
    <Methods
      title={texts.drivers.methods}
      target={{ kind: 'driver', name }}
      isFree
      methods={data?.methods}
      problem={error?.rawMessage ?? null}
      none={texts.drivers.noMethods(name)}
    />
  );
}

function Keys({ driver: { name, properties } }: { driver: Driver }) {
  const keys = Object.entries(properties).sort(([one], [other]) => (one < other ? -1 : 1));
  return (
    <section className="stack" aria-label={texts.drivers.keys}>
      <h2>{texts.drivers.keys}</h2>
      {keys.length === 0 && <p>{texts.drivers.noKeys(name)}</p>}
      <dl className="keys">
        {keys.map(([key, description]) => (
          <div key={key}>
            <dt>
              <code>{key}</code>
            </dt>
            <dd>{description}</dd>
          </div>
        ))}
      </dl>
    </section>
  );
}
