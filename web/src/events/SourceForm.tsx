import type { MessageInitShape } from '@bufbuild/protobuf';
import type { FormEvent } from 'react';
import type { EventSource, SetEventSourceRequestSchema } from '../../../gen/passthru/v1/event_pb.ts';
import { texts } from '../texts.ts';
import { SEVERITIES } from './severity.tsx';
import { nameOfTransport, TRANSPORTS } from './sourceState.tsx';

export type Wish = Omit<MessageInitShape<typeof SetEventSourceRequestSchema>, 'node' | '$typeName'>;

interface SourceFormProps {
  /** Null for a node without a source. */
  source: EventSource | null;
  /** Why it cannot be set now; null when it can. */
  reason: string | null;
  onSet(wish: Wish): void;
}

/** What is wished of a source. */
export function SourceForm({ source, reason, onSet }: SourceFormProps) {
  const submit = (event: FormEvent<HTMLFormElement>) => {
    event.preventDefault();
    if (reason === null) onSet(readWish(new FormData(event.currentTarget)));
  };
  const { registryPrefixes = [], messageIds = [], resourceTypes = [], severities = [] } = source?.selection ?? {};
  return (
    <form className="form" onSubmit={submit}>
      <div className="field">
        <label htmlFor="transport">{texts.sources.transport}</label>
        <select id="transport" name="transport" defaultValue={nameOfTransport(source?.transport ?? TRANSPORTS.any)}>
          {(Object.keys(TRANSPORTS) as (keyof typeof TRANSPORTS)[]).map((name) => (
            <option key={name} value={name}>
              {texts.sources.transports[name]}
            </option>
          ))}
        </select>
      </div>
      <List name="registryPrefixes" label={texts.sources.registries} values={registryPrefixes} />
      <List name="messageIds" label={texts.sources.messages} values={messageIds} />
      <List name="resourceTypes" label={texts.sources.resources} values={resourceTypes} />
      <fieldset>
        <legend>{texts.sources.severities}</legend>
        {(Object.keys(SEVERITIES) as (keyof typeof SEVERITIES)[]).map((name) => (
          <label key={name}>
            <input
              type="checkbox"
              name="severities"
              value={name}
              defaultChecked={severities.includes(SEVERITIES[name])}
            />{' '}
            {texts.events.severities[name]}
          </label>
        ))}
      </fieldset>
      <button
        type="submit"
        className="main"
        aria-disabled={reason === null ? undefined : true}
        aria-describedby={reason === null ? undefined : 'why-not-set'}
        title={reason ?? undefined}
      >
        {texts.sources.set}
      </button>
      {reason !== null && (
        <p className="help" id="why-not-set">
          {reason}
        </p>
      )}
    </form>
  );
}

function List({ name, label, values }: { name: string; label: string; values: readonly string[] }) {
  return (
    <div className="field">
      <label htmlFor={name}>{label}</label>
      <p className="help" id={`${name}-help`}>
        {texts.sources.listHelp}
      </p>
      <input
        id={name}
        name={name}
        defaultValue={values.join(', ')}
        aria-describedby={`${name}-help`}
        spellCheck={false}
      />
    </div>
  );
}

function readWish(fields: FormData): Wish {
  const list = (name: string) =>
    String(fields.get(name) ?? '')
      .split(',')
      .map((part) => part.trim())
      .filter((part) => part !== '');
  return {
    transport: TRANSPORTS[fields.get('transport') as keyof typeof TRANSPORTS],
    selection: {
      registryPrefixes: list('registryPrefixes'),
      messageIds: list('messageIds'),
      resourceTypes: list('resourceTypes'),
      severities: fields.getAll('severities').map((name) => SEVERITIES[name as keyof typeof SEVERITIES]),
    },
  };
}
