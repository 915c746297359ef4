import type { JsonObject, JsonValue } from '@bufbuild/protobuf';
import { toJson } from '@bufbuild/protobuf';
import { ValueSchema } from '@bufbuild/protobuf/wkt';
import { createClient } from '@connectrpc/connect';
import { useQuery } from '@connectrpc/connect-query';
import { useState } from 'react';
import type { Driver } from '../../../gen/passthru/v1/driver_pb.ts';
import { PassthruService, type VendorMethod } from '../../../gen/passthru/v1/passthru_pb.ts';
import { FailureView } from '../calls/FailureView.tsx';
import { type Failure, failureOf } from '../calls/failure.ts';
import { GuardedButton } from '../parts/GuardedButton.tsx';
import { JsonTree } from '../parts/JsonView.tsx';
import { isObject, memberOf, requiredOf, textOf, withMember } from '../schemaForm/schema.ts';
import { hasRole, session } from '../session/session.ts';
import { texts } from '../texts.ts';

const client = createClient(PassthruService, session.transport);
/** The method of a driver that describes the systems behind a BMC before there is a node. */
const METHOD = 'discover';
/** What a system tells that describes the machine, by its name in `properties` of the node. */
const DESCRIBING = ['vendor', 'model', 'serial_number', 'firmware', 'bios'] as const;

interface DiscoverProps {
  driver: Driver | undefined;
  /** The form as it is. */
  draft: JsonObject;
  masked: readonly string[];
  /** Gets the form with what the BMC tells filled in. */
  onFound(draft: JsonObject): void;
}

/** Asks a BMC for what it is, where its driver has a method for it, and fills the form in. */
export function Discover(props: DiscoverProps) {
  const { driver } = props;
  const name = driver?.name ?? '';
  const { data } = useQuery(PassthruService.method.listDriverMethods, { driver: name }, { enabled: name !== '' });
  const method = data?.methods.find((one) => one.name === METHOD);
  if (driver === undefined || method === undefined) return null;
  return <Ask {...props} key={name} driver={driver} method={method} />;
}

function Ask({ driver, method, draft, masked, onFound }: DiscoverProps & { driver: Driver; method: VendorMethod }) {
  const [busy, setBusy] = useState(false);
  const [failure, setFailure] = useState<Failure | null>(null);
  const [found, setFound] = useState<JsonObject | null>(null);
  const schema = method.argumentsSchema ?? {};
  const given = isObject(draft.driver_info) ? draft.driver_info : {};
  const args = argumentsOf(schema, driver, given);
  const missing = [
    ...requiredOf(schema).filter((name) => args[name] === undefined),
    // They are not shown, so that the BMC cannot be asked with them.
    ...Object.keys(properties(schema)).filter(
      (name) =>
        memberOf(given, keyOf(driver, name) ?? name) === undefined && masked.includes(keyOf(driver, name) ?? ''),
    ),
  ].map((name) => keyOf(driver, name) ?? name);
  const reason = !hasRole(session.state, method.role)
    ? texts.needsRole(method.role)
    : busy
      ? texts.calls.calling
      : missing.length > 0
        ? texts.enrol.enterFirst(missing.join(', '))
        : null;

  const use = (system: JsonObject) => onFound(filledIn(draft, driver, system));
  const ask = async () => {
    setBusy(true);
    setFailure(null);
    setFound(null);
    try {
      const { outcome } = await client.callDriverMethod({
        driver: driver.name,
        method: METHOD,
        arguments: args,
        httpMethod: method.httpMethods[0] ?? '',
      });
      const result = outcome.case === 'result' ? toJson(ValueSchema, outcome.value) : null;
      setFound(isObject(result) ? result : {});
      const systems = systemsOf(result);
      if (systems.length === 1) use(systems[0]!);
    } catch (thrown) {
      setFailure(failureOf(thrown));
    } finally {
      setBusy(false);
    }
  };
  const systems = systemsOf(found);
  return (
    <section aria-label={texts.enrol.discover}>
      <GuardedButton reason={reason} onClick={() => void ask()}>
        {texts.enrol.discover}
      </GuardedButton>
      <p className="help">{reason ?? texts.enrol.discoverHelp}</p>
      {failure !== null && <FailureView failure={failure} />}
      {found !== null && <p role="status">{texts.enrol.found(systems.length)}</p>}
      {systems.length > 1 && (
        <ul className="methods">
          {systems.map((system) => (
            <li key={textOf(system.system_id)}>
              <button type="button" onClick={() => use(system)}>
                {texts.enrol.use(textOf(system.system_id))}
              </button>
              <JsonTree value={system} />
            </li>
          ))}
        </ul>
      )}
      {found !== null && <JsonTree value={found} />}
    </section>
  );
}

function systemsOf(result: JsonValue): JsonObject[] {
  const systems = isObject(result) ? result.systems : null;
  return Array.isArray(systems) ? systems.filter(isObject) : [];
}

function properties(schema: JsonObject): JsonObject {
  return isObject(schema.properties) ? schema.properties : {};
}

/** Returns the key of driver_info that holds an argument: `redfish_address` for `address`. */
function keyOf(driver: Driver, name: string): string | undefined {
  return Object.keys(driver.properties).find((key) => key === name || key.endsWith(`_${name}`));
}

/** Returns the arguments that the form already has. */
function argumentsOf(schema: JsonObject, driver: Driver, given: JsonObject): JsonObject {
  let args: JsonObject = {};
  for (const name of Object.keys(properties(schema))) {
    const value = memberOf(given, keyOf(driver, name) ?? name);
    // Null stands for a secret that is to be removed.
    if (value !== undefined && value !== null)
      args = withMember(args, name, BOOLEANS[textOf(value).toLowerCase()] ?? value);
  }
  return args;
}

/** driver_info takes them as texts; a method wants them as they are. */
const BOOLEANS: Readonly<Record<string, boolean>> = { true: true, false: false };

function filledIn(draft: JsonObject, driver: Driver, system: JsonObject): JsonObject {
  const idKey = keyOf(driver, 'system_id');
  const info = isObject(draft.driver_info) ? draft.driver_info : {};
  let described = isObject(draft.properties) ? draft.properties : {};
  for (const name of DESCRIBING) if (textOf(system[name]) !== '') described = withMember(described, name, system[name]);
  const next = Object.keys(described).length === 0 ? draft : withMember(draft, 'properties', described);
  return idKey === undefined ? next : withMember(next, 'driver_info', withMember(info, idKey, system.system_id));
}
